"""What a call's parties are told where the media engine converts (RFC 3264)."""

import pytest

from pbx.errors import PeerError
from pbx.media import codecs
from pbx.media.conversion import Interpreter, passed_on, unclear, voices, widened
from pbx.media.endpoint import formats_of
from pbx.media.protocol import Voice
from pbx.media.session import LegMedia, PortPool
from pbx.sdp.description import Direction, parse_sdp
from pbx.sdp.payload import DynamicTypes

HOST = "192.0.2.1"
CODED = ("PCMU", "PCMA", "G722", "GSM", "G726-32", "opus", "CN", "telephone-event")
EVENTS = ("a=rtpmap:101 telephone-event/8000",)


def sdp(*lines: str) -> bytes:
    head = ("v=0", "o=- 1 1 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0")
    return "".join(f"{line}\r\n" for line in (*head, *lines)).encode()


def audio(formats: str, *lines: str, protocol: str = "RTP/AVP") -> bytes:
    return sdp(f"m=audio 4000 {protocol} {formats}", *lines)


def names(text: bytes) -> list[str]:
    """The codecs of the first media, in its order."""
    return [one.codec.name for one in formats_of(parse_sdp(text).media[0])]


def offered(text: bytes, coded: tuple[str, ...] = CODED) -> bytes:
    return widened(text, coded, DynamicTypes())


def told(offer: bytes, answer: bytes, coded: tuple[str, ...] = CODED) -> bytes:
    return passed_on(answer, offer, coded)


class TestOffer:
    def test_the_own_codecs_come_first(self) -> None:
        assert names(offered(audio("0 8"))) == ["PCMU", "PCMA", "G726-32", "GSM", "opus", "G722"]

    def test_of_a_wideband_phone_the_better_sound_comes_first(self) -> None:
        assert names(offered(audio("9")))[:3] == ["G722", "opus", "PCMA"]

    def test_rare_ones_come_last(self) -> None:
        """Of whom some are narrow: as the caller's sound is, these come first."""
        coded = (*CODED, "L16", "AAL2-G726-32")
        usual = names(offered(audio("0 8")))
        found = parse_sdp(offered(audio("0 8"), coded)).media[0]
        assert names(offered(audio("0 8"), coded))[: len(usual)] == usual
        assert [f"{one.encoding}/{one.clock_hz}" for one in found.rtpmaps][-4:] == [
            *("L16/8000", "AAL2-G726-32/8000", "L16/16000", "L16/48000")
        ]

    def test_rare_ones_do_not_make_a_datagram_too_large(self) -> None:
        coded, much = (*CODED, "L16"), tuple(f"a=x-{number}:{'y' * 40}" for number in range(10))
        assert "L16" in names(offered(audio("8"), coded))
        assert offered(audio("8", *much), coded) == offered(audio("8", *much))

    def test_a_session_keeps_its_rare_codec(self) -> None:
        """However much more the next offer says: the other party may have nothing else."""
        coded, types = (*CODED, "L16"), DynamicTypes()
        first = widened(audio("8"), coded, types)
        much = tuple(f"a=x-{number}:{'y' * 40}" for number in range(10))
        again = widened(audio("8", *much, "a=sendonly"), coded, types)
        assert parse_sdp(again).media[0].formats == parse_sdp(first).media[0].formats

    def test_each_number_means_one_thing(self) -> None:
        own = audio("96 97", "a=rtpmap:96 speex/8000", "a=rtpmap:97 opus/48000/2")
        (media,) = parse_sdp(offered(own)).media
        assert len(set(media.formats)) == len(media.formats)
        numbers = [one.format for one in media.rtpmaps]
        assert len(set(numbers)) == len(numbers)
        assert media.attribute("rtpmap") == "96 speex/8000"

    def test_a_number_keeps_its_meaning_in_the_session(self) -> None:
        """RFC 3264 §8.3.2."""
        types = DynamicTypes()
        first = widened(audio("8"), CODED, types)
        again = widened(audio("8 99", "a=rtpmap:99 speex/16000"), CODED, types)
        (one,), (other,) = parse_sdp(first).media, parse_sdp(again).media
        assert {(m.format, m.encoding) for m in one.rtpmaps if int(m.format) > 95} <= {
            (m.format, m.encoding) for m in other.rtpmaps
        }

    @pytest.mark.parametrize(
        "untouched",
        [
            audio("97", "a=rtpmap:97 iLBC/8000"),
            audio("101", *EVENTS),
            audio("8", protocol="RTP/SAVP"),
            audio("8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"),
            sdp("a=fingerprint:sha-256 00", "m=audio 4000 RTP/AVP 8"),
            sdp("m=audio 0 RTP/AVP 8"),
            sdp("m=video 4000 RTP/AVP 96", "a=rtpmap:96 H264/90000"),
        ],
    )
    def test_what_the_engine_could_not_read_is_not_widened(self, untouched: bytes) -> None:
        assert offered(untouched) == untouched

    def test_without_codecs_nothing_is_widened(self) -> None:
        assert offered(audio("8"), ()) == audio("8")

    def test_a_fault_is_told(self) -> None:
        with pytest.raises(PeerError):
            offered(b"hello")


