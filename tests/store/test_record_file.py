"""The form of the record files (RFC 4180; vendor's post 10)."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.store.record_file import BOM, COLUMNS, HEADER, decode_line, encode_line

printable = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\u2028\u2029"
                  "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
)  # fmt: skip


class TestRfc4180:
    def test_commas_and_quotes(self) -> None:
        assert encode_line(["a,b", 'say "x"', "", "z"]) == b'"a,b","say ""x""",,z\r\n'

    @given(st.lists(printable, min_size=2, max_size=15))
    def test_round_trip(self, values: list[str]) -> None:
        assert decode_line(encode_line(values)) == values

    @given(st.lists(st.text(), min_size=1, max_size=15))
    def test_t10_3_one_line_is_one_record(self, values: list[str]) -> None:
        line = encode_line(values)
        assert line.endswith(b"\r\n")
        assert len(line.decode().splitlines()) == 1

    @given(st.lists(st.text(), min_size=2, max_size=15))
    def test_other_programs_read_as_many_columns(self, values: list[str]) -> None:
        rows = list(csv.reader(io.StringIO(encode_line(values).decode(), newline="")))
        assert [len(row) for row in rows] == [len(values)]

    def test_the_header(self) -> None:
        assert HEADER.startswith(BOM)
        assert decode_line(HEADER) == list(COLUMNS)
        assert COLUMNS[0] == "record_id"


class TestT10_4:
    @pytest.mark.parametrize("value", ["007", "0", "00861390", "*74", "100"])
    def test_numbers_stand_as_they_are(self, value: str) -> None:
        assert encode_line([value, "x"]) == f"{value},x\r\n".encode()

    @pytest.mark.parametrize(
        "value",
        ["+8613901088888", "=1+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "＝1", " =1", "'=1"],
    )
    def test_nothing_becomes_a_formula(self, value: str) -> None:
        (shown, _) = next(csv.reader([encode_line([value, "x"]).decode()]))
        assert shown == "'" + value
        assert decode_line(encode_line([value, "x"])) == [value, "x"]

    @pytest.mark.parametrize("value", ["\t=1", "\r=1", "\n=1", "\x00=1"])
    def test_a_control_character_hides_no_formula(self, value: str) -> None:
        assert decode_line(encode_line([value, "x"])) == [" =1", "x"]
        assert encode_line([value, "x"]).startswith(b"' =1")

    @given(st.text())
    def test_no_cell_begins_with_a_formula_sign(self, value: str) -> None:
        (shown, _) = next(csv.reader([encode_line([value, "x"]).decode()]))
        assert shown.strip()[:1] not in {"=", "+", "-", "@", "\t", "\r"} or not shown.strip()

    def test_plain_apostrophes_stay(self) -> None:
        assert encode_line(["'quoted'", "O'Neil"]) == b"'quoted',O'Neil\r\n"
        assert decode_line(b"'quoted',O'Neil\r\n") == ["'quoted'", "O'Neil"]


class TestBytes:
    def test_what_is_no_utf8_is_shown_as_such(self) -> None:
        latin1 = b"M\xfcller".decode("utf-8", "surrogateescape")
        assert decode_line(encode_line([latin1, "x"])) == ["M\ufffdller", "x"]

    def test_surrogates_of_no_byte(self) -> None:
        assert encode_line(["a\ud800", "x"]).decode().startswith("a")

    @pytest.mark.parametrize(
        "line", [b'"open,x\r\n', b"\xff,x\r\n", b"a\x00b,x\r\n", b'a,"b"c\r\n']
    )
    def test_no_line_of_ours(self, line: bytes) -> None:
        with pytest.raises(ValueError):
            decode_line(line)

    def test_line_ends_of_editors(self) -> None:
        assert decode_line(b"a,b\n") == decode_line(b"a,b") == ["a", "b"]
