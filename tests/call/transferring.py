"""What the tests of transfers share: how parties answer, and who is heard by whom."""

from urllib.parse import quote

from pbx.sdp.description import Direction, parse_sdp
from pbx.sip.message import Request, Response
from tests.call.office import HOME, Invite, Office, Phone, established


def to(number: str, headers: str = "") -> str:
    return f"Refer-To: <sip:{number}@{HOME.host}>\nReferred-By: <sip:100@{HOME.host}>{headers}"


def referred(office: Office) -> tuple[Phone, Phone, Phone, Invite, Request]:
    """100 has called 101, and now transfers it to 102; return the three, the call and its INVITE."""
    alice, bob, call, invited = established(office)
    carol = office.phone("102")
    call.request("REFER", 3, headers=to("102"))
    return alice, bob, carol, call, invited


def gone(office: Office, transferor: Phone) -> None:
    """Nothing is left of calls that have ended, when all retransmissions are over."""
    transferor.inbox.clear()
    office.advance(80)
    office.assert_empty()


def told(phone: Phone, *statuses: int) -> list[Request]:
    """Take NOTIFYs that tell of these statuses, in order, and answer them."""
    found = []
    for status in statuses:
        notify = phone.hears("NOTIFY")
        assert notify.get("Content-Type") == "message/sipfrag;version=2.0"
        assert notify.body.startswith(f"SIP/2.0 {status} ".encode()), notify.body
        final = status >= 200
        state = notify.get("Subscription-State") or ""
        assert state.startswith("terminated;reason=noresource" if final else "active;expires=")
        assert notify.contacts
        phone.respond(notify, 200, "OK")
        found.append(notify)
    return found


def refers(call: Invite, headers: str, *statuses: int) -> None:
    """The caller wants a transfer; that is accepted, and it is told of these statuses."""
    call.cseq += 1
    call.request("REFER", call.cseq, headers=headers)
    call.phone.response(202)
    told(call.phone, *statuses)


def answers(phone: Phone, invite: Request, direction: str = "sendrecv") -> None:
    phone.respond(invite, 200, "OK", phone.sdp(direction))
    phone.hears("ACK")


def direction_of(message: Request | Response) -> Direction:
    description = parse_sdp(message.body)
    return description.direction(description.media[0])


def port_of(message: Request | Response) -> int:
    return parse_sdp(message.body).media[0].port


def hold(asker: Invite, other: Phone) -> None:
    """The caller puts the called party on hold."""
    asker.reinvite(asker.phone.sdp("sendonly"))
    answers(other, other.hears("INVITE"), "recvonly")
    asker.phone.response(200)
    asker.ack()


def connected(office: Office, one: Phone, other: Phone) -> None:
    """Both parties' sound goes to each other, and nowhere else."""
    office.assert_private()
    (call,) = office.exchange.calls.values()
    streams = office.running()
    ports = {leg.number: leg.media.sound_port for leg in call.legs if leg.media.sound_port}
    assert ports.keys() == {one.number, other.number}
    assert streams[ports[one.number]].sink == ports[other.number]
    assert streams[ports[other.number]].sink == ports[one.number]
    assert all(streams[port].send for port in ports.values())


def causes(office: Office) -> list[str]:
    return [facts.cause.tag.name for facts in office.ended if facts.cause is not None]


Consultation = tuple[Phone, Phone, Phone, Invite, Invite, Request, Request]
"""Alice, bob, carol; alice's calls of bob and of carol; what each of these two was invited by."""


def consulting(office: Office) -> Consultation:
    """Alice talks with bob, holds, and calls carol."""
    alice, bob, call, to_bob = established(office)
    carol = office.phone("102")
    hold(call, bob)
    second = alice.invite("102", call_id="consult", body=alice.sdp(port=4100))
    return alice, bob, carol, call, second, to_bob, carol.hears("INVITE")


def consulted(office: Office) -> Consultation:
    """Alice talks with bob, holds, and talks with carol."""
    all_three = consulting(office)
    _, _, carol, _, second, _, to_carol = all_three
    answers(carol, to_carol)
    second.answered()
    second.ack()
    return all_three


def referred_early(office: Office) -> Consultation:
    """Alice has transferred bob to carol, whose phone still rings."""
    all_three = consulting(office)
    alice, _, carol, call, second, _, to_carol = all_three
    carol.respond(to_carol, 180, "Ringing")
    second.answer = alice.response(180)
    refers(call, replacing(second), 100)
    alice.response(487)
    return all_three


def replacing(call: Invite) -> str:
    """The Refer-To parameters that name a call of the phone's."""
    assert call.answer is not None
    tags = f"{call.call_id};to-tag={call.answer.to.tag};from-tag={call.answer.from_.tag}"
    return f"Refer-To: <sip:102@{HOME.host}?Replaces={quote(tags)}>"
