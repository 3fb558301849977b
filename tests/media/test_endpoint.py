"""What we offer and answer where a call's sound ends in the media engine (RFC 3264)."""

import pytest

from pbx.errors import PeerError
from pbx.media import codecs
from pbx.media.codecs import CODECS
from pbx.media.endpoint import (
    Agreed,
    agreed,
    answer,
    description,
    formats_of,
    narrowed,
    offer,
)
from pbx.media.session import Agreement, LegMedia, PortPool
from pbx.sdp.description import Direction, Media, parse_sdp
from pbx.sdp.payload import DynamicTypes

HOST = "192.0.2.1"
ALL = frozenset(one.name for one in CODECS)


def sdp(*lines: str) -> bytes:
    head = ("v=0", "o=- 1 1 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0")
    return "".join(f"{line}\r\n" for line in (*head, *lines)).encode()


def audio(formats: str, *lines: str) -> bytes:
    return sdp(f"m=audio 4000 RTP/AVP {formats}", *lines)


def answered(offered: bytes, coded: frozenset[str] = ALL) -> Media:
    """Our only media."""
    (media,) = parse_sdp(answer(offered, coded, HOST)).media
    return media


def meant(media: Media) -> list[str]:
    return [f"{one.payload_type} {one.codec.name}/{one.clock_hz}" for one in formats_of(media)]


def agreement(offered: bytes, coded: frozenset[str] = ALL) -> Agreed:
    """What comes of a peer's offer."""
    media = LegMedia(PortPool([20000]), HOST, 1, timeout_s=0)
    media.remote(offered)
    media.describe(answer(offered, coded, HOST))
    found = agreed(media.checkpoint())
    assert found is not None
    return found


class TestRfc3264Section6:
    """Answers."""

    def test_the_first_codec_that_we_have(self) -> None:
        coded = frozenset({"PCMA", "GSM"})
        assert meant(answered(audio("18 0 3 8"), coded)) == ["3 GSM/8000"]

    def test_events_and_noise_beside_it(self) -> None:
        media = answered(audio("0 13 101", "a=rtpmap:101 telephone-event/8000"))
        assert meant(media) == ["0 PCMU/8000", "13 CN/8000", "101 telephone-event/8000"]
        assert "101 0-15" in media.attributes("fmtp")

    def test_not_what_the_engine_does_not_understand(self) -> None:
        media = answered(
            audio("0 13 101", "a=rtpmap:101 telephone-event/8000"), frozenset({"PCMU"})
        )
        assert meant(media) == ["0 PCMU/8000"]

    def test_events_have_the_codecs_clock(self) -> None:
        lines = (
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:97 telephone-event/8000",
            "a=rtpmap:98 telephone-event/48000",
        )
        media = answered(audio("96 97 98 13", *lines))
        assert meant(media) == ["96 opus/48000", "98 telephone-event/48000"]
        assert "96 opus/48000/2" in media.attributes("rtpmap")
        assert "96 useinbandfec=1;usedtx=1" in media.attributes("fmtp")

    def test_or_the_usual_one(self) -> None:
        lines = ("a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/8000")
        assert meant(answered(audio("96 97", *lines)))[1:] == ["97 telephone-event/8000"]

    @pytest.mark.parametrize(
        ("rtpmap", "codec"),
        [
            ("L16/8000", codecs.L16_8000),
            ("l16/16000/1", codecs.L16_16000),
            ("L16/48000", codecs.L16_48000),
            ("AAL2-G726-32/8000", codecs.AAL2_G726_32),
            ("PCMA/8000", codecs.PCMA),
            ("OPUS/48000/2", codecs.OPUS),
        ],
    )
    def test_what_a_dynamic_type_means(self, rtpmap: str, codec: int) -> None:
        found = agreement(audio("99", f"a=rtpmap:99 {rtpmap}"))
        assert (found.codec, found.payload_type) == (codec, 99)

    @pytest.mark.parametrize("rtpmap", ["L16/16000/2", "opus/48000", "PCMA/16000", "x/8000"])
    def test_what_is_another_codec(self, rtpmap: str) -> None:
        with pytest.raises(PeerError) as caught:
            answer(audio("99", f"a=rtpmap:99 {rtpmap}"), ALL, HOST)
        assert caught.value.status == 488

    def test_other_media_are_refused(self) -> None:
        offered = sdp(
            "m=video 4000 RTP/AVP 34",
            "m=audio 0 RTP/AVP 0",
            "m=audio 4002 RTP/SAVP 0",
            "m=audio 4004 RTP/AVP 0",
            "m=audio 4006 RTP/AVP 0",
            "m=application 4008 TCP/BFCP *",
        )
        ports = [one.port for one in parse_sdp(answer(offered, ALL, HOST)).media]
        assert [port > 0 for port in ports] == [False, False, False, True, False, False]

    @pytest.mark.parametrize(
        "offered",
        [
            sdp(),
            sdp("m=video 4000 RTP/AVP 34"),
            sdp("m=audio 4000 RTP/SAVP 0"),
            sdp("m=audio 4000 RTP/AVP 13"),
            sdp("m=audio 4000 RTP/AVP 0x 200 -1 ٣"),
            sdp(f"m=audio 4000 RTP/AVP {'0' * 5000}"),
        ],
    )
    def test_nothing_for_us(self, offered: bytes) -> None:
        with pytest.raises(PeerError) as caught:
            answer(offered, ALL, HOST)
        assert caught.value.status == 488

    def test_what_has_ended_stays_ended(self) -> None:
        assert answered(sdp("m=audio 0 RTP/AVP 0")).port == 0

    @pytest.mark.parametrize(
        ("said", "ours"),
        [
            ("sendrecv", "sendrecv"),
            ("sendonly", "recvonly"),
            ("recvonly", "sendonly"),
            ("inactive", "inactive"),
        ],
    )
    def test_direction(self, said: str, ours: str) -> None:
        media = answered(audio("0", f"a={said}"))
        assert media.direction is Direction(ours)
        assert agreement(audio("0", f"a={said}")).direction is Direction(said)

    def test_hold_by_the_null_address(self) -> None:
        held = audio("0").replace(b"c=IN IP4 10.0.0.5", b"c=IN IP4 0.0.0.0")
        assert answered(held).direction is Direction.RECVONLY

    def test_rtcp_on_the_same_port(self) -> None:
        assert answered(audio("0", "a=rtcp-mux")).rtcp_mux

    def test_metrics_for_who_wants_them(self) -> None:
        """RFC 3611 §5.2."""
        wanted = "a=rtcp-xr:rcvr-rtt=all voip-metrics"
        assert answered(audio("0", wanted)).attributes("rtcp-xr") == ["voip-metrics"]
        assert agreement(audio("0", wanted)).metrics
        assert answered(audio("0", "a=rtcp-xr:pkt-loss-rle")).attributes("rtcp-xr") == []
        assert not agreement(audio("0")).metrics
        assert not answered(audio("0")).rtcp_mux


