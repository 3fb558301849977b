"""Every codec by its sound, and by what it does with payloads that nobody should send."""

import ctypes

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media import codecs
from pbx.media.codecs import CODECS
from pbx.media.engine import coder, coder_row
from pbx.media.engine.coder import CoderError, OpusSettings
from pbx.media.engine.kernels import codec
from pbx.media.engine.voices import opus_settings
from pbx.media.protocol import Voice
from tests.media.kernels.coders import LIBRARIES, WORST, Decoder, Encoder, decoder, encoder
from tests.media.kernels.sound import Sound, rest_level, rms, sine, tone_level

SPEECH = [one.number for one in CODECS if one.pcm_rate]
SPEAKING = [
    pytest.param(number, id=f"{codecs.codec(number).name}-{codecs.codec(number).pcm_rate}")
    for number in SPEECH
]


def through(number: int, pcm: Sound, samples: int) -> Sound:
    with encoder(number) as sender, decoder(number) as receiver:
        return np.concatenate([receiver.decode(data) for data in sender.frames(pcm, samples)])


def _babble(rate: int) -> Sound:
    """Tones of 20 ms, by chance."""
    tones = [sine(hertz, rate // 50, rate, peak=9000) for hertz in (450, 950)]
    return np.concatenate([tones[one] for one in np.random.default_rng(3).integers(0, 2, 150)])


def _has_copy(data: bytes) -> bool:
    return bool(codec.opus_has_copy(np.frombuffer(data, np.uint8), len(data)))


class TestSound:
    @pytest.mark.parametrize("number", SPEAKING)
    @pytest.mark.parametrize("hertz", [404, 1004, 2804])
    def test_a_tone_comes_out_as_it_went_in(self, number: int, hertz: int) -> None:
        rate = codecs.codec(number).pcm_rate
        frame = rate // 50
        tone = sine(hertz, 70 * frame, rate, peak=10000)
        heard = through(number, tone, frame)
        assert len(heard) == len(tone)
        settled = heard[20 * frame :]
        change = tone_level(settled, hertz, rate) - tone_level(tone, hertz, rate)
        rest = rest_level(settled, hertz, rate)
        print(f"{codecs.codec(number).name} {rate} {hertz} Hz: {change:+.2f} dB, rest {rest:.1f}")
        # Codecs that model a voice are not made for tones.
        if number == codecs.GSM and hertz > 2000:
            # It codes every third sample of what is left of the sound.
            assert abs(change) < 2.5
            assert rest < -9
            return
        assert abs(change) < (1.0 if number == codecs.G729 else 0.5)
        assert rest < WORST[number]

    @pytest.mark.parametrize("number", SPEAKING)
    def test_silence_stays_silence(self, number: int) -> None:
        rate = codecs.codec(number).pcm_rate
        heard = through(number, np.zeros(rate, np.int16), rate // 50)
        assert rms(heard[rate // 2 :]) < 20

    @pytest.mark.parametrize("number", SPEAKING)
    def test_a_table_s_octets(self, number: int) -> None:
        """20 ms fill as many octets as `pbx.media.codecs` says."""
        wanted = codecs.codec(number)
        tone = sine(1004, wanted.pcm_rate // 50, wanted.pcm_rate, peak=10000)
        with encoder(number) as sender:
            octets = len(sender.encode(tone))
        assert octets == wanted.octets or (wanted.octets == 0 and 0 < octets < 400)

    @pytest.mark.parametrize("number", SPEAKING)
    @pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
    def test_other_packet_lengths(self, number: int, milliseconds: int) -> None:
        rate = codecs.codec(number).pcm_rate
        if number == codecs.GSM and milliseconds == 10:
            milliseconds = 100
        if number == codecs.L16_48000 and milliseconds > 20:
            milliseconds = 20
        samples = rate * milliseconds // 1000
        tone = sine(1004, 12 * samples, rate, peak=10000)
        heard = through(number, tone, samples)
        assert len(heard) == len(tone)
        change = tone_level(heard[4 * samples :], 1004, rate) - tone_level(tone, 1004, rate)
        assert abs(change) < 1.5

    def test_l16_is_big_endian(self) -> None:
        pcm = np.array([0x0102, -2, -32768, 32767], np.int16)
        with encoder(codecs.L16_16000) as sender, decoder(codecs.L16_16000) as receiver:
            assert sender.encode(pcm) == bytes.fromhex("0102 fffe 8000 7fff")
            assert (receiver.decode(bytes.fromhex("0102 fffe 8000 7fff")) == pcm).all()


class TestG726:
    def test_packings_differ_by_half_octets(self) -> None:
        """RFC 3551 §4.5.4: the first sample is in the low bits; in AAL2 in the high ones."""
        tone = sine(1004, 800, 8000, peak=10000)
        with encoder(codecs.G726_32) as one, encoder(codecs.AAL2_G726_32) as other:
            low, high = one.encode(tone), other.encode(tone)
        assert low == bytes((octet << 4 | octet >> 4) & 0xFF for octet in high)
        assert low != high


class TestOpus:
    @pytest.mark.parametrize(
        ("rate", "milliseconds", "bitrate"),
        [
            (48000, 10, 24000),
            (48000, 20, 24000),
            (48000, 20, 32000),
            (48000, 60, 20000),
            (16000, 20, 32000),
            (8000, 10, 32000),
            (8000, 20, 32000),
        ],
    )
    def test_a_loss_is_made_good(self, rate: int, milliseconds: int, bitrate: int) -> None:
        """A tone begins in the packet that is lost: only its copy in the next one knows of it."""
        samples = rate // 1000 * milliseconds
        before = sine(300, 20 * samples, rate, peak=6000)
        behind = sine(700, 4 * samples, rate, peak=6000)
        heard = {}
        for fec in (True, False):
            opus = OpusSettings(bitrate=bitrate, fec=fec, loss_percent=25, rate=rate)
            with (
                encoder(codecs.OPUS, opus) as sender,
                decoder(codecs.OPUS, opus_rate=rate) as receiver,
            ):
                packets = sender.frames(np.concatenate([before, behind]), samples)
                for data in packets[:20]:
                    receiver.decode(data)
                recovered = receiver.recover(packets[21], samples)
                assert len(recovered) == samples
                heard[fec] = tone_level(recovered, 700, rate)
                assert len(receiver.decode(packets[21])) == samples
        assert heard[True] > heard[False] + 20

    def test_without_a_copy_it_is_concealed(self) -> None:
        tone = sine(300, 20 * 960, 48000, peak=6000)
        with encoder(codecs.OPUS, OpusSettings(fec=False)) as sender:
            packets = sender.frames(tone, 960)
        with decoder(codecs.OPUS) as receiver:
            for data in packets[:10]:
                receiver.decode(data)
            assert tone_level(receiver.recover(packets[11], 960), 300, 48000) > -25
            assert tone_level(receiver.conceal(960), 300, 48000) > -30

    @pytest.mark.parametrize(
        ("plays_hz", "corner"),
        [(8000, 4000), (12000, 6000), (16000, 8000), (22050, 8000), (24000, 12000)],
    )
    def test_no_bits_for_what_is_not_there(self, plays_hz: int, corner: int) -> None:
        noise = np.random.default_rng(3).normal(0, 2000, 50 * 960).astype(np.int16)
        opus = OpusSettings(plays_hz=plays_hz)
        with encoder(codecs.OPUS, opus) as sender, decoder(codecs.OPUS) as receiver:
            heard = np.concatenate([receiver.decode(data) for data in sender.frames(noise, 960)])
        power = np.abs(np.fft.rfft(heard.astype(np.float64))) ** 2
        hertz = np.fft.rfftfreq(len(heard), 1 / 48000)
        assert power[hertz > 1.1 * corner].sum() < 0.001 * power.sum()
        assert power[(hertz > 0.6 * corner) & (hertz < 0.9 * corner)].sum() > 0.05 * power.sum()

    @pytest.mark.parametrize("limit", [6000, 12345, 20000, 32000, 40000])
    @pytest.mark.parametrize("rate", codecs.OPUS_RATES)
    @pytest.mark.parametrize("milliseconds", [10, 20, 60])
    def test_no_more_bits_than_the_peer_takes(
        self, rate: int, limit: int, milliseconds: int
    ) -> None:
        """RFC 7587 §7.1: 'MUST NOT send with an average bitrate higher'; copies are in it."""
        noise = np.random.default_rng(3).integers(-9000, 9000, rate).astype(np.int16)
        sound = np.concatenate([_babble(rate), noise])
        voice = Voice(20000, codecs.OPUS, 98, rate=rate, fec=True, bitrate=limit)
        with encoder(codecs.OPUS, opus_settings(voice)) as sender:
            packets = sender.frames(sound, rate // 1000 * milliseconds)
        assert 8 * sum(map(len, packets)) <= limit * len(packets) * milliseconds / 1000

    @pytest.mark.parametrize("rate", codecs.OPUS_RATES)
    @pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
    def test_whether_there_are_copies(self, rate: int, milliseconds: int) -> None:
        speech = _babble(rate)
        share = {}
        for fec in (False, True):
            settings = OpusSettings(fec=fec, loss_percent=25, rate=rate)
            with encoder(codecs.OPUS, settings) as sender:
                packets = sender.frames(speech, rate // 1000 * milliseconds)
            share[fec] = np.mean([_has_copy(data) for data in packets])
        assert share[False] == 0
        # Three frames of 20 ms, of which more than two are not looked into.
        assert share[True] > 0.5 or (rate, milliseconds) == (48000, 60)

    def test_lengths_that_opus_has_not(self) -> None:
        with encoder(codecs.OPUS) as sender:
            assert sender.encode(np.zeros(160, np.int16)) == b""
        with decoder(codecs.OPUS) as receiver:
            for samples in (-120, 0, 100, 5880):
                assert len(receiver.recover(b"", samples)) == 0

    def test_settings_that_opus_does_not_take(self) -> None:
        row, memory = coder.make_row(), coder.make_memory()
        with pytest.raises(CoderError, match="does not take 11"):
            coder.open_encoder(LIBRARIES, codecs.OPUS, row, memory, OpusSettings(complexity=11))
        assert not row.any()


class TestStates:
    """What lets one encoding serve all who hear the same (`kernels.shared`)."""

    @pytest.mark.parametrize("number", [codecs.G726_32, codecs.AAL2_G726_32, codecs.OPUS])
    def test_a_copy_goes_on_where_the_first_one_is(self, number: int) -> None:
        rate = codecs.codec(number).pcm_rate
        frame = rate // 50
        noise = np.random.default_rng(7).integers(-9000, 9000, 60 * frame).astype(np.int16)
        with encoder(number) as one, encoder(number) as other:
            one.frames(noise[: 25 * frame], frame)
            other.frames(noise[25 * frame : 50 * frame], frame)
            octets = min(int(it.row[coder_row.SIZE]) for it in (one, other))
            assert octets > 0
            source, target = (int(it.row[coder_row.STATE]) for it in (one, other))
            behind = noise[50 * frame :]
            ctypes.memmove(target, source, octets)
            packets = one.frames(behind, frame)
            assert other.frames(behind, frame) == packets
        with encoder(number) as fresh:
            assert fresh.frames(behind, frame)[0] != packets[0]

    @pytest.mark.parametrize("number", [codecs.GSM, codecs.G729])
    def test_others_are_not_copied(self, number: int) -> None:
        if number not in LIBRARIES.codecs:
            pytest.skip("no plug-in")
        with encoder(number) as one:
            assert one.row[coder_row.SIZE] == 0


class TestG729:
    def test_loss_is_concealed(self) -> None:
        tone = sine(300, 8000, 8000, peak=8000)
        with encoder(codecs.G729) as sender, decoder(codecs.G729) as receiver:
            for data in sender.frames(tone, 160):
                receiver.decode(data)
            assert len(receiver.conceal(160)) == 160
            assert len(receiver.conceal(100)) == 0

    def test_silence_descriptor_behind_speech(self) -> None:
        with encoder(codecs.G729) as sender, decoder(codecs.G729) as receiver:
            speech = sender.encode(sine(300, 160, 8000, peak=8000))
            assert len(receiver.decode(speech + bytes(2))) == 240
            assert len(receiver.decode(speech + bytes(3))) == 0


class TestOnlyWhatTheCodecCan:
    @pytest.mark.parametrize("number", [codecs.PCMU, codecs.G722, codecs.GSM, codecs.G726_32])
    def test_no_concealment_of_its_own(self, number: int) -> None:
        with decoder(number) as receiver:
            assert len(receiver.conceal(160)) == 0
            assert len(receiver.recover(bytes(160), 160)) == 0

    @pytest.mark.parametrize("number", [codecs.NONE, codecs.CN, codecs.TELEPHONE_EVENT, 99])
    def test_what_carries_no_speech(self, number: int) -> None:
        row, memory = coder.make_row(), coder.make_memory()
        with pytest.raises(CoderError):
            coder.open_decoder(LIBRARIES, number, row, memory)
        row[coder_row.CODEC] = number
        assert len(Decoder(LIBRARIES, row, memory).decode(bytes(160))) == 0
        assert Encoder(LIBRARIES, row, memory).encode(np.zeros(160, np.int16)) == b""

    def test_gsm_frames_carry_a_mark(self) -> None:
        with encoder(codecs.GSM) as sender, decoder(codecs.GSM) as receiver:
            good = sender.encode(sine(300, 320, 8000, peak=8000))
            assert len(receiver.decode(good)) == 320
            assert len(receiver.decode(good[:40])) == 160
            assert len(receiver.decode(good[:33] + b"\x00" + good[34:])) == 0

    @pytest.mark.parametrize("number", SPEAKING)
    def test_closing_twice(self, number: int) -> None:
        row, memory = coder.make_row(), coder.make_memory()
        coder.open_decoder(LIBRARIES, number, row, memory)
        coder.close(LIBRARIES, row)
        coder.close(LIBRARIES, row)
        assert not row.any()


class TestHostile:
    @settings(deadline=None)
    @given(st.binary(max_size=40))
    def test_any_octets_may_have_a_copy(self, data: bytes) -> None:
        _has_copy(data)

    @pytest.mark.parametrize("number", SPEAKING)
    @settings(deadline=None, max_examples=60)
    @given(data=st.data())
    def test_payloads(self, number: int, data: st.DataObject) -> None:
        """Any octets, any length, any room: sound within bounds or none."""
        with decoder(number) as receiver:
            for _ in range(3):
                length = data.draw(st.integers(0, 2048))
                seed = data.draw(st.integers(0, 1 << 32))
                octets = np.random.default_rng(seed).integers(0, 256, length, np.uint8)
                first = data.draw(st.one_of(st.none(), st.integers(0, 255)))
                if first is not None and length:
                    octets[0] = first
                room = data.draw(st.sampled_from([0, 1, 159, 160, 320, 960, 5760]))
                claimed = data.draw(st.sampled_from([length, length + 1, -1, 1 << 40]))
                heard = receiver.decode(octets.tobytes(), claimed, room)
                assert claimed == length or len(heard) == 0
                receiver.recover(octets.tobytes(), data.draw(st.integers(-10, 6000)), room)

    @pytest.mark.parametrize("number", SPEAKING)
    @settings(deadline=None, max_examples=60)
    @given(data=st.data())
    def test_sounds(self, number: int, data: st.DataObject) -> None:
        with encoder(number) as sender:
            for _ in range(3):
                length = data.draw(st.sampled_from([0, 1, 159, 160, 161, 320, 960, 2880, 4000]))
                seed = data.draw(st.integers(0, 1 << 32))
                sound = np.random.default_rng(seed).integers(-32768, 32768, length, np.int16)
                room = data.draw(st.sampled_from([0, 1, 2, 3, 32, 33, 80, 160, 2048]))
                claimed = data.draw(st.sampled_from([length, length + 1, -1, 1 << 40]))
                octets = sender.encode(sound, claimed, room)
                assert claimed == length or octets == b""
