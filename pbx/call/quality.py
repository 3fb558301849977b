"""How the sound of a call's parties came here: for its record, and for who looks at the running call."""

from dataclasses import dataclass

from pbx.media import codecs, emodel
from pbx.media.protocol import Counts, StreamCounts, VoiceCounts

_PACKET_MS = 20.0
_JITTER_BUFFERS = 2.0
"""How much of the jitter a phone's buffer waits for: what a stream that is passed on is judged by."""


@dataclass(frozen=True, slots=True)
class Quality:
    """What has come of one party's sound, from its phone as far as here.

    Args:
        loss_percent: packets that never came, or where we play them ourselves came too late.
        jitter_ms: RFC 3550 §6.4.1.
        mos: what that sounds like, by the E-model (ITU-T G.107): 1 to 4.5.
        heard_mos: what comes to its phone from here sounds like, by the phone's own VoIP metrics
            (RFC 3611); 0 where it doesn't tell.
    """

    loss_percent: float
    jitter_ms: float
    mos: float
    heard_mos: float = 0.0

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
            jitter_ms = round(counts.jitter_ms, 1)
            return cls(voice.loss_percent, jitter_ms, voice.mos, voice.peer_mos)
        loss = 100.0 * counts.lost / (counts.received + counts.lost)
        delay_ms = _PACKET_MS + _JITTER_BUFFERS * counts.jitter_ms
        ie, bpl = emodel.impairment(_number(codec))
        mos = emodel.score(emodel.rating(ie, bpl, loss, 1.0, delay_ms))
        return cls(round(loss, 2), round(counts.jitter_ms, 1), round(mos, 2))


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


def _number(name: str) -> int:
    return next((one.number for one in codecs.CODECS if one.name == name), codecs.NONE)
