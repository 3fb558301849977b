"""The codecs that the exchange knows: pure data, for the session side and for the media engine.

The numbers are words in the engine's tables and in messages to it; they are never reused.
"""

from dataclasses import dataclass

NONE = 0
PCMU = 1
PCMA = 2
L16_8000 = 3
L16_16000 = 4
L16_48000 = 5
G722 = 6
GSM = 7
G726_32 = 8
AAL2_G726_32 = 9
OPUS = 10
G729 = 11
CN = 12
TELEPHONE_EVENT = 13


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload format.

    Args:
        number: one of this module's constants.
        name: the encoding name of `a=rtpmap` (RFC 4855: case doesn't matter).
        rtp_clock: RTP timestamp units per second, as `a=rtpmap` says it.
        pcm_rate: samples per second that it is decoded to; 0: it carries no speech.
        ptime: milliseconds in a packet, unless the peers agree on something else.
        octets: payload octets per 20 ms; 0 where that varies.
        payload_type: its static RTP payload type (RFC 3551); None: by `a=rtpmap` only.
        channels: what `a=rtpmap` has to say behind the clock; sound is mono all the same.
        fmtp: what we say of ourselves in `a=fmtp`; empty: nothing.
    """

    number: int
    name: str
    rtp_clock: int
    pcm_rate: int
    ptime: int
    octets: int
    payload_type: int | None = None
    channels: int = 1
    fmtp: str = ""


CODECS = (
    Codec(PCMU, "PCMU", 8000, 8000, 20, 160, 0),
    Codec(PCMA, "PCMA", 8000, 8000, 20, 160, 8),
    Codec(L16_8000, "L16", 8000, 8000, 20, 320),
    Codec(L16_16000, "L16", 16000, 16000, 20, 640),
    # 20 ms of it would not fit into one Ethernet frame.
    Codec(L16_48000, "L16", 48000, 48000, 10, 1920),
    # RFC 3551 §4.5.2: an error of RFC 1890 that stays; 16 000 samples, 8 000 timestamp units.
    Codec(G722, "G722", 8000, 16000, 20, 160, 9),
    Codec(GSM, "GSM", 8000, 8000, 20, 33, 3),
    Codec(G726_32, "G726-32", 8000, 8000, 20, 80),
    Codec(AAL2_G726_32, "AAL2-G726-32", 8000, 8000, 20, 80),
    # RFC 7587 §4.1, §7: always 48000/2, whatever is inside.
    Codec(OPUS, "opus", 48000, 48000, 20, 0, None, 2, "useinbandfec=1;usedtx=1"),
    Codec(G729, "G729", 8000, 8000, 20, 20, 18),
    Codec(CN, "CN", 8000, 0, 20, 0, 13),
    Codec(TELEPHONE_EVENT, "telephone-event", 8000, 0, 20, 4, None, 1, "0-15"),
)
"""Every codec, by `number` - 1."""

OPUS_RATES = (8000, 16000, 48000)
"""Samples per second that Opus is coded at here."""

OPUS_BITRATES = (6000, 510000)
"""The least and the most bits per second of Opus (RFC 7587 §3.1)."""


def codec(number: int) -> Codec:
    """Return the codec of this number.

    Raises:
        KeyError: there is none.
    """
    if not 1 <= number <= len(CODECS):
        raise KeyError(number)
    return CODECS[number - 1]


def named(name: str, rtp_clock: int) -> Codec | None:
    """Return the codec that `a=rtpmap:… name/rtp_clock` means; None for one that we don't know."""
    for one in CODECS:
        if one.name.lower() == name.lower() and one.rtp_clock == rtp_clock:
            return one
    return None


def static(payload_type: int) -> Codec | None:
    """Return the codec of a payload type that needs no `a=rtpmap`; None for any other type."""
    for one in CODECS:
        if one.payload_type == payload_type:
            return one
    return None
