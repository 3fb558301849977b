"""History-Info in our responses (RFC 7044 §9.4): where the call has gone."""

import pytest

from tests.call.office import HOME, Office
from tests.call.test_retarget import moves

WANTED = "Supported: histinfo, timer"


@pytest.fixture
def office() -> Office:
    return Office()


class TestRfc7044Section9_4:
    def test_who_does_not_ask_is_not_told(self, office: Office) -> None:
        """ "the SIP entity MUST NOT include History-Info in the response" """
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers="Supported: timer")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        assert call.answered().all("History-Info") == []

    def test_a_plain_call(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=WANTED)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        told = [f"<sip:101@{HOME.host}>;index=1", f"<sip:101@{HOME.host}>;index=1.1;np=1"]
        assert alice.response(180).all("History-Info") == told
        bob.respond(invite, 200, "OK", bob.sdp())
        assert call.answered().all("History-Info") == told
        call.ack()
        # Only what answers the INVITE
        call.reinvite(alice.sdp(port=4200))
        bob.hears("ACK")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        assert alice.response(200).all("History-Info") == []

    def test_a_forwarded_call(self, office: Office) -> None:
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101", headers=WANTED)
        moves(bob, "102")
        moved = f"<sip:101@{HOME.host}?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%20Temporarily%22>"
        so_far = [f"<sip:101@{HOME.host}>;index=1", f"{moved};index=1.1;np=1"]
        # §9.3: no entry of who hasn't answered yet
        assert alice.response(181).all("History-Info") == so_far
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp())
        whole = [*so_far, f"<sip:102@{HOME.host}>;index=1.2;mp=1.1"]
        assert call.answered().all("History-Info") == whole

    def test_a_failure(self, office: Office) -> None:
        """§10.2: the last entry carries why."""
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers=WANTED)
        bob.respond(bob.hears("INVITE"), 486, "Busy Here")
        first, last = alice.response(486).all("History-Info")
        assert first == f"<sip:101@{HOME.host}>;index=1"
        assert "cause%3D486" in last

    @pytest.mark.parametrize("number", ["999", "103"])
    def test_a_call_that_goes_nowhere(self, office: Office, number: str) -> None:
        alice = office.phone("100")
        alice.invite(number, headers=WANTED)
        answer = alice.inbox.popleft()
        assert answer.all("History-Info") == [f"<sip:{number}@{HOME.host}>;index=1"]

    def test_a_service(self, office: Office) -> None:
        alice = office.phone("100")
        call = alice.invite("*43", headers=WANTED)
        assert call.answered().all("History-Info") == [f"<sip:*43@{HOME.host}>;index=1"]

    def test_an_invite_with_entries_asks_too(self, office: Office) -> None:
        """What a phone says of a call's past isn't believed."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers="History-Info: <sip:103@x>;index=1")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        values = call.answered().all("History-Info")
        assert len(values) == 2
        assert not any("103" in value for value in values)

    def test_who_is_hidden_stays_so(self, office: Office) -> None:
        """§10.1.2"""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        call = alice.invite("101", headers=WANTED)
        moves(bob, "102")
        alice.response(181)
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp(), headers="Privacy: id")
        answer = call.answered()
        last = answer.all("History-Info")[-1]
        assert last == "<sip:anonymous@anonymous.invalid>;index=1.2;mp=1.1"
        assert [name for name, value in answer.headers if "102@" in value] == []

    def test_a_tel_uri(self, office: Office) -> None:
        """§9.1: it "SHOULD be transformed into a SIP URI"."""
        alice = office.phone("100")
        offer = alice.sdp()
        alice.request("INVITE", "tel:*43", call_id="t", cseq=1, body=offer)
        auth = alice.authorized(alice.response(407), "INVITE", "tel:*43")
        alice.request(
            "INVITE", "tel:*43", call_id="t", cseq=2, body=offer, headers=f"{auth}\n{WANTED}"
        )
        assert alice.response(200).all("History-Info") == [f"<sip:*43@{HOME.host}>;index=1"]
