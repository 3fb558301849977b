"""Messages between exchange and media engine: what one side says the other one hears."""

import pytest

from pbx.media.protocol import (
    MAX_FRAME,
    VERSION,
    Address,
    Command,
    Counts,
    Digit,
    DigitEnded,
    Hello,
    Latched,
    Line,
    Play,
    Played,
    Prepare,
    Query,
    Ready,
    Record,
    Recorded,
    Refused,
    Release,
    Released,
    Report,
    SendDigits,
    Srtp,
    StopPlaying,
    StopRecording,
    Stream,
    StreamCounts,
    Timeout,
    Unframer,
    Voice,
    VoiceCounts,
    frame,
)

PEER = Address("2001:db8::7", 4000)
STREAM_COUNTS = StreamCounts(20000, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1.5, PEER, 12, 11)
VOICE_COUNTS = VoiceCounts(20000, -30, 40.0, 20.0, 1, 2, 0.5, 3.0, -1.0, -1.0, 4.2)

COMMANDS: list[Command] = [
    Hello(VERSION, 20.0),
    Prepare([20000, 20002]),
    Stream(20000, 0, "192.0.2.1", PEER, None, True, True, True, 60.0, 3),
    Stream(
        *(20000, 0, "192.0.2.1", PEER, None, True, True, True, 60.0, 3),
        srtp=Srtp("AEAD_AES_128_GCM", bytes(28), bytes(range(28))),
    ),
    Stream(20000, 0, "::1", None, None, True, True, True, 0, 0, False, 101, 48000, 48000),
    Release([20000]),
    Query(),
    Voice(20000, 1, 0, room=7, echo=True, gain_db=-3.5),
    Play(2**40, 20000, tone="600/120 0/30 900/120", level_db=-16.0),
    Play(1, path="/music/一.wav", times=0),
    StopPlaying(1),
    SendDigits(20000, "0#A"),
    Record(2, "/recordings/2.wav", 20000),
    StopRecording(2),
]

REPORTS: list[Report] = [
    Ready(VERSION, 1, [20000], [], True, ["PCMU", "telephone-event"], ["AEAD_AES_128_GCM"]),
    Ready(VERSION, 1, [20000], [20000], False, recordings=[7]),
    Counts([STREAM_COUNTS], [VOICE_COUNTS], 100, 1),
    Released(STREAM_COUNTS, VOICE_COUNTS),
    Released(STREAM_COUNTS),
    Latched(20000, PEER),
    Timeout(20000),
    Digit(20000, "#", inband=True),
    DigitEnded(20000, "#", 160),
    Line(20000, "busy", 1000),
    Played(2**40, "no such file"),
    Recorded(2, 1.25),
    Refused("no"),
]


class TestFrames:
    @pytest.mark.parametrize("step", [1, 7, 1 << 20])
    def test_all_messages_arrive_however_they_are_cut(self, step: int) -> None:
        for kind, messages in ((Command, COMMANDS), (Report, REPORTS)):
            data = b"".join(frame(message) for message in messages)
            unframer = Unframer(kind)
            heard: list[object] = []
            for start in range(0, len(data), step):
                heard += unframer.feed(data[start : start + step])
            assert heard == messages

    def test_the_other_directions_messages_are_none(self) -> None:
        with pytest.raises(ValueError):
            Unframer(Command).feed(frame(Played(1)))

    @pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\0\0\0\1\xff", b"\0\0\0\0"])
    def test_what_is_no_message(self, data: bytes) -> None:
        with pytest.raises(ValueError):
            Unframer(Report).feed(data)

    def test_a_message_that_is_too_long(self) -> None:
        with pytest.raises(ValueError, match="octets"):
            Unframer(Report).feed((MAX_FRAME + 1).to_bytes(4, "big"))
