"""Recordings of calls that a real engine passes on as they come."""

import struct
from pathlib import Path

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.engine.recordings import UNREAD
from pbx.media.protocol import Record, Recorded, Refused, StopVoice, Tap
from tests.media.engine_process import Link, Phone, until
from tests.media.kernels import twins_g711
from tests.media.kernels.sound import Sound, tone_level
from tests.media.test_voice_pairs import join, streams
from tests.media.test_voice_recordings import first_loud, median_level, stopped
from tests.media.voice_phone import G722, LEVEL, PCMA, PCMU, VoicePhone, converse, voice_phones
from tests.media.wav_files import read_wav

ALAW = (codecs.PCMA, PCMA)
ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)

QUIET = -60.0


def relay(a: VoicePhone, b: VoicePhone, *formats: tuple[int, int]) -> None:
    """Make two phones the parties of a relayed call that can be recorded.

    Args:
        a, b: the phones.
        formats: codecs and payload types; none for those that the phones speak now.
    """
    a.link.send(*streams(a, b))
    for one in (a, b):
        known = formats or ((one.codec, one.payload_type),)
        a.link.send(Tap(one.port, [(payload_type, codec) for codec, payload_type in known]))


def hears(phone: VoicePhone, packets: int) -> None:
    """Wait until so many packets have come to a phone."""

    def come() -> bool:
        phone.receive()
        return len(phone.got) == packets

    until(come)


def record(a: VoicePhone, b: VoicePhone, path: Path, *, stereo: bool = True) -> None:
    a.link.send(Record(1, str(path), a.port, b.port, stereo=stereo))
    a.link.settle()


class TestTracks:
    @pytest.mark.parametrize("codec", [ALAW, WIDE, OPUS, (codecs.GSM, 3)])
    @pytest.mark.parametrize("stereo", [False, True])
    def test_each_party(
        self, link: Link, tmp_path: Path, codec: tuple[int, int], *, stereo: bool
    ) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, codec, codec) as (a, b):
            relay(a, b)
            record(a, b, path, stereo=stereo)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            # They hear each other as without a recording.
            assert abs(b.hears(500) - LEVEL) < 2.5
            assert abs(a.hears(900) - LEVEL) < 2.5
            assert stopped(link).failure == ""
            tracks, rate = read_wav(path)
            assert rate == min(a.rate, 16000)
            for number, hertz in enumerate((500, 900)):
                own = tracks[number if stereo else 0]
                assert abs(median_level(own, hertz, rate) - LEVEL) < 2.5
                if stereo:
                    assert median_level(tracks[1 - number], hertz, rate) < LEVEL - 25

    def test_each_in_a_codec_of_its_own(self, link: Link, tmp_path: Path) -> None:
        """Offer and answer may leave several, and each party may speak another one."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, WIDE) as (a, b):
            relay(a, b, ULAW, ALAW, WIDE, OPUS)
            record(a, b, path)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            stopped(link)
            (left, right), rate = read_wav(path)
            assert abs(median_level(left, 500, rate) - LEVEL) < 1.5
            assert abs(median_level(right, 900, rate) - LEVEL) < 1.5

    def test_through_changes_of_codec(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b, ULAW, WIDE, OPUS)
            record(a, b, path)
            for codec, hertz in ((ULAW, 500), (WIDE, 700), (OPUS, 900), (ULAW, 1100)):
                a.use(*codec)
                converse([(a, a.tone(hertz, 1.0))])
            stopped(link)
            (left, _), rate = read_wav(path)
            tenth = rate // 10
            parts = [left[at : at + tenth] for at in range(0, len(left) - tenth, tenth)]
            for hertz in (500, 700, 900, 1100):
                loud = [one for one in parts if tone_level(one, hertz, rate) > LEVEL - 2]
                assert len(loud) >= 6, hertz

    def test_while_it_becomes_a_converted_call_and_back(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ALAW, ALAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            converse([(a, a.tone(500, 1.0)), (b, b.tone(500, 1.0))])
            b.use(*WIDE)
            join(a, b)
            converse([(a, a.tone(700, 1.0)), (b, b.tone(700, 1.0))])
            b.use(*ALAW)
            link.send(StopVoice(a.port), StopVoice(b.port))
            relay(a, b)
            converse([(a, a.tone(900, 1.0)), (b, b.tone(900, 1.0))])
            assert stopped(link).failure == ""
            tracks, rate = read_wav(path)
            for track in tracks:
                for hertz in (500, 700, 900):
                    tenth = rate // 10
                    parts = [track[at : at + tenth] for at in range(0, len(track) - tenth, tenth)]
                    loud = [one for one in parts if tone_level(one, hertz, rate) > LEVEL - 2]
                    # What comes too late for a jitter buffer on a busy machine isn't heard.
                    assert len(loud) >= 3, hertz


def _speech(seed: int, seconds: float) -> Sound:
    """Noise of G.711's own samples: each one is found again in a recording."""
    numbers = np.random.default_rng(seed).integers(0, 256, int(8000 * seconds), np.uint8)
    return np.array([twins_g711.decode_ulaw(int(one)) for one in numbers], np.int16)


