"""How a call's sound came, as its record and the list of running calls say it."""

import msgspec
import pytest

from pbx.call.farewells import PATIENCE_S
from pbx.call.quality import Quality, qualities
from pbx.media.protocol import Counts, VoiceCounts
from tests.call.office import Office, established, stream_counts


@pytest.fixture
def office() -> Office:
    return Office()


class TestRecord:
    def test_it_says_how_each_partys_sound_came(self, office: Office) -> None:
        _, _, call, _ = established(office)
        (running,) = office.exchange.calls.values()
        caller, called = running.sound_ports
        office.counts = {
            caller: stream_counts(caller, received=1000),
            called: stream_counts(called, received=950, lost=50, jitter_ms=12.0),
        }
        call.bye()
        (facts,) = office.ended
        good, bad = facts.quality
        assert good is not None
        assert (good.loss_percent, good.jitter_ms) == (0.0, 0.0)
        assert good.mos > 4.3
        assert bad is not None
        assert (bad.loss_percent, bad.jitter_ms) == (5.0, 12.0)
        # G.107 with Bpl 25.1: R falls by 15.8
        assert bad.mos == pytest.approx(3.9, abs=0.1)

    def test_a_party_that_was_never_heard_has_none(self, office: Office) -> None:
        _, _, call, _ = established(office)
        call.bye()
        assert office.ended[0].quality == (None, None)

    def test_an_engine_that_is_gone_holds_it_up_no_longer_than_that(self, office: Office) -> None:
        office.engine_counts = False
        _, _, call, _ = established(office)
        call.bye()
        assert not office.ended
        assert office.exchange.saying_farewell
        office.advance(PATIENCE_S)
        assert office.ended[0].quality == (None, None)
        assert not office.exchange.saying_farewell

    def test_an_exchange_that_ends_waits_for_none(self, office: Office) -> None:
        office.engine_counts = False
        established(office)
        office.exchange.stop(office.now)
        office.exchange.settle()
        office.pump()
        assert len(office.ended) == 1

    def test_a_call_that_nobody_answered_is_recorded_at_once(self, office: Office) -> None:
        office.engine_counts = False
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 486, "Busy Here")
        assert len(office.ended) == 1

    def test_the_ports_next_call_has_its_own(self, office: Office) -> None:
        """A port may be another call's before its last counts have come."""
        office.engine_counts = False
        _, _, call, _ = established(office)
        (running,) = office.exchange.calls.values()
        ports = running.sound_ports
        call.bye()
        office.released(stream_counts(ports[0], received=100))
        office.released(stream_counts(ports[1], received=100, lost=1))
        office.released(stream_counts(ports[0], received=7, lost=7))
        caller, called = office.ended[0].quality
        assert caller is not None
        assert called is not None
        assert (caller.loss_percent, called.loss_percent) == (0.0, 0.99)


class TestRunning:
    PORTS = (20000, 20002)

    def test_what_we_play_ourselves_is_judged_by_what_was_played(self) -> None:
        voice = VoiceCounts(20002, -20, 40.0, 0.0, 3, 0, 2.5, 10.0, -1.0, -1.0, 3.91, 0.0, True, 4)
        counts = Counts([stream_counts(20002, received=100, jitter_ms=3.0)], [voice])
        caller, called = qualities(("PCMU", "G722"), self.PORTS, counts)
        assert caller is None
        assert called == Quality(
            2.5,
            3.0,
            3.91,
            worst_loss_percent=10.0,
            delay_ms=40.0,
            level_dbov=-20,
            speaks=True,
            late_ticks=4,
        )

    def test_what_the_phone_says_of_what_it_hears(self) -> None:
        voice = VoiceCounts(20002, -20, 40.0, 0.0, 3, 0, 2.5, 10.0, 31.0, 0.4, 3.91, 4.2)
        counts = Counts([stream_counts(20002, received=100, jitter_ms=3.0)], [voice])
        _, called = qualities(("PCMU", "G722"), self.PORTS, counts)
        assert called is not None
        assert (called.heard_mos, called.heard_loss_percent) == (4.2, 0.4)
        assert called.round_trip_ms == 31.0

    def test_what_is_passed_on_is_known_by_the_phones_reports(self) -> None:
        stream = msgspec.structs.replace(
            stream_counts(20002, received=990, lost=10, jitter_ms=3.0),
            reordered=5,
            worst_loss_percent=14.0,
            round_trip_ms=80.0,
            peer_loss_percent=1.5,
            peer_mos=4.1,
        )
        _, called = qualities(("PCMU", "PCMU"), self.PORTS, Counts([stream]))
        assert called is not None
        assert (called.worst_loss_percent, called.reordered) == (14.0, 5)
        assert (called.heard_loss_percent, called.heard_mos) == (1.5, 4.1)
        assert called.round_trip_ms == 80.0
        # How long the phones let it wait, and how loud it is, nobody here knows
        assert (called.delay_ms, called.level_dbov, called.speaks) == (None, None, None)

    def test_no_call_is_worse_than_its_worst_second(self) -> None:
        """One that has ended within its first second has no other."""
        counts = Counts([stream_counts(port, received=30, lost=10) for port in self.PORTS])
        caller, _ = qualities(("PCMU", "PCMU"), self.PORTS, counts)
        assert caller is not None
        assert (caller.loss_percent, caller.worst_loss_percent) == (25.0, 25.0)

    def test_a_long_way_scores_worse(self) -> None:
        """G.107: what is said comes late by half the round trip, beside all else."""
        near, far = (
            msgspec.structs.replace(stream_counts(port, received=1000), round_trip_ms=trip_ms)
            for port, trip_ms in zip(self.PORTS, (10.0, 600.0), strict=True)
        )
        caller, called = qualities(("PCMU", "PCMU"), self.PORTS, Counts([near, far]))
        assert caller is not None
        assert called is not None
        assert called.mos < caller.mos - 0.3

    def test_the_worst_second_may_have_been_before_we_played_it(self) -> None:
        stream = msgspec.structs.replace(
            stream_counts(20002, received=100), worst_loss_percent=50.0
        )
        voice = VoiceCounts(20002, -20, 40.0, 0.0, 3, 0, 2.5, 10.0, -1.0, -1.0, 3.91)
        _, called = qualities(("PCMU", "PCMU"), self.PORTS, Counts([stream], [voice]))
        assert called is not None
        assert called.worst_loss_percent == 50.0

    def test_a_codec_that_sounds_worse_scores_worse(self) -> None:
        counts = Counts([stream_counts(port, received=100) for port in self.PORTS])
        caller, called = qualities(("PCMA", "GSM"), self.PORTS, counts)
        assert caller is not None
        assert called is not None
        assert called.mos < caller.mos - 0.5

    def test_without_an_engine_nothing_is_said(self) -> None:
        assert qualities(("PCMA", "PCMA"), self.PORTS, None) == (None, None)
