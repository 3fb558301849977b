"""`a=extmap` (RFC 8285 §5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.sdp.description import Direction, parse_sdp
from pbx.sdp.extension import Extension, extensions

LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


def read(*lines: str, session: tuple[str, ...] = ()) -> dict[str, Extension]:
    head = ("v=0", "o=- 1 1 IN IP4 10.0.0.5", "s=-", "c=IN IP4 10.0.0.5", "t=0 0")
    session_lines = (f"a=extmap:{one}" for one in session)
    media = ("m=audio 4000 RTP/AVP 0", *(f"a=extmap:{one}" for one in lines))
    text = "".join(f"{one}\r\n" for one in (*head, *session_lines, *media))
    description = parse_sdp(text.encode())
    return extensions(description, description.media[0])


class TestRead:
    @pytest.mark.parametrize(
        ("said", "meant"),
        [
            (f"1 {LEVEL}", Extension(1, LEVEL)),
            (f"14/recvonly {LEVEL}", Extension(14, LEVEL, Direction.RECVONLY)),
            (f"2/sendrecv  {LEVEL} vad=on", Extension(2, LEVEL, attributes=("vad=on",))),
            (f"3/inactive {LEVEL} a  b=c ", Extension(3, LEVEL, Direction.INACTIVE, ("a", "b=c"))),
            (
                "5 http://example.com/082005/ext.htm#x",
                Extension(5, "http://example.com/082005/ext.htm#x"),
            ),
        ],
    )
    def test_what_it_means(self, said: str, meant: Extension) -> None:
        assert read(said) == {meant.uri: meant}

    @pytest.mark.parametrize(
        "said",
        [
            "",
            "1",
            "1 ",
            LEVEL,
            f"0 {LEVEL}",
            f"15 {LEVEL}",
            f"256 {LEVEL}",
            f"4096 {LEVEL}",
            f"-1 {LEVEL}",
            f"1.0 {LEVEL}",
            f"٣ {LEVEL}",
            f"{'1' * 5000} {LEVEL}",
            f"1/ {LEVEL}",
            f"1/both {LEVEL}",
            f"1/sendrecv/recvonly {LEVEL}",
            f"1both {LEVEL}",
            f" 1 {LEVEL}",
        ],
    )
    def test_what_means_nothing(self, said: str) -> None:
        assert read(said) == {}
        assert list(read(said, f"7 {LEVEL}").values()) == [Extension(7, LEVEL)]

    def test_of_the_session(self) -> None:
        assert read(session=(f"1 {LEVEL}",)) == {LEVEL: Extension(1, LEVEL)}
        # The media's own goes before.
        assert read(f"2 {LEVEL}", session=(f"1 {LEVEL}",)) == {LEVEL: Extension(2, LEVEL)}

    def test_a_number_for_two_things_is_none_of_them(self) -> None:
        assert read(f"1 {LEVEL}", "1 urn:x", "2 urn:y") == {"urn:y": Extension(2, "urn:y")}
        assert read(f"1 {LEVEL}", session=("1 urn:x",)) == {}
        assert read(f"1/sendonly {LEVEL}", f"1/recvonly {LEVEL}") == {}

    def test_said_twice_is_said(self) -> None:
        assert read(f"1 {LEVEL}", f"1 {LEVEL}", session=(f"1 {LEVEL}",)) == {
            LEVEL: Extension(1, LEVEL)
        }

    def test_of_several_numbers_the_first(self) -> None:
        assert read(f"3 {LEVEL}", f"1 {LEVEL}") == {LEVEL: Extension(3, LEVEL)}


class TestWrite:
    @given(
        st.integers(1, 14),
        st.sampled_from(list(Direction)),
        st.sampled_from([(), ("vad=on",), ("vad=off", "x")]),
    )
    def test_what_is_written_is_read(
        self, number: int, direction: Direction, attributes: tuple[str, ...]
    ) -> None:
        one = Extension(number, LEVEL, direction, attributes)
        assert read(one.line.value.removeprefix("extmap:")) == {LEVEL: one}

    def test_its_text(self) -> None:
        assert Extension(1, LEVEL).line.value == f"extmap:1 {LEVEL}"
        one = Extension(1, LEVEL, Direction.SENDONLY, ("vad=off",))
        assert one.line.value == f"extmap:1/sendonly {LEVEL} vad=off"
