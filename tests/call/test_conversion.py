"""Calls between phones without a common codec, and what the media engine is told of them."""

import pytest

from pbx.config.settings import MediaSettings
from pbx.media import codecs
from pbx.media.endpoint import OFFERED, RARE, formats_of
from pbx.media.protocol import Digit, SendDigits, StopVoice, Stream, Voice
from pbx.sdp.description import parse_sdp
from pbx.sip.message import Request, Response
from tests.call.office import Office, Phone, established
from tests.call.phone import Invite

EVENTS = "a=rtpmap:101 telephone-event/8000"


@pytest.fixture
def office() -> Office:
    return Office()


def sdp(phone: Phone, formats: str, *lines: str, port: int = 4000) -> bytes:
    host = phone.address.host
    head = ("v=0", "o=- 1 1 IN IP4 " + host, "s=-", "c=IN IP4 " + host, "t=0 0")
    events = [EVENTS] if "101" in formats.split() else []
    rows = (*head, f"m=audio {port} RTP/AVP {formats}", *events, *lines)
    return "".join(f"{row}\r\n" for row in rows).encode()


def names(message: Request | Response) -> list[str]:
    return [one.codec.name for one in formats_of(parse_sdp(message.body).media[0])]


def direction(message: Request | Response) -> str:
    description = parse_sdp(message.body)
    return description.direction(description.media[0]).value


def codec_of(office: Office, phone: Phone) -> int:
    """The codec that the engine speaks with a phone; 0 where it passes on what comes."""
    (port,) = (
        stream.port
        for stream in office.running().values()
        if stream.remote_rtp is not None and stream.remote_rtp.host == phone.address.host
    )
    voice = office.voices().get(port)
    return voice.codec if voice else 0


def pair(office: Office, alice: Phone, bob: Phone) -> tuple[int, int]:
    """What both phones speak with the engine; each hears the other, and nobody else."""
    running = office.voices()
    assert all(running[one.partner].partner == port for port, one in running.items())
    office.assert_private()
    return codec_of(office, alice), codec_of(office, bob)


def converted(
    office: Office, caller: str = "8 101", callee: str = "9 101"
) -> tuple[Phone, Phone, Invite, Request]:
    """Alice's answered call to bob, who speaks another codec."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", sdp(alice, caller))
    invite = bob.hears("INVITE")
    bob.respond(invite, 200, "OK", sdp(bob, callee))
    bob.hears("ACK")
    call.answered()
    call.ack()
    return alice, bob, call, invite


class TestAnswer:
    def test_each_speaks_its_own_codec(self, office: Office) -> None:
        alice, bob, call, invite = converted(office)
        assert names(invite)[:2] == ["PCMA", "telephone-event"]
        assert "G722" in names(invite)
        assert call.answer is not None
        assert names(call.answer) == ["PCMA", "telephone-event"]
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)

    def test_the_call_says_so(self, office: Office) -> None:
        converted(office)
        (running,) = office.exchange.calls.values()
        assert (running.facts.codec, running.facts.called_codec) == ("PCMA", "G722")

    def test_a_common_codec_is_passed_on(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        assert pair(office, alice, bob) == (0, 0)
        assert call.answer is not None
        assert names(call.answer) == ["PCMA", "PCMU", "telephone-event"]
        (running,) = office.exchange.calls.values()
        assert (running.facts.codec, running.facts.called_codec) == ("PCMA", "")

    def test_the_end_leaves_nothing(self, office: Office) -> None:
        alice, bob, call, _ = converted(office)
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        alice.response(200)
        office.advance(120)
        office.assert_empty()
        assert office.voices() == {}

    def test_the_first_word_is_heard_not_passed_on(self, office: Office) -> None:
        """What has waited in the caller's socket is let in when it is a voice."""
        converted(office)
        port = next(iter(office.voices()))
        told = [one for one in office.media if isinstance(one, Stream | Voice) and one.port == port]
        waiting, voice, running = told
        assert isinstance(waiting, Stream)
        assert waiting.wait
        assert isinstance(voice, Voice)
        assert isinstance(running, Stream)
        assert not running.wait


