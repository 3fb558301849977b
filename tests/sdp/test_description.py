import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sdp.description import (
    MAX_MEDIA,
    Connection,
    Direction,
    Line,
    Origin,
    Rtcp,
    RtpMap,
    parse_connection,
    parse_sdp,
)
from tests.sdp.texts import OFFER, octets, parsed, session

REWRITES = sorted((Path(__file__).parents[1] / "media" / "rewrites").glob("*.sdp"))


def refused(text: str, status: int = 400) -> str:
    with pytest.raises(PeerError) as raised:
        parsed(text)
    assert raised.value.status == status
    return raised.value.reason


class TestRfc8866Section5:
    """The description as a whole."""

    def test_lines_and_media(self) -> None:
        description = parsed(OFFER)
        assert description.lines[0] == Line("v", "0")
        assert [media.kind for media in description.media] == ["audio", "video"]
        assert description.media[0].formats == ("0", "8", "97")
        assert description.media[1].lines[0] == Line("a", "rtpmap:31 H261/90000")

    @pytest.mark.parametrize("path", REWRITES, ids=lambda path: path.stem)
    def test_what_devices_send_comes_back_octet_for_octet(self, path: Path) -> None:
        sent = octets(path.read_text().split("----\n")[1])
        assert parse_sdp(sent).encode() == sent

    def test_octets_that_are_not_utf_8_come_back(self) -> None:
        sent = octets(OFFER).replace(b"s=-", b"s=caf\xe9 \xff")
        assert parse_sdp(sent).encode() == sent

    def test_unknown_line_types_stay_where_they_stood(self) -> None:
        text = session("x=1", "m=audio 4000 RTP/AVP 0", "y=2", "a=sendonly", "z=3")
        assert parsed(text).encode() == octets(text)

    def test_line_feeds_alone_and_blank_lines_are_taken(self) -> None:
        assert parse_sdp(b"\n" + OFFER.encode() + b"\n\r\n") == parsed(OFFER)

    def test_subject_and_time_may_be_missing(self) -> None:
        assert parsed("v=0\no=- 1 1 IN IP4 192.0.2.1\n").media == ()

    @pytest.mark.parametrize("text", ["", "\n\n", "o=- 1 1 IN IP4 192.0.2.1\nv=0\n", "v=1\n"])
    def test_version_0_comes_first(self, text: str) -> None:
        assert "v=0" in refused(text)

    @pytest.mark.parametrize(
        "line", ["a", "=", "a sendonly", " a=sendonly", "a =1", "1=2", "é=1", "a=x\0y", "a=x\ry"]
    )
    def test_a_line_is_a_letter_and_an_equals_sign(self, line: str) -> None:
        assert "line" in refused(session(line))

    def test_more_media_than_ports_for_one_call(self) -> None:
        media = ["m=audio 4000 RTP/AVP 0"] * MAX_MEDIA
        assert len(parsed(session(*media)).media) == MAX_MEDIA
        assert "many" in refused(session(*media, media[0]), 488)


class TestRfc8866Section5_2:
    """Origin."""

    def test_fields(self) -> None:
        origin = Origin("alice", "2890844526", "2890844527", Connection("IP4", "192.0.2.10"))
        assert parsed(OFFER).origin == origin
        assert str(origin) == "alice 2890844526 2890844527 IN IP4 192.0.2.10"

    def test_a_user_name_with_spaces(self) -> None:
        assert parsed("v=0\no=Front Desk 1 2 IN IP6 ::1\n").origin.username == "Front Desk"

    @pytest.mark.parametrize("line", ["o=", "o=- 1 IN IP4 192.0.2.1", "o=- 1 1 IN IP4"])
    def test_missing_fields(self, line: str) -> None:
        assert "origin" in refused(f"v=0\n{line}\n")

    def test_a_bad_address(self) -> None:
        assert "address" in refused("v=0\no=- 1 1 IN IP4 <host>\n")

    @pytest.mark.parametrize("lines", ["", "o=- 1 1 IN IP4 192.0.2.1\no=- 1 2 IN IP4 192.0.2.1\n"])
    def test_there_is_one(self, lines: str) -> None:
        assert "one o=" in refused(f"v=0\n{lines}s=-\n")