def _packet(sequence: int, timestamp: int, sound: Sound, ssrc: int) -> bytes:
    octets = bytes(twins_g711.encode_ulaw(int(one)) for one in sound)
    return struct.pack("!BBHII", 0x80, PCMU, sequence, timestamp, ssrc) + octets


def _send(link: Link, phone: Phone, port: int, packets: list[bytes]) -> None:
    """Send all at once: however busy the machine, none is late by its timestamp."""
    for packet in packets:
        phone.rtp.sendto(packet, ("127.0.0.1", port))
    link.settle()


def _found(sound: Sound, track: Sound) -> bool:
    """Whether every sample of a sound stands in a track, in its order, without a gap."""
    return sound.astype("<i2").tobytes() in track.astype("<i2").tobytes()


class TestEveryPacketSize:
    @pytest.mark.parametrize("left_ms", [10, 20, 30, 40, 60])
    @pytest.mark.parametrize("right_ms", [10, 20, 30, 40, 60])
    def test_sample_by_sample(
        self, link: Link, tmp_path: Path, left_ms: int, right_ms: int
    ) -> None:
        """T3.1 to T3.6: all 25 pairs, nothing lost, nothing added."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            spoken = []
            for number, (one, ms) in enumerate(((a, left_ms), (b, right_ms))):
                sound, size = _speech(number, 0.48), 8 * ms
                packets = [
                    _packet(at // size, at, sound[at : at + size], 7 + number)
                    for at in range(0, len(sound), size)
                ]
                _send(link, one.phone, one.port, packets)
                spoken.append(sound)
            stopped(link)
            tracks, _ = read_wav(path)
            assert [_found(sound, track) for sound, track in zip(spoken, tracks, strict=True)] == [
                True,
                True,
            ]

    def test_changing_in_mid_call(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sound, at, packets = _speech(1, 0.48), 0, []
            for number, ms in enumerate((20, 10, 60, 30, 40, 20, 60, 10, 30, 40, 60, 60, 40)):
                packets.append(_packet(number, at, sound[at : at + 8 * ms], 7))
                at += 8 * ms
            _send(link, a.phone, a.port, packets)
            stopped(link)
            assert _found(sound[:at], read_wav(path)[0][0])


class TestOneMoment:
    @pytest.mark.parametrize("late_s", [0.0, 0.25])
    @pytest.mark.parametrize("packets_ms", [(20, 20), (10, 60), (60, 40)])
    @pytest.mark.parametrize("codec", [ULAW, OPUS])
    def test_what_both_say_at_once_stands_side_by_side(
        self,
        link: Link,
        tmp_path: Path,
        codec: tuple[int, int],
        packets_ms: tuple[int, int],
        late_s: float,
    ) -> None:
        """Whatever their packets are, and if one's first packet is late; all 25 pairs: `kernels.test_taping`."""
        path = tmp_path / "a.wav"
        with voice_phones(link, codec, codec) as (a, b):
            relay(a, b)
            record(a, b, path)
            spoken = []
            for one, ptime_ms in zip((a, b), packets_ms, strict=True):
                one.ptime_ms = ptime_ms
                # A packet is sent where it begins here, not when it has been said
                before = one.quiet(0.5 + ptime_ms / 1000)
                spoken.append((one, np.concatenate([before, one.tone(500, 0.3), one.quiet(0.3)])))
            b.held_up = {0: late_s}
            converse(spoken)
            stopped(link)
            tracks, rate = read_wav(path)
            left, right = (first_loud(track) for track in tracks)
            # They wait for STEP_S, and for a busy machine
            assert abs(left - right) <= 0.03 * rate