class TestSetting:
    def test_forbidden(self) -> None:
        office = Office(media=MediaSettings(convert=False))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", sdp(alice, "8"))
        invite = bob.hears("INVITE")
        assert names(invite) == ["PCMA"]
        bob.respond(invite, 488)
        bob.hears("ACK")
        alice.response(488)

    def test_an_engine_that_codes_nothing(self) -> None:
        office = Office(engine=False)
        office.ports = 20
        office.engine_ready(codecs=())
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", sdp(alice, "8"))
        assert names(bob.hears("INVITE")) == ["PCMA"]


class TestNarrowing:
    """A callee that answers with several codecs, the first of which the caller doesn't know."""

    def answered(self, office: Office) -> tuple[Phone, Phone, Invite, Request]:
        return converted(office, "8 101", "9 8 101")

    def test_it_is_asked_for_the_common_one(self, office: Office) -> None:
        alice, bob, call, _ = self.answered(office)
        assert call.answer is not None
        assert names(call.answer) == ["PCMA", "telephone-event"]
        change = bob.hears("INVITE")
        assert names(change) == ["PCMA", "telephone-event"]
        bob.respond(change, 200, "OK", sdp(bob, "8 101"))
        bob.hears("ACK")
        assert not bob.inbox
        assert not alice.inbox
        assert pair(office, alice, bob) == (0, 0)

    def test_a_refusal_changes_nothing(self, office: Office) -> None:
        alice, bob, _, _ = self.answered(office)
        bob.respond(bob.hears("INVITE"), 488)
        bob.hears("ACK")
        assert not alice.inbox
        assert office.ended == []
        assert pair(office, alice, bob) == (0, 0)


class TestChanges:
    """Re-INVITEs in converted calls."""

    def test_hold_and_resume_by_the_caller(self, office: Office) -> None:
        alice, bob, call, _ = converted(office)
        for wanted, given in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            call.reinvite(sdp(alice, "8 101", f"a={wanted}"))
            change = bob.hears("INVITE")
            assert direction(change) == wanted
            bob.respond(change, 200, "OK", sdp(bob, "9 101", f"a={given}"))
            bob.hears("ACK")
            assert direction(call.answered()) == given
            call.ack()
            assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)
            sends = {s.send for s in office.running().values()}
            assert sends == ({True} if wanted == "sendrecv" else {True, False})

    def test_hold_by_the_callee(self, office: Office) -> None:
        alice, bob, _, invite = converted(office)
        bob.within(invite, "INVITE", 1, sdp(bob, "9 101", "a=sendonly"))
        bob.response(100)
        change = alice.hears("INVITE")
        assert names(change)[:2] == ["G722", "telephone-event"]
        assert "PCMA" in names(change)
        assert direction(change) == "sendonly"
        alice.respond(change, 200, "OK", sdp(alice, "8 101", "a=recvonly"))
        alice.hears("ACK")
        answer = bob.response(200)
        assert names(answer) == ["G722", "telephone-event"]
        assert direction(answer) == "recvonly"
        bob.within(invite, "ACK", 1)
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)

    def test_to_a_common_codec_and_back(self, office: Office) -> None:
        alice, bob, _, invite = converted(office)
        for number, (formats, expected) in enumerate(
            (("8 101", (0, 0)), ("9 101", (codecs.PCMA, codecs.G722))), start=1
        ):
            bob.within(invite, "INVITE", number, sdp(bob, formats))
            bob.response(100)
            alice.respond(alice.hears("INVITE"), 200, "OK", sdp(alice, "8 101"))
            alice.hears("ACK")
            bob.response(200)
            bob.within(invite, "ACK", number)
            assert pair(office, alice, bob) == expected
        assert len([one for one in office.media if isinstance(one, StopVoice)]) == 2

    def test_to_another_codec(self, office: Office) -> None:
        alice, bob, call, _ = converted(office)
        call.reinvite(sdp(alice, "0 101"))
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "9 101"))
        bob.hears("ACK")
        assert names(call.answered()) == ["PCMU", "telephone-event"]
        call.ack()
        assert pair(office, alice, bob) == (codecs.PCMU, codecs.G722)
        (running,) = office.exchange.calls.values()
        assert (running.facts.codec, running.facts.called_codec) == ("PCMU", "G722")

    def test_a_refused_change_leaves_all_as_it_was(self, office: Office) -> None:
        alice, bob, call, _ = converted(office)
        before = office.voices()
        call.reinvite(sdp(alice, "0 101"))
        bob.respond(bob.hears("INVITE"), 488)
        bob.hears("ACK")
        alice.response(488)
        assert office.voices() == before


