"""A call goes on when the exchange has died and come back: from its journal's entry."""

from collections.abc import Iterable

import msgspec
import pytest

from pbx.call.cause import CallTag
from pbx.call.facts import CallFacts
from pbx.call.journal import CallState
from pbx.config.line import Line
from pbx.config.recording import RecordingSettings
from pbx.config.settings import CallSettings, MediaSettings
from pbx.media.protocol import Release, Stream
from pbx.media.session import NoPortsLeft
from tests.call.office import Office, established
from tests.call.phone import Invite, Phone
from tests.call.telco import PLAN


def kept(office: Office) -> tuple[CallFacts, CallState]:
    """The only call, as it is read from the journal."""
    (call,) = office.exchange.calls.values()
    state = office.journal[call.facts.id]
    assert state is not None
    return call.facts, msgspec.json.decode(msgspec.json.encode(state), type=CallState)


def reborn(
    office: Office,
    *phones: Phone,
    limits: CallSettings | None = None,
    recordings: Iterable[int] = (),
    recording: RecordingSettings | None = None,
    line: Line | None = None,
) -> Office:
    """A new exchange in the place of `office`, with its only call gone on.

    Args:
        office: the exchange that has died.
        phones: of the call.
        limits: of the new one.
        recordings: that still go on in the engine.
        recording: settings of the new one.
        line: that it has; DNS hasn't told the new one anything yet.
    """
    facts, state = kept(office)
    after = Office(limits, recording=recording)
    after.now = office.now
    for phone in phones:
        phone.inbox.clear()
        phone.office = after
        after.phones[phone.address] = phone
    if line is not None:
        after.configure(line, plan=PLAN)
    after.exchange.resume(facts, state, after.now)
    after.engine_ready(state.ports, recordings=recordings)
    after.pump()
    return after


@pytest.fixture
def call() -> tuple[Office, Phone, Phone, Invite]:
    office = Office()
    alice, bob, invite, _ = established(office)
    return office, alice, bob, invite


Established = tuple[Office, Phone, Phone, Invite]