class TestANewExchange:
    def test_nothing_is_lost_when_it_comes(self, link: Link, tmp_path: Path) -> None:
        """It greets, and sets all anew that it finds in its journal."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sound = _speech(1, 0.48)
            packets = [
                _packet(at // 160, at, sound[at : at + 160], 7) for at in range(0, len(sound), 160)
            ]
            _send(link, a.phone, a.port, packets[:12])
            link.greet()
            assert link.ready.recordings == [1]
            relay(a, b)
            _send(link, a.phone, a.port, packets[12:])
            assert stopped(link).failure == ""
            assert _found(sound, read_wav(path)[0][0])


class TestWhatComesWrongly:
    def test_order_repetition_and_strangers_change_nothing(
        self, link: Link, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sound = _speech(1, 0.2)
            packets = [
                _packet(at // 160, at, sound[at : at + 160], 7) for at in range(0, len(sound), 160)
            ]
            packets[3], packets[4] = packets[4], packets[3]
            _send(link, a.phone, a.port, [one for one in packets for _ in range(2)])
            # Another source than the one that the stream has latched, and no RTP at all.
            _send(link, b.phone, a.port, [_packet(5, 5 * 160, _speech(2, 0.02), 9)])
            _send(link, a.phone, a.port, [b"", b"x", b"\x80", b"\xff" * 300, packets[0][:12]])
            stopped(link)
            assert _found(sound, read_wav(path)[0][0])

    @pytest.mark.parametrize("codec", [WIDE, OPUS])
    def test_order_and_repetition_where_the_codec_has_a_memory(
        self, link: Link, tmp_path: Path, codec: tuple[int, int]
    ) -> None:
        """Copies change nothing. What comes out of its turn is silence; what comes in its turn, whole."""
        tracks: list[Sound] = []
        for order in (
            [0, 1, 2, 4, 5, 7, 8, 9],
            [0, 0, 1, 0, 2, 1, 4, 3, 4, 3, 5, 7, 6, 5, 8, 8, 9],
        ):
            path = tmp_path / f"{len(tracks)}.wav"
            with voice_phones(link, codec, codec) as (a, b):
                relay(a, b)
                record(a, b, path)
                units = codecs.codec(a.codec).rtp_clock // 50
                frames = a.coder.frames(a.tone(700, 0.2), a.rate // 50)
                packets = [
                    struct.pack("!BBHII", 0x80, codec[1], number, number * units, 7) + payload
                    for number, payload in enumerate(frames)
                ]
                _send(link, a.phone, a.port, [packets[number] for number in order])
                stopped(link)
                tracks.append(np.trim_zeros(read_wav(path)[0][0]))
        assert len(tracks[0]) > 0.17 * 16000
        assert np.array_equal(tracks[0], tracks[1])

    @pytest.mark.parametrize("codec", [(), (ULAW, OPUS)])
    def test_one_packet_of_another_source_changes_nothing(
        self, link: Link, tmp_path: Path, codec: tuple[tuple[int, int], ...]
    ) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b, *codec)
            record(a, b, path)
            sound = _speech(1, 0.2)
            packets = [
                _packet(at // 160, at, sound[at : at + 160], 7) for at in range(0, len(sound), 160)
            ]
            packets.insert(6, _packet(40000, 10**6, _speech(2, 0.02), 9))
            packets.insert(3, _packet(300, 10**6, _speech(3, 0.02), 11))
            for _, payload_type in codec[1:]:
                # A change of codec would be a seam, too
                stray = struct.pack("!BBHII", 0x80, payload_type, 700, 5, 13) + b"\xf8\xff\xfe"
                packets.insert(8, stray)
            _send(link, a.phone, a.port, packets)
            stopped(link)
            (left, _), rate = read_wav(path)
            assert rate > 8000 or _found(sound, left)
            # Nothing stands beside it
            assert len(np.trim_zeros(left)) == pytest.approx(len(sound) * rate // 8000, abs=40)

    @pytest.mark.parametrize(("first", "ssrc"), [(5000, 9), (100, 9), (100, 7), (40000, 7)])
    def test_whoever_begins_anew_is_recorded_from_the_second_packet_on(
        self, link: Link, tmp_path: Path, first: int, ssrc: int
    ) -> None:
        """A transfer, or a phone that takes other numbers: the first one might be a stray."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sounds = [_speech(number, 0.2) for number in range(2)]
            for sound, sequence, source in ((sounds[0], 2000, 7), (sounds[1], first, ssrc)):
                packets = [
                    _packet(
                        sequence + at // 160, 1000 * sequence + at, sound[at : at + 160], source
                    )
                    for at in range(0, len(sound), 160)
                ]
                _send(link, a.phone, a.port, packets)
                # What comes at once has been said before, for as long as it is
                converse([(b, b.quiet(0.6))])
            stopped(link)
            left = read_wav(path)[0][0]
            assert _found(sounds[0], left)
            assert _found(sounds[1][160:], left)

    def test_a_lost_packet_leaves_silence_of_its_length(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sound = _speech(1, 0.2)
            packets = [
                _packet(at // 160, at, sound[at : at + 160], 7) for at in range(0, len(sound), 160)
            ]
            del packets[4]
            _send(link, a.phone, a.port, packets)
            stopped(link)
            sound[640:800] = 0
            assert _found(sound, read_wav(path)[0][0])

    def test_payload_types_that_nobody_has_explained(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ALAW, ALAW) as (a, b):
            relay(a, b, ULAW)
            record(a, b, path)
            converse([(a, a.tone(500, 1.0))])
            b.receive()
            assert abs(b.hears(500, 0.5) - LEVEL) < 1.5
            stopped(link)
            assert not read_wav(path)[0][0].any()


class TestEnds:
    def test_with_the_call(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, ALAW, ALAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            converse([(a, a.tone(500, 1.0))])
            link.release(b.port)
            ended = link.expect(Recorded)
            assert ended.failure == ""
            (left, _), rate = read_wav(path)
            assert len(left) == pytest.approx(ended.seconds * rate, abs=rate // 1000)
            assert abs(median_level(left[rate // 4 :], 500, rate) - LEVEL) < 1
            link.send(b.stream())

    def test_what_waits_is_recorded(self, link: Link, tmp_path: Path) -> None:
        """Packets that have been passed on when the call ends, and not been decoded yet."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            relay(a, b)
            record(a, b, path)
            sounds = [_speech(number, 0.1) for number in range(2)]
            for one, other, sound in ((a, b, sounds[0]), (b, a, sounds[1])):
                for at in range(0, len(sound), 160):
                    packet = _packet(at // 160, at, sound[at : at + 160], 7)
                    one.phone.rtp.sendto(packet, ("127.0.0.1", one.port))
                hears(other, 5)
            link.release(a.port, b.port)
            assert link.expect(Recorded).failure == ""
            tracks, _ = read_wav(path)
            assert all(_found(sound, track) for sound, track in zip(sounds, tracks, strict=True))
            link.send(*streams(a, b))

    def test_many_changes_leave_nothing_behind(self, link: Link) -> None:
        with voice_phones(link, ALAW, ALAW) as (a, b):
            for _ in range(200):
                relay(a, b, OPUS, (codecs.GSM, 3), WIDE, ALAW)
                link.release(a.port, b.port)
            assert link.said(Refused) == []
            link.send(*streams(a, b))


class TestRefusals:
    @pytest.mark.parametrize(
        "formats",
        [
            [],
            [(number, codecs.PCMU) for number in range(5)],
            [(128, codecs.PCMU)],
            [(0, 99)],
            [(0, codecs.NONE)],
            [(101, codecs.TELEPHONE_EVENT)],
        ],
    )
    def test_no_tap(self, link: Link, formats: list[tuple[int, int]]) -> None:
        with voice_phones(link, ALAW) as (a,):
            link.send(Tap(a.port, formats))
            (refused,) = link.said(Refused)
            assert str(a.port) in refused.reason

    def test_no_stream(self, link: Link) -> None:
        port = link.ready.ports[5]
        link.send(Tap(port, [(0, codecs.PCMU)]))
        (refused,) = link.said(Refused)
        assert str(port) in refused.reason

    def test_a_stream_without_tap(self, link: Link, tmp_path: Path) -> None:
        with voice_phones(link, ALAW, ALAW) as (a, b):
            link.send(*streams(a, b), Tap(a.port, [(PCMA, codecs.PCMA)]))
            link.send(Record(1, str(tmp_path / "a.wav"), a.port, b.port))
            assert link.expect(Recorded) == Recorded(1, 0.0, UNREAD)
            assert link.said(Refused) == []
            assert not (tmp_path / "a.wav").exists()