SPEAKERS = {
    codecs.PCMU: ("0 101",),
    codecs.G722: ("9 101",),
    codecs.OPUS: ("96 101", "a=rtpmap:96 opus/48000/2"),
}
"""What a phone says that knows one codec alone."""

OURS = [one for one in (*OFFERED, *RARE) if codecs.codec(one).pcm_rate]


def taking(phone: Phone, offer: Request, *wanted: int, held: str = "sendrecv") -> bytes:
    """A phone's answer that takes these codecs of an offer, numbered as they are there."""
    known = {one.codec.number: one for one in formats_of(parse_sdp(offer.body).media[0])}
    events = known[codecs.TELEPHONE_EVENT]
    taken = [*(known[one] for one in wanted), events]
    meanings = (f"a={line.value}" for one in taken if one is not events for line in one.lines)
    numbers = " ".join(str(one.payload_type) for one in taken)
    return sdp(phone, numbers, *meanings, f"a={held}")


class TestCodecsThatOnlyWeOffer:
    """A callee may speak nothing else: it names none that the caller has."""

    @pytest.fixture
    def office(self) -> Office:
        """An exchange whose engine can code everything."""
        office = Office(engine=False)
        office.ports = 20
        office.engine_ready(codecs=[one.name for one in codecs.CODECS])
        return office

    PAIRS = pytest.mark.parametrize(
        ("own", "given"), [(own, given) for own in SPEAKERS for given in OURS if given != own]
    )

    def call(self, office: Office, own: int, *given: int) -> tuple[Phone, Phone, Invite, Request]:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, *SPEAKERS[own]))
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", taking(bob, invite, *given))
        bob.hears("ACK")
        assert names(call.answered())[0] == codecs.codec(own).name
        call.ack()
        return alice, bob, call, invite

    @PAIRS
    def test_one_of_them_alone(self, office: Office, own: int, given: int) -> None:
        alice, bob, call, _ = self.call(office, own, given)
        assert call.answer is not None
        assert names(call.answer) == [codecs.codec(own).name, "telephone-event"]
        assert pair(office, alice, bob) == (own, given)
        assert not bob.inbox

    @PAIRS
    def test_changes_go_on_so(self, office: Office, own: int, given: int) -> None:
        alice, bob, call, invite = self.call(office, own, given)
        for wanted, held in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            call.reinvite(sdp(alice, *SPEAKERS[own], f"a={wanted}"))
            change = bob.hears("INVITE")
            bob.respond(change, 200, "OK", taking(bob, change, given, held=held))
            bob.hears("ACK")
            assert names(call.answered()) == [codecs.codec(own).name, "telephone-event"]
            call.ack()
            assert pair(office, alice, bob) == (own, given)
        bob.within(invite, "INVITE", 1, taking(bob, invite, given))
        bob.response(100)
        change = alice.hears("INVITE")
        assert own in [one.codec.number for one in formats_of(parse_sdp(change.body).media[0])]
        alice.respond(change, 200, "OK", taking(alice, change, own))
        alice.hears("ACK")
        assert names(bob.response(200)) == [codecs.codec(given).name, "telephone-event"]
        bob.within(invite, "ACK", 1)
        assert pair(office, alice, bob) == (own, given)

    @PAIRS
    def test_taken_up_in_a_change(self, office: Office, own: int, given: int) -> None:
        """What was passed on is converted from then on, and passed on again."""
        alice, bob, call, _ = self.call(office, own, own)
        assert pair(office, alice, bob) == (0, 0)
        for taken, expected in ((given, (own, given)), (own, (0, 0))):
            call.reinvite(sdp(alice, *SPEAKERS[own]))
            change = bob.hears("INVITE")
            bob.respond(change, 200, "OK", taking(bob, change, taken))
            bob.hears("ACK")
            assert names(call.answered()) == [codecs.codec(own).name, "telephone-event"]
            call.ack()
            assert pair(office, alice, bob) == expected

    @PAIRS
    def test_one_of_them_before_the_caller_s(self, office: Office, own: int, given: int) -> None:
        """It may speak the first one, which the caller doesn't know, so it is asked not to."""
        alice, bob, _, _ = self.call(office, own, given, own)
        change = bob.hears("INVITE")
        assert names(change) == [codecs.codec(own).name, "telephone-event"]
        bob.respond(change, 200, "OK", taking(bob, change, own))
        bob.hears("ACK")
        assert pair(office, alice, bob) == (0, 0)

    @PAIRS
    def test_several_of_them(self, office: Office, own: int, given: int) -> None:
        other = next(one for one in OURS if one not in (own, given))
        alice, bob, _, _ = self.call(office, own, given, other)
        assert pair(office, alice, bob) == (own, given)