class TestRfc8866Section5_7:
    """Connection."""

    def test_a_multicast_address_without_ttl_and_count(self) -> None:
        assert parse_connection("IN IP4 233.252.0.1/127/3") == Connection("IP4", "233.252.0.1")

    def test_numeric_addresses_are_canonical(self) -> None:
        assert parse_connection("IN IP6 2001:DB8:0::0001").numeric == "2001:db8::1"
        assert parse_connection("IN IP4 192.0.2.7").numeric == "192.0.2.7"
        assert parse_connection("IN IP4 phone.example.com").numeric is None

    @pytest.mark.parametrize("text", ["IN IP4", "IN IP4 1.2.3.4 5", "", "IN IP4 /24", "IN IP4 a@b"])
    def test_bad_syntax(self, text: str) -> None:
        with pytest.raises(PeerError) as raised:
            parse_connection(text)
        assert raised.value.status == 400

    @pytest.mark.parametrize("text", ["ATM NSAP 47.0091", "IN IP5 1.2.3.4", "TN RFC2543 +15551234"])
    def test_another_network(self, text: str) -> None:
        with pytest.raises(PeerError) as raised:
            parse_connection(text)
        assert raised.value.status == 488

    def test_every_connection_line_is_checked(self) -> None:
        refused(session("m=audio 4000 RTP/AVP 0", "c=nonsense"))

    def test_the_media_goes_before_the_session(self) -> None:
        description = parsed(
            session("m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 31", "c=IN IP6 ::2")
        )
        first, second = description.media
        assert description.connection(first) == Connection("IP4", "192.0.2.10")
        assert description.connection(second) == Connection("IP6", "::2")
        assert description.session_connection == Connection("IP4", "192.0.2.10")

    def test_only_refused_media_needs_none(self) -> None:
        head = "v=0\no=- 1 1 IN IP4 192.0.2.1\n"
        assert parsed(head + "m=audio 0 RTP/AVP 0\n").media[0].port == 0
        assert "c=" in refused(head + "m=audio 4 RTP/AVP 0\n")

    def test_written(self) -> None:
        assert str(Connection.to("192.0.2.1")) == "IN IP4 192.0.2.1"
        assert str(Connection.to("2001:db8::1")) == "IN IP6 2001:db8::1"


class TestRfc8866Section5_14:
    """Media."""

    def test_a_count_of_ports(self) -> None:
        media = parsed(session("m=video 49170/2 RTP/AVP 31")).media[0]
        assert (media.port, media.port_count) == (49170, 2)
        assert str(media) == "m=video 49170/2 RTP/AVP 31"

    def test_no_formats(self) -> None:
        assert str(parsed(session("m=video 0 RTP/AVP")).media[0]) == "m=video 0 RTP/AVP"

    @pytest.mark.parametrize(
        "line",
        ["m=", "m=audio", "m=audio 4000", "m=audio x RTP/AVP 0", "m=audio 65536 RTP/AVP 0"]
        + ["m=audio -1 RTP/AVP 0", "m=audio ٣ RTP/AVP 0", "m=audio 4/x RTP/AVP 0"],
    )
    def test_bad_syntax(self, line: str) -> None:
        refused(session(line))

    def test_attributes(self) -> None:
        description = parsed(
            session(
                "a=group:LS 1 2", "m=audio 4 RTP/AVP 0", "i=x", "a=mid:1", "a=rtcp-mux", "a=mid:2"
            )
        )
        media = description.media[0]
        assert media.attribute("mid") == "1"
        assert media.attributes("mid") == ["1", "2"]
        assert media.attribute("rtcp-mux") == ""
        assert media.attribute("group") is None
        assert description.attributes("group") == ["LS 1 2"]


class TestRfc8866Section6_4:
    """ptime."""

    @pytest.mark.parametrize(
        ("line", "ptime_ms"),
        [("a=ptime:20", 20), ("a=ptime:", None), ("a=ptime:x", None), ("i=", None)],
    )
    def test_milliseconds(self, line: str, ptime_ms: int | None) -> None:
        assert parsed(session("m=audio 4 RTP/AVP 0", line)).media[0].ptime_ms == ptime_ms


class TestRfc8866Section6_6:
    """rtpmap."""

    def test_those_that_can_be_read(self) -> None:
        lines = [
            "rtpmap:0 PCMU/8000",
            "rtpmap:96 opus/48000/2",
            "rtpmap:",
            "rtpmap:97",
            "rtpmap:98 X",
        ]
        lines += ["rtpmap:99 X/y", "rtpmap:9 /8000", "rtpmap: PCMA/8000"]
        media = parsed(session("m=audio 4 RTP/AVP 0", *("a=" + line for line in lines))).media[0]
        assert media.rtpmaps == [RtpMap("0", "PCMU", 8000), RtpMap("96", "opus", 48000, "2")]