class TestAnswer:
    def test_a_common_codec_is_passed_on_untouched(self) -> None:
        answer = audio("0 101", *EVENTS, "a=fmtp:101 0-16")
        assert told(audio("8 0 101", *EVENTS), answer) == answer

    def test_what_was_not_offered_is_left_out(self) -> None:
        answer = audio("9 0 98", "a=rtpmap:98 opus/48000/2", "a=fmtp:98 usedtx=1", "a=ptime:20")
        assert told(audio("8 0"), answer) == audio("0", "a=ptime:20")

    def test_another_codec_is_answered_by_us(self) -> None:
        answer = told(audio("18 8 0 101", *EVENTS), audio("9", "a=sendrecv"))
        (media,) = parse_sdp(answer).media
        assert names(answer) == ["PCMA", "telephone-event"]
        assert media.direction is Direction.SENDRECV

    @pytest.mark.parametrize(
        ("offer", "answer", "ours"),
        [
            ("sendrecv", "sendonly", "sendonly"),
            ("sendonly", "recvonly", "recvonly"),
            ("sendrecv", "inactive", "inactive"),
        ],
    )
    def test_who_answers_decides_on_the_direction(self, offer: str, answer: str, ours: str) -> None:
        text = told(audio("8", f"a={offer}"), audio("9", f"a={answer}"))
        (media,) = parse_sdp(text).media
        assert media.direction is not None
        assert media.direction.value == ours

    def test_other_media_is_passed_on(self) -> None:
        video = ("m=video 4002 RTP/AVP 96", "a=rtpmap:96 H264/90000")
        answer = parse_sdp(told(audio("8", *video), audio("9", *video)))
        assert answer.media[1] == parse_sdp(audio("8", *video)).media[1]

    def test_codecs_that_we_do_not_know_are_none_of_ours(self) -> None:
        speex = ("a=rtpmap:97 speex/8000",)
        assert told(audio("8 97", *speex), audio("97", *speex)) == audio("97", *speex)

    def test_refused_media_stays_so(self) -> None:
        refused = sdp("m=audio 0 RTP/AVP 9")
        assert told(audio("8"), refused) == refused

    def test_without_codecs_nothing_is_changed(self) -> None:
        assert told(audio("8"), audio("9"), ()) == audio("9")


class Call:
    """Two parties that have agreed."""

    def __init__(self, offer: bytes, answer: bytes, coded: tuple[str, ...] = CODED) -> None:
        pool = PortPool(range(20000, 20020, 2))
        self.alice = LegMedia(pool, HOST, 1, timeout_s=0)
        self.bob = LegMedia(pool, HOST, 2, timeout_s=0)
        self._coded = coded
        self.alice.remote(offer)
        Interpreter(self.bob, lambda: coded).offer(offer)
        self.bob.remote(answer)
        Interpreter(self.alice, lambda: coded).answer(answer)

    @property
    def voices(self) -> tuple[Voice, ...]:
        return voices(self.alice, self.bob, self._coded)