class TestLateOffer:
    def test_the_callee_offers(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", b"")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", sdp(bob, "9 101"))
        offer = call.answered()
        assert names(offer)[:2] == ["G722", "telephone-event"]
        assert "PCMA" in names(offer)
        call.ack(sdp(alice, "8 101"))
        assert names(bob.hears("ACK")) == ["G722", "telephone-event"]
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)

    def test_in_a_change(self, office: Office) -> None:
        alice, bob, call, _ = converted(office)
        call.reinvite(b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", sdp(bob, "9 101"))
        assert "PCMA" in names(call.answered())
        call.ack(sdp(alice, "8 101"))
        assert names(bob.hears("ACK")) == ["G722", "telephone-event"]
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)


class TestForks:
    def test_early_media_is_converted(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", sdp(alice, "8"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 183, "-", sdp(bob, "9"))
        assert names(alice.response(183)) == ["PCMA"]
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)
        bob.respond(invite, 200, "OK", sdp(bob, "9"))
        bob.hears("ACK")
        assert names(call.answered()) == ["PCMA"]
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)

    @pytest.mark.parametrize(
        ("formats", "expected"), [("8", (0, 0)), ("9", (codecs.PCMA, codecs.G722))]
    )
    def test_another_phone_answers(
        self, office: Office, formats: str, expected: tuple[int, int]
    ) -> None:
        alice, desk = office.phone("100"), office.phone("101")
        mobile = office.phone("101", "192.0.2.77")
        call = alice.invite("101", sdp(alice, "8"))
        first, second = desk.hears("INVITE"), mobile.hears("INVITE")
        desk.respond(first, 183, "-", sdp(desk, "9"))
        alice.response(183)
        mobile.respond(second, 200, "OK", sdp(mobile, formats))
        mobile.hears("ACK")
        desk.hears("CANCEL")
        call.answered()
        assert pair(office, alice, mobile) == expected

    def test_of_a_phone_that_rings_no_more_nothing_is_heard(self, office: Office) -> None:
        alice, desk = office.phone("100"), office.phone("101")
        mobile = office.phone("101", "192.0.2.77")
        alice.invite("101", sdp(alice, "8"))
        first = desk.hears("INVITE")
        mobile.hears("INVITE")
        desk.respond(first, 183, "-", sdp(desk, "9"))
        alice.response(183)
        desk.respond(first, 486)
        assert office.voices() == {}
        office.assert_private()


class TestKeys:
    def sent(self, office: Office) -> list[tuple[int, str]]:
        return [(one.port, one.digits) for one in office.media if isinstance(one, SendDigits)]

    @pytest.mark.parametrize("callee", ["9 101", "9"])
    def test_a_key_is_passed_on(self, office: Office, callee: str) -> None:
        """As an event, or as a tone where the callee has none: the engine knows."""
        converted(office, "8 101", callee)
        (own, partner) = (one for one in office.voices().values())
        assert own.codec == codecs.PCMA
        office.exchange.reported(Digit(own.port, "5", False), office.now)
        office.exchange.reported(Digit(own.port, "!", False), office.now)
        office.pump()
        assert self.sent(office) == [(partner.port, "5")]
        assert partner.inband == partner.hides_keys == (callee == "9")

    def test_of_calls_that_have_ended_nothing_is_passed_on(self, office: Office) -> None:
        _, bob, call, _ = converted(office)
        port = next(iter(office.voices()))
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        office.exchange.reported(Digit(port, "5", False), office.now)
        office.pump()
        assert self.sent(office) == []


class TestRestart:
    def test_a_new_engine_converts_again(self, office: Office) -> None:
        alice, bob, _, _ = converted(office)
        before = office.voices()
        office.media.clear()
        office.engine_ready()
        office.pump()
        assert office.voices() == before
        assert pair(office, alice, bob) == (codecs.PCMA, codecs.G722)