class TestRfc8866Section6_4:
    """How much goes into a packet."""

    @pytest.mark.parametrize(
        ("rtpmap", "lines", "ptime_ms"),
        [
            ("PCMU/8000", (), 20),
            ("PCMU/8000", ("a=ptime:10",), 10),
            ("PCMU/8000", ("a=ptime:30",), 30),
            ("PCMU/8000", ("a=ptime:50",), 40),
            ("PCMU/8000", ("a=ptime:200",), 60),
            ("PCMU/8000", ("a=ptime:5",), 10),
            ("PCMU/8000", ("a=ptime:40", "a=maxptime:20"), 20),
            ("PCMU/8000", ("a=ptime:x", "a=maxptime:x"), 20),
            ("PCMU/8000", (f"a=ptime:{'4' * 5000}", f"a=maxptime:{'1' * 5000}"), 20),
            # GSM's frames have 20 ms (RFC 3551 §4.5.8), Opus has none of 30 (RFC 6716 §2.1.4).
            ("GSM/8000", ("a=ptime:30",), 20),
            ("GSM/8000", ("a=ptime:10",), 20),
            ("opus/48000/2", ("a=ptime:30",), 20),
            ("opus/48000/2", ("a=ptime:60",), 60),
            # More would not fit into one Ethernet frame.
            ("L16/48000", (), 10),
            ("L16/48000", ("a=ptime:20",), 10),
            ("L16/16000", ("a=ptime:60",), 40),
        ],
    )
    def test_as_the_peer_wants_it(self, rtpmap: str, lines: tuple[str, ...], ptime_ms: int) -> None:
        offered = audio("96", f"a=rtpmap:96 {rtpmap}", *lines)
        assert answered(offered).ptime_ms == ptime_ms
        assert agreement(offered).ptime_ms == ptime_ms


