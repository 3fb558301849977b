"""What a peer says of its Opus in ``a=fmtp`` (RFC 7587 §6.1)."""

import re
from dataclasses import dataclass

from pbx.media.codecs import OPUS_BITRATES, OPUS_RATES
from pbx.sdp.description import Media

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class OpusParameters:
    """The parameters of one payload type.

    Args:
        plays_hz: ``maxplaybackrate``, samples per second that it can play; more is work for nothing.
        captures_hz: ``sprop-maxcapturerate``, samples per second of what it sends.
        fec: ``useinbandfec``, it makes use of copies of lost packets in the next ones.
        dtx: ``usedtx``, it would rather not be sent what is silence.
        bitrate: ``maxaveragebitrate``, bits per second that it takes on average; 0: any.
    """

    plays_hz: int = OPUS_RATES[-1]
    captures_hz: int = OPUS_RATES[-1]
    fec: bool = False
    bitrate: int = 0
    dtx: bool = False

    @property
    def rate(self) -> int:
        """The least of `OPUS_RATES` that leaves nothing out of what it plays and sends."""
        most = max(self.plays_hz, self.captures_hz)
        return next((rate for rate in OPUS_RATES if rate >= most), OPUS_RATES[-1])


def opus_parameters(media: Media, payload_type: int) -> OpusParameters:
    """Return the parameters of a payload type; what isn't said, or can't be read, is the default.

    Args:
        media: what the peer has said.
        payload_type: of Opus, as the peer numbers it.
    """
    said: dict[str, str] = {}
    for line in media.attributes("fmtp"):
        number, _, parameters = line.partition(" ")
        if number == str(payload_type):
            pairs = (one.partition("=") for one in parameters.split(";"))
            said.update((name.strip().lower(), value.strip()) for name, _, value in pairs)
    return OpusParameters(
        plays_hz=_hertz(said.get("maxplaybackrate", "")),
        captures_hz=_hertz(said.get("sprop-maxcapturerate", "")),
        fec=said.get("useinbandfec") == "1",
        bitrate=_bitrate(said.get("maxaveragebitrate", "")),
        dtx=said.get("usedtx") == "1",
    )


def _hertz(text: str) -> int:
    # Opus has nothing below 8000 and nothing above 48000, and 0 is no rate.
    most = OPUS_RATES[-1]
    return min(int(text), most) if _NUMBER.fullmatch(text) and int(text) else most


def _bitrate(text: str) -> int:
    # RFC 7587 §6.1: "values outside the range 6000 to 510000 SHOULD be ignored"
    least, most = OPUS_BITRATES
    return int(text) if _NUMBER.fullmatch(text) and least <= int(text) <= most else 0
