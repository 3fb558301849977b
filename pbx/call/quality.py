"""How the sound of a call's parties came here: for its record, and for who looks at the running call."""

from dataclasses import dataclass

from pbx.media import codecs, emodel
from pbx.media.protocol import Counts, StreamCounts, VoiceCounts

_PACKET_MS = 20.0
_JITTER_BUFFERS = 2.0
"""How much of the jitter a phone's buffer waits for: what a stream that is passed on is judged by."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What has come of one party's sound, from its phone as far as here, and how it hears us.

    Args:
        loss_percent: packets that never came, or where we play them ourselves came too late.
        jitter_ms: RFC 3550 §6.4.1.
        mos: what that sounds like, by the E-model (ITU-T G.107): 1 to 4.5.
        heard_mos: what comes to its phone from here sounds like, by the phone's own VoIP metrics
            (RFC 3611); 0 where it doesn't tell.
        worst_loss_percent: `loss_percent` of the worst second.
        reordered: packets that came behind later ones.
        delay_ms: how long they wait in our jitter buffer before they are played; None where they are
            passed on as they come.
        round_trip_ms: between its phone and here, by RTCP; None unknown.
        heard_loss_percent: packets that its phone has missed lately of what it is sent, by its reports;
            None where it tells nothing.
        level_dbov: how loud it is now, 0 (loudest) to -127; None where it is passed on.
        speaks: whether there is voice in it now; None likewise.
        late_ticks: how often the engine was too late to play it, or to send it something, in time.
    """

    loss_percent: float
    jitter_ms: float
    mos: float
    heard_mos: float = 0.0
    worst_loss_percent: float = 0.0
    reordered: int = 0
    delay_ms: float | None = None
    round_trip_ms: float | None = None
    heard_loss_percent: float | None = None
    level_dbov: int | None = None
    speaks: bool | None = None
    late_ticks: int = 0

    @classmethod
    def of(cls, counts: StreamCounts, voice: VoiceCounts | None, codec: str) -> "Quality | None":
        """Return what the engine's counts say; None where nothing has come.

        Args:
            counts: of the stream that the party sends.
            voice: of the same, where it ends in the engine.
            codec: encoding name of what it sends.
        """
        if not counts.received:
            return None
        if voice is not None and voice.mos:
            return cls(
                voice.loss_percent,
                round(counts.jitter_ms, 1),
                voice.mos,
                voice.peer_mos,
                # It may have been passed on before; and the present second isn't over yet
                max(voice.worst_loss_percent, counts.worst_loss_percent, voice.loss_percent),
                counts.reordered,
                round(voice.delay_ms, 1),
                _known(voice.round_trip_ms),
                _known(voice.peer_loss_percent),
                voice.level_dbov,
                voice.speaks,
                voice.late_ticks,
            )
        loss = 100.0 * counts.lost / (counts.received + counts.lost)
        trip_ms = _known(counts.round_trip_ms)
        delay_ms = _PACKET_MS + _JITTER_BUFFERS * counts.jitter_ms + (trip_ms or 0.0) / 2
        ie, bpl = emodel.impairment(_number(codec))
        mos = emodel.score(emodel.rating(ie, bpl, loss, 1.0, delay_ms))
        return cls(
            round(loss, 2),
            round(counts.jitter_ms, 1),
            round(mos, 2),
            counts.peer_mos,
            max(counts.worst_loss_percent, round(loss, 2)),
            counts.reordered,
            round_trip_ms=trip_ms,
            heard_loss_percent=_known(counts.peer_loss_percent),
        )


def qualities(
    names: tuple[str, str], ports: tuple[int, int], counts: Counts | None
) -> tuple[Quality | None, Quality | None]:
    """Return how the sound of a running call's two parties comes.

    Args:
        names: of the codecs that they send.
        ports: of their streams; 0 for none.
        counts: the engine's; None where it doesn't tell.
    """
    if counts is None:
        return None, None
    streams = {one.port: one for one in counts.streams}
    voices = {one.port: one for one in counts.voices}

    def of(port: int, name: str) -> Quality | None:
        stream = streams.get(port)
        return Quality.of(stream, voices.get(port), name) if stream is not None else None

    return of(ports[0], names[0]), of(ports[1], names[1])


def _known(value: float) -> float | None:
    """The engine's -1 is a value that it doesn't know."""
    return value if value >= 0 else None


def _number(name: str) -> int:
    return next((one.number for one in codecs.CODECS if one.name == name), codecs.NONE)
