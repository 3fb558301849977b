"""Recordings of a real engine, as any other program reads the files."""

import errno
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import (
    Record,
    Recorded,
    Refused,
    StopRecording,
    StopVoice,
)
from tests.interop.waiting import until
from tests.media.engine_process import Link, running, stumbling
from tests.media.kernels.coders import decoder, encoder
from tests.media.kernels.sound import Sound, level, sine, tone_level
from tests.media.voice_phone import G722, L16, LEVEL, PCMA, PCMU, PEAK, converse, voice_phones
from tests.media.wav_files import read_wav

PLAIN = (codecs.PCMU, PCMU)
WIDE = (codecs.L16_16000, L16)


def stopped(link: Link, recording: int = 1) -> Recorded:
    link.send(StopRecording(recording))
    ended = link.expect(Recorded)
    assert ended.recording == recording
    return ended


def first_loud(sound: Sound) -> int:
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > PEAK / 4)
    assert len(loud), "nothing but silence"
    return int(loud[0])


def lasts(sound: Sound) -> int:
    """How many samples there are from the first loud one to the last."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > PEAK / 4)
    assert len(loud), "nothing but silence"
    return int(loud[-1] - loud[0])


def median_level(sound: Sound, hertz: float, rate: int) -> float:
    """The level of a frequency in the middle of a sound, by tenths of a second."""
    tenth = rate // 10
    parts = [sound[at : at + tenth] for at in range(0, len(sound) - tenth, tenth)]
    return float(np.median([tone_level(part, hertz, rate) for part in parts]))


def refusal(link: Link, command: Record) -> str:
    link.send(command)
    return link.expect(Refused).reason


class TestTracks:
    def test_one_voice_in_one_track(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "one.wav"
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            link.send(Record(1, str(path), phones[0].port))
            converse([(phones[0], phones[0].tone(500))])
            ended = stopped(link)
            assert ended.failure == ""
            (track,), rate = read_wav(path)
            assert rate == 8000
            assert ended.seconds == pytest.approx(len(track) / rate, abs=0.001)
            assert 1.3 < ended.seconds < 3.0
            assert abs(median_level(track, 500, rate) - LEVEL) < 1

    @pytest.mark.parametrize("ends", [True, False])
    def test_what_waits_is_recorded(self, link: Link, tmp_path: Path, *, ends: bool) -> None:
        """A voice ends, or changes its codec, while packets wait: as the network was stuck once."""
        path = tmp_path / "one.wav"
        with voice_phones(link, PLAIN) as (phone,):
            phone.be()
            link.send(Record(1, str(path), phone.port))
            phone.held_up = {20: 0.15}
            converse([(phone, phone.tone(500, 1.0))])
            if ends:
                link.send(StopVoice(phone.port))
                link.settle()
            else:
                phone.be(codec=codecs.PCMA, payload_type=PCMA)
            assert stopped(link).failure == ""
            (track,), _ = read_wav(path)
            # The last packet or two may still be in the socket
            assert lasts(track) >= 0.95 * 8000

    def test_what_waits_of_both_is_recorded_when_the_call_ends(
        self, link: Link, tmp_path: Path
    ) -> None:
        path = tmp_path / "two.wav"
        with voice_phones(link, PLAIN, PLAIN) as phones:
            for one in phones:
                one.be()
                one.held_up = {20: 0.15}
            ports = [one.port for one in phones]
            link.send(Record(1, str(path), *ports, stereo=True))
            converse([(one, one.tone(500, 1.0)) for one in phones])
            link.release(*ports)
            assert link.expect(Recorded).failure == ""
            for track in read_wav(path)[0]:
                assert lasts(track) >= 0.97 * 8000
            link.send(*(one.stream() for one in phones))

    @pytest.mark.parametrize("stereo", [False, True])
    @pytest.mark.parametrize("packets", [(10, 60), (20, 30), (40, 20)])
    def test_two_voices_of_any_codecs_and_packets(
        self, link: Link, tmp_path: Path, packets: tuple[int, int], *, stereo: bool
    ) -> None:
        path = tmp_path / "two.wav"
        with voice_phones(link, PLAIN, (codecs.G722, G722)) as phones:
            for one, ptime_ms in zip(phones, packets, strict=True):
                one.ptime_ms = ptime_ms
                one.be(ptime_ms=ptime_ms)
            link.send(Record(1, str(path), phones[0].port, phones[1].port, stereo=stereo))
            converse([(phones[0], phones[0].tone(500)), (phones[1], phones[1].tone(900))])
            assert stopped(link).failure == ""
            tracks, rate = read_wav(path)
            assert rate == 16000
            assert len(tracks) == (2 if stereo else 1)
            for number, hertz in enumerate((500, 900)):
                own = tracks[number if stereo else 0]
                assert abs(median_level(own, hertz, rate) - LEVEL) < 1.5
                if stereo:
                    assert median_level(tracks[1 - number], hertz, rate) < -60

    def test_both_at_the_time_when_they_spoke(self, link: Link, tmp_path: Path) -> None:
        """A word that both say at once, and one that only one says, half a second later."""
        path = tmp_path / "two.wav"
        with voice_phones(link, PLAIN, WIDE) as phones:
            for one in phones:
                one.be()
            link.send(Record(1, str(path), phones[0].port, phones[1].port, stereo=True))
            first, second = phones
            word = 0.3
            converse(
                [
                    (
                        first,
                        np.concatenate([first.quiet(0.5), first.tone(500, word), first.quiet(1.2)]),
                    ),
                    (
                        second,
                        np.concatenate(
                            [
                                second.quiet(0.5),
                                second.tone(500, word),
                                second.quiet(0.5),
                                second.tone(500, word),
                                second.quiet(0.4),
                            ]
                        ),
                    ),
                ]
            )
            stopped(link)
            (left, right), rate = read_wav(path)
            assert abs(first_loud(left) - first_loud(right)) < 0.04 * rate
            later = first_loud(right) + int(0.6 * rate)
            assert first_loud(right[later:]) + int(0.6 * rate) == pytest.approx(
                0.8 * rate, abs=0.02 * rate
            )
            assert level(left[later + int(0.2 * rate) :][: int(0.3 * rate)]) < -70

    def test_a_wide_voice_is_kept_wide_and_no_wider(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "opus.wav"
        with voice_phones(link, (codecs.L16_48000, 97)) as phones:
            phones[0].ptime_ms = 10
            phones[0].be()
            link.send(Record(1, str(path), phones[0].port))
            both = (phones[0].tone(6000) // 2) + (phones[0].tone(11000) // 2)
            converse([(phones[0], both.astype(np.int16))])
            stopped(link)
            (track,), rate = read_wav(path)
            assert rate == 16000
            assert abs(median_level(track, 6000, rate) - LEVEL + 6) < 1
            # 11 kHz would come back as 5.
            assert median_level(track, 5000, rate) < -60

    def test_through_a_change_of_codec(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "changed.wav"
        with voice_phones(link, WIDE) as phones:
            phones[0].be()
            link.send(Record(1, str(path), phones[0].port))
            converse([(phones[0], phones[0].tone(500, 1.0))])
            # It goes on with a codec whose clock is another.
            phones[0].use(codecs.OPUS, 98)
            phones[0].be()
            converse([(phones[0], phones[0].tone(900, 1.6))])
            ended = stopped(link)
            (track,), rate = read_wav(path)
            assert ended.seconds < 4.0
            heard = {
                hertz: sum(
                    tone_level(track[at : at + 1600], hertz, rate) > LEVEL - 2
                    for at in range(0, len(track) - 1600, 1600)
                )
                for hertz in (500, 900)
            }
            assert heard[500] >= 6
            assert heard[900] >= 10

    def test_all_that_is_said_while_the_engine_stands_still(
        self, link: Link, tmp_path: Path
    ) -> None:
        path = tmp_path / "one.wav"
        with voice_phones(link, PLAIN) as (phone,):
            phone.be()
            link.send(Record(1, str(path), phone.port))
            link.settle()
            noise = np.random.default_rng(4).normal(0, 3000, 16000).astype(np.int16)
            with stumbling(link, *(0.08, 0.13, 0.18) * 3):
                converse([(phone, noise)])
            converse([(phone, phone.quiet(0.4))])
            assert stopped(link).failure == ""
            (track,), _ = read_wav(path)
            with encoder(codecs.PCMU) as coder, decoder(codecs.PCMU) as other:
                said = np.concatenate([other.decode(one) for one in coder.frames(noise, 160)])
            begin = int(np.flatnonzero(track)[0]) - int(np.flatnonzero(said)[0])
            assert np.array_equal(track[begin : begin + len(said)], said)


class TestEnds:
    def test_another_one_after_it(self, link: Link, tmp_path: Path) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            for number in (1, 2):
                path = tmp_path / f"{number}.wav"
                link.send(Record(number, str(path), phones[0].port))
                converse([(phones[0], phones[0].tone(400 + 100 * number, 0.8))])
                stopped(link, number)
                (track,), rate = read_wav(path)
                assert abs(median_level(track, 400 + 100 * number, rate) - LEVEL) < 1

    def test_with_one_of_its_voices(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, PLAIN, PLAIN) as phones:
            for one in phones:
                one.be()
            link.send(Record(1, str(path), phones[0].port, phones[1].port))
            converse([(one, one.tone(500, 0.8)) for one in phones])
            link.release(phones[1].port)
            ended = link.expect(Recorded)
            assert ended.failure == ""
            assert ended.seconds > 0.4
            (track,), rate = read_wav(path)
            assert len(track) == pytest.approx(ended.seconds * rate, abs=rate // 1000)
            # The other voice is free to be recorded again.
            link.send(Record(2, str(tmp_path / "b.wav"), phones[0].port))
            converse([(phones[0], phones[0].tone(500, 0.5))])
            assert stopped(link, 2).seconds > 0.2
            link.send(phones[1].stream())

    def test_of_silence(self, link: Link, tmp_path: Path) -> None:
        """A peer that sends nothing is recorded too: what it didn't say has a length."""
        with voice_phones(link, PLAIN, PLAIN) as phones:
            for one in phones:
                one.be()
            link.send(Record(1, str(tmp_path / "a.wav"), phones[0].port))
            converse([(phones[1], phones[1].quiet(1.3))])
            ended = stopped(link)
            assert 0.5 <= ended.seconds < 2.5
            (track,), _ = read_wav(tmp_path / "a.wav")
            assert not track.any()

    def test_stopped_twice_or_never_begun(self, link: Link, tmp_path: Path) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            link.send(Record(1, str(tmp_path / "a.wav"), phones[0].port))
            link.send(StopRecording(1), StopRecording(1), StopRecording(77))
            assert link.expect(Recorded).recording == 1
            assert link.said(Recorded) == []

    def test_a_new_exchange_is_told_of_them(self, link: Link, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            link.send(Record(1, str(path), phones[0].port))
            converse([(phones[0], phones[0].tone(500, 1.0))])
            link.greet()
            assert link.ready.recordings == [1]
            converse([(phones[0], phones[0].tone(500, 1.0))])
            ended = stopped(link)
            assert ended.failure == ""
            (track,), rate = read_wav(path)
            loud = first_loud(track)
            # All but what still waits in the jitter buffer.
            assert len(track) - loud >= 1.8 * rate
            assert abs(median_level(track[loud:], 500, rate) - LEVEL) < 1
            link.greet()
            assert link.ready.recordings == []


class TestWhatCannotBeWritten:
    def test_refused(self, link: Link, tmp_path: Path) -> None:
        path = str(tmp_path / "b.wav")
        with voice_phones(link, PLAIN, PLAIN, PLAIN) as phones:
            one, two, three = (phone.port for phone in phones)
            phones[0].be()
            phones[1].be()
            link.send(Record(1, str(tmp_path / "a.wav"), one))
            for voices in ((one, 0), (two, one)):
                link.send(Record(2, path, *voices))
                assert link.expect(Recorded) == Recorded(2, 0.0, "it is being recorded already")
            assert "there already" in refusal(link, Record(1, path, two))
            assert "no name" in refusal(link, Record(0, path, two))
            for unread in (three, link.ready.ports[9]):
                link.send(Record(2, path, two, unread))
                assert link.expect(Recorded) == Recorded(
                    2, 0.0, "the media engine can't read its sound"
                )
            assert "nobody" in refusal(link, Record(2, path, 0))
            assert "twice" in refusal(link, Record(2, path, two, two))
            assert "not one of ours" in refusal(link, Record(2, path, 1))
            stopped(link)
            assert not Path(path).exists()

    def test_a_file_that_cannot_be_made(self, link: Link, tmp_path: Path) -> None:
        (tmp_path / "there.wav").write_bytes(b"someone's")
        names = {1: "there.wav", 2: "there.wav/a.wav", 3: "", 4: "a\0.wav", 5: "x" * 300}
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            failures = {}
            for number, name in names.items():
                link.send(Record(number, f"{tmp_path}/{name}", phones[0].port))
                ended = link.expect(Recorded)
                assert (ended.recording, ended.seconds) == (number, 0.0)
                failures[number] = ended.failure
            assert all(failures.values())
            # In the system's words alone, which clients know in other languages
            whys = (errno.EEXIST, errno.EEXIST, errno.ENAMETOOLONG)
            assert [failures[number] for number in (1, 2, 5)] == [os.strerror(one) for one in whys]
            assert (tmp_path / "there.wav").read_bytes() == b"someone's"
            # None of them has left anything behind.
            # The folder of a new day is made.
            path = tmp_path / "record" / "20261123" / "good.wav"
            link.send(Record(6, str(path), phones[0].port))
            assert stopped(link, 6).failure == ""
            assert path.parent.stat().st_mode & 0o777 == 0o700


def talk(link: Link, path: Path, seconds: float) -> None:
    """Record a phone that says a tone for so long; the recording goes on."""
    with voice_phones(link, PLAIN) as phones:
        phones[0].be()
        link.send(Record(1, str(path), phones[0].port, stereo=True))
        converse([(phones[0], sine(500, int(8000 * seconds), 8000, peak=PEAK))])
        raise StopTalkingError


FAILING_DISK = """
import os
left = {taken}
def sync(fd):
    global left
    left -= 1
    if left < 0:
        raise OSError(5, "Input/output error")
os.fdatasync = sync
"""
"""A disk that takes what is written so often, as the engine's Python finds it at its start."""


class StopTalkingError(Exception):
    """The phone hangs up without a word to the engine."""


class TestWhatGoesWrong:
    def test_a_full_disk_ends_it_and_the_file_can_be_played(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with running() as engine:
            link = engine.connect()
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.prlimit(link.ready.pid, resource.RLIMIT_FSIZE, (40_000, limit[1]))
            with pytest.raises(StopTalkingError):
                talk(link, path, 2.6)
            ended = link.expect(Recorded)
            assert ended.failure == os.strerror(27)
            tracks, rate = read_wav(path)
            assert len(tracks) == 2
            assert len(tracks[0]) == pytest.approx(ended.seconds * rate, abs=8)
            # 8 kHz, two tracks of 16 bits, behind the header.
            assert ended.seconds == pytest.approx((40_000 - 44) / 32_000, abs=0.001)
            # The engine and its voices go on.
            assert link.counts()

    @pytest.mark.parametrize("taken", [0, 1])
    def test_a_disk_that_does_not_take_what_is_written(self, tmp_path: Path, taken: int) -> None:
        """It says so while the recording goes on, or at the end of it only."""
        (tmp_path / "sitecustomize.py").write_text(FAILING_DISK.format(taken=taken))
        with running(PYTHONPATH=str(tmp_path)) as engine:
            link = engine.connect()
            with voice_phones(link, PLAIN) as phones:
                phones[0].be()
                link.send(Record(1, str(tmp_path / "a.wav"), phones[0].port))
                converse([(phones[0], phones[0].tone(500))])
                ended = stopped(link) if taken else link.expect(Recorded)
                assert ended.failure == "Input/output error"
                assert link.counts()

    def test_killed_in_the_middle(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        with running() as engine:
            link = engine.connect()
            with pytest.raises(StopTalkingError):
                talk(link, path, 2.5)
            os.kill(link.ready.pid, signal.SIGKILL)
            (left, right), rate = read_wav(path)
            assert path.stat().st_size == 44 + 4 * len(left)
            # Half a second waits for late packets and for its block to be whole.
            assert len(left) >= 1.5 * rate
            assert abs(median_level(left[first_loud(left) :], 500, rate) - LEVEL) < 1
            assert not right.any()


class TestDisk:
    def test_only_what_is_kept_is_brought_there_while_it_grows(
        self, link: Link, tmp_path: Path
    ) -> None:
        """The thread that does so has a descriptor of its own."""

        def descriptors(path: Path) -> int:
            found = 0
            for one in Path(f"/proc/{link.peer_pid}/fd").iterdir():
                with suppress(OSError):  # closed meanwhile
                    found += one.readlink() == path
            return found

        passing, kept = tmp_path / "passing.wav", tmp_path / "kept.wav"
        with voice_phones(link, PLAIN, PLAIN) as phones:
            for phone in phones:
                phone.be()
            link.send(Record(1, str(passing), phones[0].port, kept=False))
            link.send(Record(2, str(kept), phones[1].port))
            # One file is made after the other
            until("the later one is brought there", lambda: descriptors(kept) == 2)
            assert descriptors(passing) == 1
            for recording in (1, 2):
                assert stopped(link, recording).failure == ""
            until("all are closed", lambda: descriptors(kept) + descriptors(passing) == 0)
