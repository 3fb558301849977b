"""Datagrams of the call-back service: what is read, and the one form that is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.call.call_back import NOBODY, Wish
from pbx.callback.errors import BadRequest, Unreadable
from pbx.callback.message import MOST_OCTETS, Message, parse_message
from pbx.callback.request import wish_of
from pbx.config.callback import CallBackSettings

WHOLE = Wish("7", ("100", "9030123456"), ("5551", "5552"), 0, 60.0, 20.0)

FORMS = [
    "REQUEST: id=7,called1=100,called2=9030123456,caller1=5551,caller2=5552,maxduration=60,timeout=20",
    "REQUEST:id=7;called1=100;called2=9030123456;caller1=5551;caller2=5552;maxduration=60;timeout=20",
    "request: ID=7&Called1=100&CALLED2=9030123456&caller1=5551&caller2=5552&maxduration=60&timeout=20",
    "REQUEST: id=7\r\ncalled1=100\r\ncalled2=9030123456\r\ncaller1=5551\r\ncaller2=5552\r\nmaxduration=60\r\ntimeout=20\r\n",
    "REQUEST id = 7 called1 = 100 called2 = 9030123456 caller1=5551 caller2=5552 maxduration=60 timeout=20",
    "REQUEST: id='7', called1=\"100\", called2=9030123456, caller1=5551, caller2=5552, maxtime=60, timeout=20\n",
    "REQUEST: id=7,user1=100,user2=9030123456,clr1=5551,clr2=5552,duration=60,timeout=20",
    "REQUEST: id=7,callee1=100,callee2=9030123456,caller1=5551,caller2=5552,maxtime=60,timeout=20\x00",
    "REQUEST: id=7,cld1=sip:100@here,cld2=tel:9-(030)123.456,clr1=5551,clr2=5552,duration=60,timeout=20",
    "REQUEST: id=7,called1=100,called1=666,more=1,odd,called2=9030123456,caller1=5551,caller2=5552,maxduration=60,timeout=20",
]


def wish(text: str, **settings: object) -> Wish:
    return wish_of(parse_message(text.encode()), CallBackSettings(**settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", FORMS)
def test_what_is_meant_is_read(text: str) -> None:
    assert wish(text) == WHOLE


def test_what_is_left_out() -> None:
    assert wish("REQUEST: called1=100,called2=+4930123", caller="999", call_level=3) == Wish(
        "", ("100", "+4930123"), ("999", ""), 3
    )


def test_nobody_s_number() -> None:
    found = wish("REQUEST: called1=1,called2=2,caller1=Anonymous,caller2=ANONYMOUS", caller="999")
    assert found.callers == (NOBODY, NOBODY)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("REQUEST: id=7,called2=101", "no-called1"),
        ("REQUEST: id=7,called1=100", "no-called2"),
        ("REQUEST: id=7,called1=alice,called2=101", "bad-called1"),
        ("REQUEST: id=7,called1=100,called2=" + "1" * 33, "bad-called2"),
        ("REQUEST: id=7,called1=100,called2=101,caller1=x", "bad-caller1"),
        ("REQUEST: id=7,called1=100,called2=101,maxduration=-1", "bad-maxduration"),
        ("REQUEST: id=7,called1=100,called2=101,maxduration=99999999", "bad-maxduration"),
        ("REQUEST: id=7,called1=100,called2=101,timeout=1e3", "bad-timeout"),
        ("REQUEST: id=a/b,called1=100,called2=101", "bad-id"),
        ("REQUEST: id=" + "7" * 65 + ",called1=100,called2=101", "bad-id"),
    ],
)
def test_what_can_t_be_is_named(text: str, why: str) -> None:
    with pytest.raises(BadRequest) as caught:
        wish(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01\x02",
        b"HELLO: id=7",
        b"REQUEST",
        "REQUEST: id=\N{SNOWMAN}".encode(),
        b"\xff\xfeREQUEST: id=7",
        b"REQUEST: called1=100,called2=101,x=" + b"1" * MOST_OCTETS,
        b"OPTIONS sip:100@192.0.2.1 SIP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_message(data)


@given(st.binary(max_size=3000) | st.text(max_size=200).map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    for octets in (data, b"REQUEST: " + data):
        try:
            message = parse_message(octets)
        except Unreadable:
            continue
        try:
            found = wish_of(message, CallBackSettings())
        except BadRequest:
            continue
        # Nothing gets through that a log or a record couldn't show
        assert all(one.isascii() and one.isprintable() for one in (found.id, *found.called))


_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789.:+-", min_size=1, max_size=20)


@given(st.dictionaries(_WORD.filter(str.isalnum), _WORD, max_size=8))
def test_what_is_written_is_read_as_it_was(params: dict[str, str]) -> None:
    message = Message("RESPONSE", params)
    assert parse_message(message.encode()) == message