class TestRfc3264Section5:
    """Offers."""

    def test_what_the_engine_has_in_our_order(self) -> None:
        (media,) = parse_sdp(offer(ALL, HOST)).media
        assert meant(media) == [
            *("96 opus/48000", "9 G722/8000", "8 PCMA/8000", "0 PCMU/8000"),
            *("97 G726-32/8000", "3 GSM/8000", "18 G729/8000"),
            *("13 CN/8000", "98 telephone-event/8000"),
            *("99 L16/16000", "100 L16/8000", "101 L16/48000", "102 AAL2-G726-32/8000"),
        ]
        assert media.direction is Direction.SENDRECV

    def test_less(self) -> None:
        (media,) = parse_sdp(offer(frozenset({"PCMU", "telephone-event"}), "2001:db8::1")).media
        assert meant(media) == ["0 PCMU/8000", "96 telephone-event/8000"]

    @pytest.mark.parametrize("coded", [(), ("telephone-event", "CN"), ("AMR",)])
    def test_nothing(self, coded: tuple[str, ...]) -> None:
        with pytest.raises(PeerError):
            offer(coded, HOST)

    def test_a_description_answers_or_offers(self) -> None:
        assert description(b"", ALL, HOST) == offer(ALL, HOST)
        assert description(audio("0"), ALL, HOST) == answer(audio("0"), ALL, HOST)

    @pytest.mark.parametrize(
        ("formats", "codec"), [("0 9 98", codecs.PCMU), ("101 9 0", codecs.G722)]
    )
    def test_the_answers_first_codec_counts(self, formats: str, codec: int) -> None:
        media = LegMedia(PortPool([20000]), HOST, 1, timeout_s=0)
        media.describe(offer(ALL, HOST))
        media.remote(audio(formats, "a=rtpmap:98 telephone-event/8000"))
        found = agreed(media.checkpoint())
        assert found is not None
        assert found.codec == codec
        assert found.event_type == (98 if "98" in formats else -1)
        assert found.event_clock == (8000 if "98" in formats else 0)

    @pytest.mark.parametrize("clock", [8000, 48000])
    def test_events_beside_opus_have_a_clock_of_their_own(self, clock: int) -> None:
        media = LegMedia(PortPool([20000]), HOST, 1, timeout_s=0)
        spoken = audio("96 97", "a=rtpmap:96 opus/48000/2", f"a=rtpmap:97 telephone-event/{clock}")
        media.remote(spoken)
        media.describe(answer(spoken, ALL, HOST))
        found = agreed(media.checkpoint())
        assert found is not None
        assert (found.event_type, found.event_clock) == (97, clock)

    def test_an_answer_with_none_of_ours(self) -> None:
        media = LegMedia(PortPool([20000]), HOST, 1, timeout_s=0)
        media.describe(offer(frozenset({"PCMU"}), HOST))
        media.remote(audio("8"))
        assert agreed(media.checkpoint()) is None

    def test_before_anything_is_said(self) -> None:
        assert agreed(Agreement()) is None


def talked(told: bytes, peer: bytes) -> Agreement:
    """Where the session stands after we have told `told`, and the peer `peer`."""
    media = LegMedia(PortPool([20000, 20002]), HOST, 1, timeout_s=0)
    media.remote(peer)
    media.describe(told)
    return media.checkpoint()


