"""The lines of issue C's table 'Reach', from what the runs have found."""

from tests.bench.media.cases import Found
from tests.bench.media.programs import (
    ASTERISK,
    ASTERISK_MUSIC,
    C_LOOP,
    OURS,
    OURS_MUSIC,
    RTPENGINE,
)
from tests.bench.media.table import Line

_COST = "us_per_packet"
_US = "µs CPU a packet"


def lines(found: Found) -> list[Line]:
    """Return the lines of all cases that there have been."""
    every = (*_relay(found), *_conference(found), *_sound(found), *_engine(found))
    return [line for case, line in every if case in found.cases]


def _beside(
    found: Found, case: str, what: str, bound: float | None, other: str = ASTERISK, ours: str = OURS
) -> tuple[str, Line]:
    """Compare the CPU of a packet."""
    costs = found.median(case, ours, _COST), found.median(case, other, _COST)
    return case, Line(what, _US, costs[0], bound, other, costs[1])


def _alone(
    found: Found, case: str, figure: str, what: str, unit: str, bound: float | None
) -> tuple[str, Line]:
    """Compare a figure with its bound."""
    return case, Line(what, unit, found.median(case, OURS, figure), bound)


def _relay(found: Found) -> list[tuple[str, Line]]:
    case = "relay 100"
    delay = [found.median(case, one, "latency_us", "p50") for one in (OURS, C_LOOP)]
    ours, theirs = (None if one is None else one / 1000 for one in delay)
    return [
        _beside(found, case, "relay, 100 calls", 0.25),
        _beside(found, case, "relay, 100 calls", 0.55, RTPENGINE),
        _beside(found, case, "relay, 100 calls", 1.25, C_LOOP),
        _beside(found, "relay 20", "relay, 20 calls", 0.30),
        _beside(found, "relay 20", "relay, 20 calls", None, RTPENGINE),
        _beside(found, "relay 20", "relay, 20 calls", None, C_LOOP),
        _beside(found, "relay 5", "relay, 5 calls", 0.40),
        _beside(found, "relay 5", "relay, 5 calls", None, RTPENGINE),
        _beside(found, "relay 5", "relay, 5 calls", None, C_LOOP),
        (case, Line("relay, 100 calls, delay p50", "ms", ours, 0.1, C_LOOP, theirs, added=True)),
    ]


def _conference(found: Found) -> list[tuple[str, Line]]:
    return [
        _beside(found, "conference 50", "conference seat, 50 parties", 0.13),
        _beside(found, "conference 10", "conference seat, 10 parties", 0.20),
        _alone(found, "onset", "mean_ms", "conference, onset, mean", "ms", 30),
    ]


def _sound(found: Found) -> list[tuple[str, Line]]:
    case = "recording 50"
    costs = found.median(case, OURS, "on_us"), found.median(case, OURS, "off_us")
    others = [found.median(one, ASTERISK, _COST) for one in ("recording 20", "relay 20")]
    return [
        (case, Line("recording, 50 calls", _US, costs[0], 1.08, "ours unrecorded", costs[1])),
        (
            "recording 20",
            Line("Asterisk's, 20 calls", _US, others[0], None, "unrecorded", others[1]),
        ),
        _beside(found, "G.722", "G.711 to G.722 and back, 30 calls", 0.30),
        _beside(found, "G.722", "G.711 to G.722 and back, 30 calls", None, RTPENGINE),
        _beside(found, "Opus", "G.711 to Opus and back, 30 calls", 0.75),
        _beside(found, "Opus", "G.711 to Opus and back, 30 calls", None, RTPENGINE),
        _beside(found, "music 50", "music, 50 listeners", 0.20, ASTERISK_MUSIC, OURS_MUSIC),
    ]


def _engine(found: Found) -> list[tuple[str, Line]]:
    return [
        _alone(found, "day", "idle_wakeups_s", "wake-ups of the engine, idle", "1/s", 5),
        _alone(found, "conference 50", "wakeups_s", "the same, conference of 50", "1/s", 60),
        _alone(found, "day", "pss_mib", "memory of the engine, 100 calls, PSS", "MiB", 160),
        _alone(found, "day", "growth_kib", "its growth from call to call", "KiB", 64),
        _alone(found, "lasting", "unsent", "1000 streams, packets not sent on", "1", 0),
        _alone(found, "lasting", "dropped", "the same, packets lost in our sockets", "1", 0),
        _alone(found, "lasting", "lost", "the same, missed by the generator", "1", None),
        _alone(found, "lasting", "late_percent", "the same, ticks over 5 ms late", "%", 0.1),
        _alone(found, "lasting", "growth_mib", "the same, growth of memory", "MiB", 1),
        _alone(found, "lasting", "descriptors", "the same, more descriptors than before", "1", 0),
        _alone(found, "calls", "descriptors", f"{_calls(found)} calls, descriptors left", "1", 0),
        _alone(found, "calls", "rows", "the same, ports, voices, players ... left", "1", 0),
        _alone(found, "calls", "growth_mib", "the same, growth of memory", "MiB", 3),
    ]


def _calls(found: Found) -> str:
    """Return how many calls have been made one after the other."""
    return f"{found.median('calls', OURS, 'calls') or 0:.0f}"
