"""What the doctor says of a test call: each sentence from the messages and counts that lead to it."""

import pytest

from pbx.lines.call_diagnosis import incoming, outgoing, sound
from pbx.lines.evidence import Evidence
from pbx.lines.finding import Mark, finding
from pbx.media.protocol import Counts, StreamCounts
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response
from tests.lines.call_messages import CALL, CARRIER, OWN, STRANGER, answer, request, stream

NUMBER = "075512345678"


class Trace(Evidence):
    """Evidence that a test writes down."""

    def __init__(self) -> None:
        super().__init__(lambda message, flow: True)

    def says(self, *requests: Request, times: int = 1) -> "Trace":
        for one in requests * times:
            self.said(one.encode(), CARRIER)
        return self

    def hears(self, *messages: Request | Response, flow: Flow = CARRIER, times: int = 1) -> "Trace":
        for one in messages * times:
            self.heard(one, flow)
        return self

    def answers_with(self, response: Response, flow: Flow, times: int = 1) -> "Trace":
        for _ in range(times):
            self.said(response.encode(), flow)
        return self


def called(*statuses: int, host: str = "") -> Trace:
    """An INVITE and what the carrier has answered."""
    invite = request(host=host)
    trace = Trace().says(invite)
    return trace.hears(*(answer(invite, status) for status in statuses))


class TestOutgoing:
    @pytest.mark.parametrize(
        ("statuses", "mark", "slug"),
        [
            ((100, 180, 200), Mark.GOOD, "outgoing-answered"),
            ((100, 180), Mark.NOTE, "outgoing-rang"),
            ((183,), Mark.NOTE, "outgoing-rang"),
            ((100,), Mark.BAD, "outgoing-trying"),
            ((486,), Mark.GOOD, "outgoing-busy"),
            ((600,), Mark.GOOD, "outgoing-busy"),
            ((480,), Mark.NOTE, "outgoing-nobody"),
            ((603,), Mark.NOTE, "outgoing-nobody"),
            ((407,), Mark.BAD, "outgoing-unproven"),
            ((403,), Mark.BAD, "outgoing-forbidden"),
            ((404,), Mark.BAD, "outgoing-number"),
            ((484,), Mark.BAD, "outgoing-number"),
            ((488,), Mark.BAD, "outgoing-codecs"),
            ((503,), Mark.BAD, "outgoing-unwell"),
            ((408,), Mark.BAD, "outgoing-unwell"),
            ((402,), Mark.BAD, "outgoing-refused"),
        ],
    )
    def test_by_what_the_carrier_says(
        self, statuses: tuple[int, ...], mark: Mark, slug: str
    ) -> None:
        found = outgoing(NUMBER, called(*statuses), CALL)
        assert (found.step, found.mark, found.slug) == ("outgoing", mark, slug)
        assert found.sentence

    def test_nothing_was_sent(self) -> None:
        assert outgoing(NUMBER, Trace(), CALL).slug == "outgoing-unsent"

    def test_silence(self) -> None:
        found = outgoing(NUMBER, Trace().says(request(), times=5), CALL)
        assert (found.mark, found.slug) == (Mark.BAD, "outgoing-silent")
        assert "sent to udp 198.51.100.1:5060 5 times" in found.sentence

    def test_what_was_sent_is_named(self) -> None:
        sentence = outgoing(NUMBER, called(403), CALL).sentence
        assert "to sip:+8675512345678@ims.example;user=phone from sip:+8610@ims.example" in sentence

    def test_an_extension_is_named(self) -> None:
        invite = request()
        trace = Trace().says(invite).hears(answer(invite, 421, ("Require", "100rel")))
        found = outgoing(NUMBER, trace, CALL)
        assert found.slug == "outgoing-extension"
        assert "100rel" in found.sentence

    @pytest.mark.parametrize(("last", "mark"), [(200, Mark.NOTE), (500, Mark.BAD)])
    def test_prack_that_is_demanded_and_refused(self, last: int, mark: Mark) -> None:
        invite, prack = request(), request("PRACK", cseq=2)
        trace = Trace().says(invite).hears(answer(invite, 183)).says(prack)
        trace.hears(answer(prack, 405), answer(invite, last))
        found = outgoing(NUMBER, trace, CALL)
        assert (found.mark, found.slug) == (mark, "outgoing-prack")
        assert "prack=off" in found.sentence

    def test_an_ack_that_is_lost(self) -> None:
        invite, ack = request(), request("ACK")
        trace = Trace().says(invite)
        for _ in range(4):
            trace.hears(answer(invite, 200)).says(ack)
        found = outgoing(NUMBER, trace, CALL)
        assert (found.mark, found.slug) == (Mark.BAD, "outgoing-ack-lost")
        assert "came 4 times: our ACK to udp 198.51.100.1:5060" in found.sentence


