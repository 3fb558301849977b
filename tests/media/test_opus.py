"""What a peer says of its Opus (RFC 7587 §6.1)."""

import pytest

from pbx.media.opus import OpusParameters, opus_parameters
from pbx.sdp.description import Line, Media


def said(*lines: str) -> OpusParameters:
    """What a peer's fmtp lines mean for its payload type 96."""
    lines_of = tuple(Line("a", f"fmtp:{one}") for one in lines)
    return opus_parameters(Media("audio", 4000, 1, "RTP/AVP", ("96", "9"), lines_of), 96)


def test_nothing() -> None:
    assert said() == OpusParameters(48000, 48000, False)
    assert said().rate == 48000


def test_all() -> None:
    found = said(
        "96 maxplaybackrate=16000; sprop-maxcapturerate=8000;USEINBANDFEC=1; stereo=0;"
        "maxaveragebitrate=20000; usedtx=1"
    )
    assert found == OpusParameters(16000, 8000, True, 20000, True)
    assert found.rate == 16000


def test_of_another_payload_type() -> None:
    assert said("97 useinbandfec=1", "9 useinbandfec=1") == OpusParameters()


def test_several_lines() -> None:
    assert said("96 useinbandfec=1", "96 maxplaybackrate=8000") == OpusParameters(8000, fec=True)


@pytest.mark.parametrize(
    "text", ["", "=", ";;", "useinbandfec", "useinbandfec=0", "useinbandfec=2", "useinbandfec=yes"]
)
def test_no_copies_without_a_clear_word(text: str) -> None:
    assert not said(f"96 {text}").fec


@pytest.mark.parametrize("text", ["", "usedtx", "usedtx=0", "usedtx=2", "usedtx=yes"])
def test_silence_is_sent_without_a_clear_word(text: str) -> None:
    assert not said(f"96 {text}").dtx


@pytest.mark.parametrize("text", ["", "0", "-8000", "8 kHz", "9" * 5000, "\u0669"])
def test_rates_that_are_none(text: str) -> None:
    assert said(f"96 maxplaybackrate={text}").plays_hz == 48000


@pytest.mark.parametrize("text", ["48001", "1000001", "999999999"])
def test_rates_that_opus_has_not(text: str) -> None:
    found = said(f"96 maxplaybackrate={text};sprop-maxcapturerate={text}")
    assert (found.plays_hz, found.captures_hz) == (48000, 48000)


@pytest.mark.parametrize(
    ("text", "bitrate"),
    [
        ("6000", 6000),
        ("510000", 510000),
        ("5999", 0),
        ("510001", 0),
        ("", 0),
        ("20 k", 0),
        ("-20000", 0),
        ("9" * 5000, 0),
    ],
)
def test_a_bitrate_out_of_range_is_ignored(text: str, bitrate: int) -> None:
    assert said(f"96 maxaveragebitrate={text}").bitrate == bitrate


@pytest.mark.parametrize(
    ("plays", "captures", "rate"),
    [
        (8000, 8000, 8000),
        (8000, 16000, 16000),
        (12000, 8000, 16000),
        (24000, 8000, 48000),
        (1, 1, 8000),
        (96000, 8000, 48000),
    ],
)
def test_nothing_is_left_out(plays: int, captures: int, rate: int) -> None:
    assert OpusParameters(plays, captures).rate == rate