class TestVoices:
    def test_a_common_codec_needs_none(self) -> None:
        assert Call(audio("8 0"), audio("0")).voices == ()

    def test_nor_do_several_in_another_order(self) -> None:
        assert Call(audio("8 0"), audio("0 8")).voices == ()

    def test_each_party_speaks_its_own_codec(self) -> None:
        call = Call(audio("8 101", *EVENTS), audio("9 101", *EVENTS, "a=ptime:30"))
        alice, bob = call.voices
        assert (alice.codec, alice.payload_type, alice.ptime_ms) == (codecs.PCMA, 8, 20)
        assert (bob.codec, bob.payload_type, bob.ptime_ms) == (codecs.G722, 9, 30)
        assert (alice.partner, bob.partner) == (bob.port, alice.port)
        assert (alice.event_type, bob.event_type) == (101, 101)
        assert not alice.inband
        assert not bob.inband

    def test_tones_are_looked_for_where_the_other_party_has_events(self) -> None:
        alice, bob = Call(audio("8 101", *EVENTS), audio("9")).voices
        assert bob.inband
        assert not alice.inband

    def test_nobody_looks_for_tones_that_both_hear(self) -> None:
        assert not any(one.inband for one in Call(audio("8"), audio("9")).voices)

    @pytest.mark.parametrize(
        ("other", "said", "rate"),
        [
            ("8", "", 8000),
            ("9", "", 16000),
            ("9", "maxplaybackrate=8000;sprop-maxcapturerate=8000", 8000),
            # What it sends may still be wide.
            ("9", "maxplaybackrate=8000", 16000),
        ],
    )
    def test_opus_is_coded_at_what_both_can_hear(self, other: str, said: str, rate: int) -> None:
        opus = ("a=rtpmap:96 opus/48000/2", f"a=fmtp:96 {said}")
        for one in (Call(audio("96", *opus), audio(other)), Call(audio(other), audio("96", *opus))):
            rates = {voice.codec: voice.rate for voice in one.voices}
            assert rates.pop(codecs.OPUS) == rate
            assert list(rates.values()) == [0]

    @pytest.mark.parametrize(
        ("rtpmap", "codec"),
        [
            ("L16/8000", codecs.L16_8000),
            ("L16/16000", codecs.L16_16000),
            ("L16/48000", codecs.L16_48000),
            ("AAL2-G726-32/8000", codecs.AAL2_G726_32),
        ],
    )
    def test_a_callee_that_has_a_rare_one_only(self, rtpmap: str, codec: int) -> None:
        coded = (*CODED, "L16", "AAL2-G726-32")
        (media,) = parse_sdp(offered(audio("8"), coded)).media
        number = next(
            one.format for one in media.rtpmaps if f"{one.encoding}/{one.clock_hz}" == rtpmap
        )
        call = Call(audio("8"), audio(number, f"a=rtpmap:{number} {rtpmap}"), coded)
        assert [voice.codec for voice in call.voices] == [codecs.PCMA, codec]

    def test_opus_is_sent_as_its_peer_wants_it(self) -> None:
        said = "useinbandfec=1; maxplaybackrate=16000; maxaveragebitrate=12000; usedtx=1"
        opus = ("a=rtpmap:96 opus/48000/2", f"a=fmtp:96 {said}")
        alice, bob = Call(audio("96", *opus), audio("8")).voices
        assert (alice.plays_hz, alice.fec, alice.bitrate, alice.dtx) == (16000, True, 12000, True)
        assert (bob.plays_hz, bob.fec, bob.bitrate, bob.dtx) == (0, False, 0, False)

    def test_keys_that_only_one_of_them_offers(self) -> None:
        """RFC 8643: who answers without keys has the call plain."""
        crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"
        call = Call(audio("8", crypto), audio("8"))
        assert len(voices(call.alice, call.bob, CODED, always=True)) == 2
        both = Call(audio("8", crypto), audio("8", crypto))
        assert voices(both.alice, both.bob, CODED, always=True) == ()

    def test_on_demand_also_where_nothing_is_converted(self) -> None:
        call = Call(audio("8"), audio("8"))
        assert len(voices(call.alice, call.bob, CODED, always=True)) == 2

    @pytest.mark.parametrize(
        "unread",
        [
            audio("18"),
            audio("8", protocol="RTP/SAVP"),
            audio("8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"),
            audio("8", "a=fingerprint:sha-256 00", protocol="UDP/TLS/RTP/SAVP"),
        ],
    )
    def test_never_of_what_the_engine_cannot_read(self, unread: bytes) -> None:
        call = Call(unread, unread)
        assert voices(call.alice, call.bob, CODED, always=True) == ()

    def test_nor_where_the_engine_has_lost_a_codec(self) -> None:
        call = Call(audio("8"), audio("9"))
        assert voices(call.alice, call.bob, ("PCMA", "PCMU")) == ()

    def test_a_party_that_prefers_what_the_other_does_not_know(self) -> None:
        call = Call(audio("8"), audio("9 8"))
        assert call.voices == ()
        assert unclear(call.bob, call.alice)
        assert not unclear(call.alice, call.bob)

    def test_a_party_that_only_knows_more(self) -> None:
        call = Call(audio("8"), audio("8 9"))
        assert not unclear(call.bob, call.alice)