ANSWERED = finding("outgoing", Mark.GOOD, "outgoing-answered", number=NUMBER)
RANG = finding("outgoing", Mark.NOTE, "outgoing-rang", number=NUMBER)
SILENT = finding("outgoing", Mark.BAD, "outgoing-silent")


def came_back(*statuses: int, flow: Flow = CARRIER, times: int = 1) -> Trace:
    """The call came back in, and what we have answered."""
    back = request(call_id="back")
    trace = called(200).hears(back, flow=flow)
    for status in statuses:
        trace.answers_with(answer(back, status, ("Contact", "<sip:100@192.0.2.1>")), flow, times)
    return trace


class TestIncoming:
    def test_it_was_answered(self) -> None:
        found = incoming(NUMBER, came_back(100, 200).hears(request("ACK", "back")), CALL, ANSWERED)
        assert (found.step, found.mark, found.slug) == ("incoming", Mark.GOOD, "incoming-good")
        assert "for sip:+8675512345678@ims.example;user=phone" in found.sentence

    def test_by_a_carrier_that_is_a_proxy_it_has_our_own_call_id(self) -> None:
        back = request()
        trace = called(200).hears(back).answers_with(answer(back, 200), CARRIER)
        trace.hears(request("ACK"))
        assert incoming(NUMBER, trace, CALL, ANSWERED).slug == "incoming-good"

    def test_it_rings(self) -> None:
        assert incoming(NUMBER, came_back(180), CALL, RANG).slug == "incoming-rings"

    @pytest.mark.parametrize("status", [401, 407])
    def test_it_came_from_an_address_that_is_nobodys(self, status: int) -> None:
        found = incoming(NUMBER, came_back(status, flow=STRANGER), CALL, ANSWERED)
        assert (found.mark, found.slug) == (Mark.BAD, "incoming-stranger")
        assert "peers=203.0.113.9" in found.sentence

    def test_it_was_refused_here(self) -> None:
        found = incoming(NUMBER, came_back(404), CALL, ANSWERED)
        assert (found.mark, found.slug) == (Mark.BAD, "incoming-refused")
        assert "404" in found.sentence

    def test_our_answer_has_had_no_ack(self) -> None:
        found = incoming(NUMBER, came_back(200, times=5), CALL, ANSWERED)
        assert (found.mark, found.slug) == (Mark.BAD, "incoming-ack-lost")
        assert "cannot reach sip:100@192.0.2.1" in found.sentence

    def test_somebody_else_has_answered(self) -> None:
        assert incoming(NUMBER, called(200), CALL, ANSWERED).slug == "incoming-elsewhere"

    def test_it_rang_elsewhere(self) -> None:
        found = incoming(NUMBER, called(180), CALL, RANG)
        assert (found.mark, found.slug) == (Mark.BAD, "incoming-none")

    @pytest.mark.parametrize(
        ("statuses", "mark", "slug"),
        [
            ((480,), Mark.NOTE, "incoming-unrung"),
            ((100, 603), Mark.NOTE, "incoming-unrung"),
            ((180, 480), Mark.BAD, "incoming-none"),
            ((183, 487), Mark.BAD, "incoming-none"),
        ],
    )
    def test_nobody_took_it(self, statuses: tuple[int, ...], mark: Mark, slug: str) -> None:
        trace = called(*statuses)
        found = incoming(NUMBER, trace, CALL, outgoing(NUMBER, trace, CALL))
        assert (found.mark, found.slug) == (mark, slug)
        assert ("rang," in found.sentence) == (slug == "incoming-none")

    def test_it_never_left(self) -> None:
        assert incoming(NUMBER, Trace().says(request()), CALL, SILENT).mark is Mark.SKIPPED

    def test_another_ones_call_is_no_proof(self) -> None:
        other = request(call_id="other")
        other.uri = "sip:+4930555@ims.example"
        other.remove("To")
        other.add("To", "<sip:+4930555@ims.example>")
        found = incoming(NUMBER, called(200).hears(other, flow=STRANGER), CALL, ANSWERED)
        assert found.slug == "incoming-elsewhere"


