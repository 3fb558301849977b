import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.framing import KeepAlive, StreamFramer
from pbx.sip.message import MalformedRequest, parse_message
from tests.sip.test_message import INVITE, OK, replaced

PING = b"\r\n\r\n"
EMPTY_OK = replaced(b"\r\n\r\n", b"\r\nl: 0\r\n\r\n", OK)


class TestRfc3261Section18_3:
    def test_two_messages_at_once(self) -> None:
        assert StreamFramer().feed(INVITE + EMPTY_OK) == [INVITE, EMPTY_OK]

    def test_byte_by_byte(self) -> None:
        framer = StreamFramer()
        items = [item for octet in INVITE + EMPTY_OK for item in framer.feed(bytes((octet,)))]
        assert items == [INVITE, EMPTY_OK]

    def test_body_arrives_later(self) -> None:
        framer = StreamFramer()
        assert framer.feed(INVITE[:-4]) == []
        assert framer.feed(INVITE[-4:-1]) == []
        assert framer.feed(INVITE[-1:] + INVITE) == [INVITE, INVITE]

    def test_body_that_holds_empty_lines(self) -> None:
        data = replaced(b"h: 4\r\n\r\nv=0\n", b"h: 8\r\n\r\n\r\n\r\n\r\n\r\n")
        framer = StreamFramer()
        assert framer.feed(data[:-3]) == []
        assert framer.feed(data[-3:] + INVITE) == [data, INVITE]

    @pytest.mark.parametrize(
        "line", [b"l: 4", b"L:4", b"content-length \t:  4  ", b"CONTENT-LENGTH:\r\n 4", b"l: 0004"]
    )
    def test_all_spellings(self, line: bytes) -> None:
        data = replaced(b"Content-Length: 4", line)
        assert StreamFramer().feed(data + INVITE) == [data, INVITE]

    def test_name_inside_a_folded_line_is_no_header(self) -> None:
        data = replaced(b"To:", b"Subject: x\r\n l: 99\r\nTo:")
        assert StreamFramer().feed(data) == [data]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"Content-Length: 4\r\n", b""),
            (b"h: 4", b"h: -4"),
            (b"h: 4", b"h: four"),
            (b"h: 4", b"h:"),
            (b"h: 4", b"h: 4\r\nl: 4"),
            (b"h: 4", b"h: 4\r\nl: 5"),
            (b"h: 4", b"h: 65535"),
            (b"h: 4", b"h: 99999999999999999999999"),
        ],
    )
    def test_lost_stream_is_answered_first(self, old: bytes, new: bytes) -> None:
        data = replaced(old, new)
        framer = StreamFramer()
        first, head = framer.feed(INVITE + data)
        assert first == INVITE
        assert isinstance(head, bytes)
        with pytest.raises(MalformedRequest):
            parse_message(head, stream=True)
        for _ in range(2):
            with pytest.raises(PeerError) as caught:
                framer.feed(b"more")
            assert caught.value.status in (400, 513)

    def test_header_without_end(self) -> None:
        framer = StreamFramer()
        line = b"X: " + b"y" * 1000 + b"\r\n"
        for _ in range(65):
            assert framer.feed(line) == []
        with pytest.raises(PeerError) as caught:
            framer.feed(line)
        assert caught.value.status == 513

    def test_largest_message(self) -> None:
        head = INVITE[:-4].replace(b"h: 4", b"h: 65000")
        message = head + b"x" * 65_000
        framer = StreamFramer()
        assert framer.feed(message[:40_000]) == []
        assert framer.feed(message[40_000:]) == [message]


class TestRfc3261Section7_5:
    @pytest.mark.parametrize("lead", [b"\r\n", b"\r\n" * 3])
    def test_line_ends_before_the_start_line(self, lead: bytes) -> None:
        items = StreamFramer().feed(lead + INVITE)
        assert items[-1] == INVITE
        assert all(item is KeepAlive.PING for item in items[:-1])


class TestRfc5626Section4_4_1:
    def test_ping(self) -> None:
        assert StreamFramer().feed(PING) == [KeepAlive.PING]

    def test_ping_between_messages(self) -> None:
        items = StreamFramer().feed(INVITE + PING + EMPTY_OK + PING + PING)
        assert items == [INVITE, KeepAlive.PING, EMPTY_OK, KeepAlive.PING, KeepAlive.PING]

    def test_ping_in_pieces(self) -> None:
        framer = StreamFramer()
        assert [framer.feed(octet) for octet in (b"\r", b"\n", b"\r")] == [[], [], []]
        assert framer.feed(b"\n") == [KeepAlive.PING]

    def test_single_line_end_is_no_ping(self) -> None:
        framer = StreamFramer()
        assert framer.feed(b"\r\n") == []
        assert framer.feed(INVITE) == [INVITE]


class TestProperties:
    @settings(deadline=None)
    @given(st.binary(max_size=300) | st.text("\r\n l:0IVA", max_size=60).map(str.encode))
    def test_nothing_but_peer_error(self, data: bytes) -> None:
        framer = StreamFramer()
        try:
            for start in range(0, len(data), 5):
                framer.feed(data[start : start + 5])
        except PeerError:
            return

    @settings(deadline=None)
    @given(
        st.lists(st.sampled_from([INVITE, EMPTY_OK, PING, PING + EMPTY_OK]), max_size=6),
        st.lists(st.integers(1, 400), min_size=1, max_size=20),
    )
    def test_pieces_make_no_difference(self, parts: list[bytes], sizes: list[int]) -> None:
        data = b"".join(parts)
        whole = StreamFramer().feed(data)
        framer = StreamFramer()
        pieces: list[bytes | KeepAlive] = []
        position = turn = 0
        while position < len(data):
            size = sizes[turn % len(sizes)]
            pieces += framer.feed(data[position : position + size])
            position += size
            turn += 1
        assert pieces == whole

    @pytest.mark.timeout(10)
    def test_time_grows_linearly(self) -> None:
        for unit in (b"\r\n", b"\r\n ", b"l: ", b"\r\nl:"):
            framer = StreamFramer()
            try:
                for _ in range(30_000):
                    framer.feed(unit)
            except PeerError:
                continue