class TestResumedCall:
    def test_the_caller_hangs_up(self, call: Established) -> None:
        office, alice, bob, invite = call
        after = reborn(office, alice, bob)
        assert list(after.exchange.calls) == list(office.exchange.calls)
        invite.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        (facts,) = after.ended
        assert facts.cause is not None
        assert facts.cause.tag is CallTag.CALLER_HUNG_UP
        assert facts.talk == 1000.0
        after.advance(120)
        assert after.exchange.next_timer() is None
        assert after.exchange.pool.free == 20

    def test_our_numbers_are_higher_than_any_before(self, call: Established) -> None:
        """However much the parties have written to each other; and once more after that."""
        office, alice, bob, invite = call
        last = 0
        for _ in range(2):
            for _ in range(40):
                invite.cseq += 1
                invite.request("MESSAGE", invite.cseq, b"hello", "Content-Type: text/plain")
                heard = bob.hears("MESSAGE")
                bob.respond(heard, 200)
                alice.response(200)
                assert heard.cseq.number > last
                last = heard.cseq.number
            office = reborn(office, alice, bob)
        office.exchange.hang_up(next(iter(office.exchange.calls)), office.now)
        office.pump()
        assert bob.hears("BYE").cseq.number > last
        assert alice.hears("BYE").cseq.number > 1

    def test_the_sound_is_left_as_it_was(self, call: Established) -> None:
        office, alice, bob, _ = call
        before = office.streams()
        after = reborn(office, alice, bob)
        assert after.streams() == before
        assert not [one for one in after.media if isinstance(one, Release)]
        assert after.exchange.pool.free == office.exchange.pool.free

    def test_hold_and_resume(self, call: Established) -> None:
        office, alice, bob, invite = call
        reborn(office, alice, bob)
        invite.reinvite(alice.sdp("sendonly"))
        held = bob.hears("INVITE")
        assert b"a=sendonly" in held.body
        bob.respond(held, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        assert b"a=recvonly" in invite.answered().body

    def test_a_change_of_session_is_kept_too(self, call: Established) -> None:
        office, alice, bob, invite = call
        invite.reinvite(alice.sdp("sendonly", port=4800))
        held = bob.hears("INVITE")
        bob.respond(held, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        invite.answered()
        invite.ack()
        after = reborn(office, alice, bob)
        ports = {one.remote_rtp.port for one in after.streams().values() if one.remote_rtp}
        assert 4800 in ports

    def test_the_longest_duration_still_counts(self, call: Established) -> None:
        office, alice, bob, _ = call
        office.now += 50
        after = reborn(office, alice, bob, limits=CallSettings(max_duration_s=60))
        after.advance(9)
        assert not after.ended
        after.advance(2)
        alice.hears("BYE")
        bob.hears("BYE")

    def test_a_port_that_is_gone(self, call: Established) -> None:
        office, _, _, _ = call
        facts, state = kept(office)
        after = Office(ports=1)
        with pytest.raises(NoPortsLeft):
            after.exchange.resume(facts, state, after.now)
        assert after.exchange.pool.free == 1
        assert after.exchange.calls == {}


class TestState:
    def test_before_the_answer_there_is_none(self) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.hears("INVITE")
        (call,) = office.exchange.calls.values()
        assert call.state() is None

    def test_of_a_late_offer_only_after_its_answer(self) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        invite = alice.invite("101", b"")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        (call,) = office.exchange.calls.values()
        assert call.state() is None
        invite.answered()
        invite.ack(alice.sdp())
        assert call.state() is not None


class TestMediaIsReady:
    """The engine knows of both ports before a phone does (RFC 3264 §5.1)."""

    def test_the_caller_waits_and_the_only_callee_is_heard(self) -> None:
        office = Office(media=MediaSettings(convert=False))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.hears("INVITE")
        heard, waiting = (one for one in office.media if isinstance(one, Stream))
        assert (heard.sink, heard.wait) == (waiting.port, False)
        assert (waiting.sink, waiting.wait) == (0, True)

    def test_who_may_say_what_the_caller_does_not_know_waits(self) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        invite = bob.hears("INVITE")
        streams = [one for one in office.media if isinstance(one, Stream)]
        assert [(one.sink, one.wait) for one in streams] == [(0, True), (0, True)]
        bob.respond(invite, 200, "OK", bob.sdp())
        assert [one.wait for one in office.streams().values()] == [False, False]

    def test_of_several_callees_none_is_heard(self) -> None:
        office = Office()
        alice = office.phone("100")
        office.phone("101")
        office.phone("101", "192.0.2.50")
        alice.invite("101")
        assert {one.sink for one in office.streams().values()} == {0}

    def test_when_it_is_answered_the_callee_is_set_first(self) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        office.media.clear()
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        first, last = (one for one in office.media if isinstance(one, Stream))
        assert first.remote_rtp is not None
        assert first.remote_rtp.host == bob.address.host
        assert (last.sink, last.wait) == (first.port, False)

    def test_names_in_other_encodings_stay_as_they_were(self) -> None:
        """Old phones send Latin-1, which is no UTF-8 and no JSON."""
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers='Record-Route: <sip:192.0.2.10;lr>;x="J\udce4n"')
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        after = reborn(office, alice, bob)
        bob.within(invite, "BYE", 5)
        assert alice.hears("BYE").all("Route") == ['<sip:192.0.2.10;lr>;x="J\udce4n"']
        assert after.exchange.calls == {}


class TestSessionTimers:
    """RFC 4028 over a restart."""

    @pytest.mark.parametrize("refresher", ["uac", "uas"])
    def test_the_session_goes_on_and_may_expire(self, refresher: str) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        invite = alice.invite("101")
        called = bob.hears("INVITE")
        timer = f"Require: timer\nSession-Expires: 90;refresher={refresher}"
        bob.respond(called, 200, "OK", bob.sdp(), timer)
        invite.answered()
        invite.ack()
        after = reborn(office, alice, bob)
        after.advance(1.1)
        if refresher == "uac":
            # When the last refresh was nobody knows; and nothing changes by this one
            again = bob.hears("INVITE")
            assert again.body == called.body
            bob.respond(again, 200, "OK", bob.sdp(), "Session-Expires: 90;refresher=uac")
            bob.hears("ACK")
        after.advance(57)
        assert after.ended == []
        while bob.inbox:
            bob.inbox.popleft()
        after.advance(40)
        assert after.cause()[0] in ("SESSION_EXPIRED", "TRANSACTION_TIMED_OUT")