def described(own: str, peer: str, flow: Flow = CARRIER) -> Trace:
    """A call whose descriptions name these addresses."""
    invite = request(host=own)
    return Trace().says(invite).hears(answer(invite, 200, host=peer), flow=flow)


PUBLIC = described("192.0.2.1", "198.51.100.5")


class TestSound:
    @pytest.mark.parametrize(
        ("streams", "mark", "slug"),
        [
            ([stream(20000, 190)], Mark.GOOD, "sound-heard"),
            ([stream(20000, 190), stream(20002, 180)], Mark.GOOD, "sound-both"),
            ([stream(20000, 190), stream(20002, 0)], Mark.BAD, "sound-unheard"),
            ([stream(20000, 0), stream(20002, 180)], Mark.BAD, "sound-one-way"),
            ([stream(20000, 0), stream(20002, 0)], Mark.BAD, "sound-none"),
            ([stream(20000, 0, refused=77)], Mark.BAD, "sound-elsewhere"),
            ([], Mark.SKIPPED, "sound-uncounted"),
        ],
    )
    def test_by_what_came(self, streams: list[StreamCounts], mark: Mark, slug: str) -> None:
        trace = described("8.8.8.8", "9.9.9.9", Flow("udp", OWN, Address("9.9.9.1", 5060)))
        found = sound(Counts(streams), (20000, 20002), trace, CALL)
        assert (found.step, found.mark, found.slug) == ("sound", mark, slug)
        assert found.sentence

    def test_an_engine_that_does_not_tell(self) -> None:
        assert sound(None, (20000, 0), PUBLIC, CALL).slug == "sound-uncounted"

    def test_the_carriers_description_has_a_private_address(self) -> None:
        trace = described("8.8.8.8", "10.1.2.3", Flow("udp", OWN, Address("9.9.9.1", 5060)))
        found = sound(Counts([stream(20000, 0)]), (20000, 0), trace, CALL)
        assert (found.mark, found.slug) == (Mark.BAD, "sound-peer-private")
        assert "names 10.1.2.3" in found.sentence
        assert "at 9.9.9.1" in found.sentence

    def test_our_own_description_has_a_private_address(self) -> None:
        trace = described("192.168.1.5", "9.9.9.9", Flow("udp", OWN, Address("9.9.9.1", 5060)))
        found = sound(Counts([stream(20000, 0)]), (20000, 0), trace, CALL)
        assert (found.mark, found.slug) == (Mark.BAD, "sound-own-private")
        assert "names 192.168.1.5" in found.sentence

    def test_private_addresses_on_a_private_network_are_right(self) -> None:
        lan = Flow("udp", OWN, Address("192.168.178.1", 5060))
        trace = described("192.168.178.5", "192.168.178.1", lan)
        found = sound(Counts([stream(20000, 0)]), (20000, 0), trace, CALL)
        assert found.slug == "sound-none"

    def test_a_description_that_cannot_be_read(self) -> None:
        invite = request(host="8.8.8.8")
        broken = answer(invite, 200)
        broken.body = b"nonsense"
        trace = Trace().says(invite).hears(broken)
        assert sound(Counts([stream(20000, 0)]), (20000, 0), trace, CALL).slug == "sound-none"


class TestEvidence:
    def test_what_does_not_concern_it_is_not_kept(self) -> None:
        evidence = Evidence(lambda message, flow: flow is CARRIER)
        evidence.heard(request(), STRANGER)
        evidence.heard(request(), CARRIER)
        assert len(evidence.received("INVITE")) == 1

    def test_what_cannot_be_read_is_left_out(self) -> None:
        evidence = Trace()
        evidence.said(b"SIP/2.0 400 Bad\r\n\r\n", CARRIER)
        assert evidence.our_answers("INVITE") == []