class TestRfc8866Section6_7:
    """Direction."""

    @pytest.mark.parametrize("direction", list(Direction))
    def test_both_ways_of_seeing_it(self, direction: Direction) -> None:
        assert Direction.of(sends=direction.sends, receives=direction.receives) is direction
        assert direction.mirrored.sends == direction.receives
        assert direction.mirrored.receives == direction.sends

    def test_media_then_session_then_default(self) -> None:
        media = ("m=audio 4 RTP/AVP 0", "m=video 6 RTP/AVP 31", "a=sendonly")
        inherited = parsed(session("a=inactive", *media))
        assert [inherited.direction(one) for one in inherited.media] == [
            Direction.INACTIVE,
            Direction.SENDONLY,
        ]
        alone = parsed(session(*media))
        assert alone.direction(alone.media[0]) is Direction.SENDRECV

    def test_one_replaces_all(self) -> None:
        media = parsed(session("m=audio 4 RTP/AVP 0", "a=sendrecv", "i=x", "a=recvonly")).media[0]
        changed = media.with_direction(Direction.INACTIVE)
        assert changed.lines == (Line("i", "x"), Line("a", "inactive"))


class TestRfc3605Section2_1:
    """The rtcp attribute."""

    @pytest.mark.parametrize(
        ("value", "rtcp"),
        [
            ("rtcp:53020", Rtcp(53020, None)),
            ("rtcp:53020 IN IP4 126.16.64.4", Rtcp(53020, Connection("IP4", "126.16.64.4"))),
            ("rtcp:53020 IN IP6 2001:db8::7", Rtcp(53020, Connection("IP6", "2001:db8::7"))),
            ("rtcp:0", None),
            ("rtcp:x", None),
            ("rtcp:", None),
            ("rtcp:53020 IN", None),
            ("rtcp-mux", None),
        ],
    )
    def test_value(self, value: str, rtcp: Rtcp | None) -> None:
        media = parsed(session("m=audio 4 RTP/AVP 0", "a=" + value)).media[0]
        assert media.rtcp == rtcp
        assert media.rtcp_mux == (value == "rtcp-mux")


class TestRfc3611Section5:
    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("a=rtcp-xr:voip-metrics", True),
            ("a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt voip-metrics", True),
            ("a=rtcp-xr:pkt-loss-rle=50", False),
            ("a=rtcp-xr:", False),
            ("a=rtcp-xr", False),
            ("a=ptime:20", False),
        ],
    )
    def test_voip_metrics(self, line: str, *, wanted: bool) -> None:
        media = parsed(session("m=audio 4 RTP/AVP 0", line)).media[0]
        assert media.voip_metrics == wanted


WORDS = st.sampled_from(
    [
        "v=0",
        "o=- 1 1 IN IP4 1.2.3.4",
        "s=-",
        "c=IN IP4 0.0.0.0",
        "c=IN IP6 ::",
        "c=IN IP4 h",
        "t=0 0",
    ]
    + [
        "m=audio 4000 RTP/AVP 0",
        "m=video 0 RTP/AVP 31",
        "m=x 1/2 TCP/Y *",
        "a=sendonly",
        "a=rtcp:5",
    ]
    + ["a=rtcp:5 IN IP4 1.2.3.4", "a=rtpmap:0 PCMU/8000", "a=ptime:20", "a=group:BUNDLE 0", "a="]
    + ["a=ice-ufrag:x", "a=candidate:1", "a=inactive", "c=IN IP4 224.0.0.1/3", "a=group:", "o=x"]
)


class TestFuzz:
    """Any octets are a description or a PeerError, and a description is usable."""

    @given(st.binary())
    def test_any_octets(self, data: bytes) -> None:
        try:
            description = parse_sdp(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n" + data)
        except PeerError:
            return
        assert parse_sdp(description.encode()) == description

    @given(st.lists(WORDS | st.text(max_size=8)))
    def test_any_lines(self, lines: list[str]) -> None:
        text = "\r\n".join(["v=0", "o=- 1 1 IN IP4 1.2.3.4", "c=IN IP4 1.2.3.4", *lines])
        try:
            description = parse_sdp(text.encode("utf-8", "surrogatepass"))
        except PeerError:
            return
        for media in description.media:
            _ = media.rtcp, media.rtpmaps, media.ptime_ms
            assert description.connection(media) is not None
            assert description.direction(media) in Direction
        assert parse_sdp(description.encode()) == description


def test_long_descriptions_fill_no_memory() -> None:
    tracemalloc.start()
    try:
        for number in range(40):
            origin = f"v=0\r\no=- {number} 1 IN IP4 192.0.2.1\r\n".encode()
            assert len(parse_sdp(origin + (b"a=" + b"x" * 998 + b"\r\n") * 60).lines) == 62
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000
