"""Record files as an exchange, a person or a power cut has left them, for hypothesis."""

import datetime

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pbx.store.record_file import BOM, HEADER, encode_line

Row = tuple[str, ...]

MIDNIGHT = datetime.datetime(2026, 10, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=8)))

NUMBERS = st.sampled_from(["100", "101", "102", "", "+8613901088888", "=1", "'=x", "9555"])
ADDRESSES = st.sampled_from(["udp 192.0.2.1:5060", "tcp [2001:db8::1]:5060", "", "192.0.2.9"])
TEXTS = st.sampled_from(["line 电信", "a,b", 'say "x"', "line carrier", "'", "+", "", " ", "é—x"])
JUNK = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b""))
ODD = st.sampled_from([b"", b"\0" * 20, b"x", b"," * 14, b"," * 15, b'"open', b"a\tb", b" "])


@st.composite
def calls(draw: st.DrawFn) -> list[Row]:
    """The records of a call, one or both sides, near midnight."""
    setup = MIDNIGHT + datetime.timedelta(seconds=draw(st.integers(-90, 90)))
    talk_s = draw(st.sampled_from([None, 0.0, 0.5, 59.25, 3000.125]))
    end = setup + datetime.timedelta(seconds=4 + (talk_s or 0.0))
    name, call_id = draw(st.sampled_from(["a1", "b2", "c3", "d4"])), draw(st.sampled_from("xyz"))
    values = [draw(one) for one in (NUMBERS, NUMBERS, NUMBERS, ADDRESSES, ADDRESSES, TEXTS, TEXTS)]
    caller, dialed, called, caller_addr, called_addr, route, fci = values
    sides = draw(st.sampled_from([("LO",), ("LO", "LT"), ("LO", "OT"), ("OO", "LT"), ("OO", "OT")]))
    return [
        (
            *(f"{name}-{side}", draw(st.sampled_from(["", call_id])), side, caller, dialed, called),
            *(setup.isoformat(), "", "" if talk_s is None else setup.isoformat(), end.isoformat()),
            *(f"{talk_s or 0.0:.3f}", caller_addr, called_addr, route, fci),
        )
        for side in sides
    ]


RECORDS = st.lists(calls(), max_size=12).map(lambda found: [row for one in found for row in one])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file as an exchange, a person or a power cut has left it."""
    ends = st.just(draw(st.sampled_from([b"\r\n", b"\n"])))
    if draw(st.booleans()):
        ends = st.sampled_from([b"\r\n", b"\n"])
    lines = [encode_line(row).removesuffix(b"\r\n") for row in draw(RECORDS)]
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        lines.insert(draw(st.integers(0, len(lines))), draw(ODD | JUNK))
    text = b"".join(line + draw(ends) for line in lines)
    text = draw(st.sampled_from([HEADER, HEADER.removeprefix(BOM), BOM, b""])) + text
    return text[: len(text) - draw(st.sampled_from([0, 0, 0, 1, 9]))]


FEW = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None
)