class TestRfc3264Section8:
    """Offers of ours in a session that has begun with something else."""

    def test_each_media_keeps_its_place(self) -> None:
        peer = sdp("m=video 4002 RTP/AVP 34", "m=audio 4000 RTP/AVP 0", "m=text 4004 RTP/AVP 98")
        before = talked(answer(peer, ALL, HOST), peer)
        media = parse_sdp(offer(ALL, HOST, before)).media
        assert [(one.kind, one.port > 0) for one in media] == [
            *(("video", False), ("audio", True)),
            ("text", False),
        ]

    def test_the_sound_goes_on_where_it_is(self) -> None:
        peer = sdp("m=audio 4000 RTP/SAVP 0", "m=audio 4002 RTP/AVPF 0", "a=rtcp-mux")
        before = talked(answer(peer, ALL, HOST), peer)
        first, second = parse_sdp(offer(ALL, HOST, before)).media
        assert (first.port, second.port > 0) == (0, True)
        assert (second.protocol, second.rtcp_mux) == ("RTP/AVPF", True)

    @pytest.mark.parametrize(
        ("line", "ports"),
        [("m=audio 0 RTP/AVP 0", [True]), ("m=video 0 RTP/AVP 34", [False, True])],
    )
    def test_sound_that_had_ended_begins_again(self, line: str, ports: list[bool]) -> None:
        peer = sdp(line)
        before = talked(answer(peer, ALL, HOST), peer)
        media = parse_sdp(offer(ALL, HOST, before)).media
        assert [one.port > 0 for one in media] == ports
        assert media[-1].kind == "audio"

    def test_what_a_payload_type_means_is_never_changed(self) -> None:
        peer = audio("96 0 101", "a=rtpmap:96 AMR/8000", "a=rtpmap:101 telephone-event/8000")
        types = DynamicTypes()
        types.learn(parse_sdp(peer).media)
        (media,) = parse_sdp(offer(ALL, HOST, talked(answer(peer, ALL, HOST), peer), types)).media
        assert meant(media) == [
            *("102 opus/48000", "9 G722/8000", "8 PCMA/8000", "0 PCMU/8000"),
            *("103 G726-32/8000", "3 GSM/8000", "18 G729/8000"),
            *("13 CN/8000", "101 telephone-event/8000"),
            *("104 L16/16000", "105 L16/8000", "106 L16/48000", "107 AAL2-G726-32/8000"),
        ]

    def test_without_a_number_left_there_is_no_such_codec(self) -> None:
        every = [f"a=rtpmap:{number} AMR/8000" for number in range(96, 128)]
        types = DynamicTypes()
        types.learn(parse_sdp(audio("0 96", *every)).media)
        (media,) = parse_sdp(offer(frozenset({"opus", "PCMU"}), HOST, Agreement(), types)).media
        assert meant(media) == ["0 PCMU/8000"]
        with pytest.raises(PeerError):
            offer(frozenset({"opus"}), HOST, Agreement(), types)


class TestNumbers:
    """RFC 3264 §5.1: each side's own, for what it is sent."""

    def test_of_a_peer_that_numbers_otherwise(self) -> None:
        lines = ("a=rtpmap:111 opus/48000/2", "a=rtpmap:101 telephone-event/8000")
        found = agreed(talked(offer(ALL, HOST), audio("111 101 13", *lines)))
        assert found is not None
        assert (found.payload_type, found.told_type) == (111, 96)
        assert (found.noise_type, found.told_noise_type) == (-1, -1)
        found = agreed(talked(offer(ALL, HOST), audio("0 101 13", *lines)))
        assert found is not None
        assert (found.payload_type, found.told_type) == (0, -1)
        assert (found.event_type, found.told_event_type) == (101, 98)
        assert (found.noise_type, found.told_noise_type) == (13, -1)
        voice = found.voice(20000, 8000)
        assert (voice.event_type, voice.told_event_type) == (101, 98)

    def test_of_a_peer_that_takes_ours(self) -> None:
        peer = audio("0 101", "a=rtpmap:101 telephone-event/8000")
        found = agreed(talked(answer(peer, ALL, HOST), peer))
        assert found is not None
        assert (found.told_type, found.told_event_type) == (-1, -1)


class TestRfc3264Section10_2:
    """One codec of several."""

    def test_the_one_that_is_used(self) -> None:
        peer = audio("0 9 13 101", "a=rtpmap:101 telephone-event/8000")
        before = talked(offer(ALL, HOST), peer)
        (media,) = parse_sdp(narrowed(before, HOST)).media
        # By our own numbers: the peer's answer has others for the same
        assert meant(media) == ["0 PCMU/8000", "13 CN/8000", "98 telephone-event/8000"]

    @pytest.mark.parametrize(
        "formats", ["0", "0 13 101", "0 96", "18", "101", "102 103"], ids=lambda text: text
    )
    def test_nothing_to_choose(self, formats: str) -> None:
        lines = ("a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 PCMU/8000")
        before = talked(offer(ALL, HOST), audio(formats, *lines))
        assert narrowed(before, HOST) == b""

    def test_the_peers_own_offer_is_not_narrowed(self) -> None:
        peer = audio("0 8 9")
        assert narrowed(talked(answer(peer, ALL, HOST), peer), HOST) == b""

    def test_before_anything_is_said(self) -> None:
        assert narrowed(Agreement(), HOST) == b""
