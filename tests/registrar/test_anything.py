"""Phones that watch, write and publish, at any time and wrongly: nothing escapes, and all of it ends."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.registrar import pidf
from pbx.sip.event_package import event_of
from pbx.sip.message import Request, Response
from tests.call.chat import PIDF
from tests.call.office import HOME, Office
from tests.call.phone import Phone
from tests.call.test_fuzz import DIALED, VALUES, Storm

EVENTS = (*("dialog", "presence", "message-summary") * 3, "dialog;id=1", "weather", ";", "")
TIMES = (*("60", "600", "4294967295") * 3, "0", "1", "never")
TEXTS = (b"", b"hello", b"\xff\x00", b"x" * 5000)
DOCUMENTS = (
    b"",
    b"<presence",
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="a"><note>hi</note></presence>',
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="a"><tuple id="a"/></presence>',
)


class Chatter(Storm):
    """A storm of calls, and of all else that phones may want."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        super().__init__(draw)
        self.tags: list[str] = [""]

    def chat(self) -> None:
        """A request for something that is no call."""
        phone = self.pick(self.phones)
        method = self.pick(("MESSAGE", "SUBSCRIBE", "PUBLISH"))
        number = phone.number if method == "PUBLISH" else self.pick(DIALED)
        lines = [f"Expires: {self.pick(TIMES)}"]
        body = b""
        if method == "MESSAGE":
            body = self.pick(TEXTS)
            lines.append(f"Content-Type: {self.pick((*('text/plain',) * 20, *VALUES))}")
        else:
            usual = ("presence",) * 20 if method == "PUBLISH" else ()
            lines.append(f"Event: {self.pick((*usual, *EVENTS))}")
        if method == "PUBLISH":
            body = self.pick(DOCUMENTS)
            lines.append(f"Content-Type: {self.pick((*(PIDF,) * 40, *VALUES))}")
            if tag := self.pick(self.tags[-4:]):
                lines.append(f"SIP-If-Match: {tag}")
        uri = f"sip:{number}@{HOME.host}"
        call_id = f"m{next(self.office.serial)}"
        self.authorized(phone, method, uri, f"<{uri}>", call_id, body, "\n".join(lines))
        last = phone.heard[-1]
        if isinstance(last, Response) and (tag := last.get("SIP-ETag")):
            self.tags.append(tag)

    def comes_back(self) -> None:
        """A phone registers again."""
        self.register(self.pick(self.phones))

    def refresh(self) -> None:
        """A SUBSCRIBE, or another request, in a subscription's dialog."""
        told = [
            (phone, one)
            for phone in self.phones
            for one in phone.heard[-8:]
            if isinstance(one, Request) and one.method == "NOTIFY"
        ]
        if not told:
            return
        phone, notify = self.pick(told)
        contacts = notify.contacts
        assert isinstance(contacts, list)
        phone.request(
            self.pick(("SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE", "NOTIFY", "BYE", "INFO")),
            str(contacts[0].uri),
            call_id=notify.call_id,
            cseq=self.number(50),
            to=notify.get("From"),
            from_tag=notify.to.tag or "x",
            headers=f"Event: {self.pick(EVENTS)}\nExpires: {self.pick(TIMES)}",
        )

    def step(self) -> None:
        if self.number(2):
            super().step()
        else:
            self.pick((self.chat, self.chat, self.answer, self.refresh, self.comes_back))()

    def end(self) -> None:
        """Everybody falls silent: what was watched and published runs out, texts wait."""
        self.office.exchange.stop(self.office.now)
        self.office.pump()
        self.office.advance(4000)
        assert self.office.of_kind("subscription") == []
        assert self.office.of_kind("publication") == []
        self.office.advance(700_000)
        assert self.office.kept == {}
        self.office.assert_empty()
        assert all(part.next_timer() is None for part in self.office.lamps.ticking)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_is_left_of_a_long_day(seed: int) -> None:
    storm = Chatter(random.Random(seed).randrange)
    for _ in range(120):
        storm.step()
    storm.end()


@pytest.mark.parametrize("seed", range(10))
def test_a_restart_at_any_time(seed: int) -> None:
    storm = Chatter(random.Random(seed).randrange)
    for _ in range(80):
        storm.step()
    fresh = Office(kept=storm.office.kept)
    fresh.now = storm.office.now
    for phone in storm.phones:
        assert isinstance(phone, Phone)
        phone.office = fresh
        fresh.phones[phone.address] = phone
    fresh.restore()
    storm.office = fresh
    for _ in range(20):
        storm.chat()
        storm.answer()
    storm.end()


def status_of(work: Callable[[], object]) -> int:
    """What is answered: 200 where nothing is wrong."""
    try:
        work()
    except PeerError as error:
        return error.status
    return 200


@given(st.text(max_size=60))
def test_any_event(text: str) -> None:
    request = Request("SUBSCRIBE", "sip:a", [("Event", text)])
    assert status_of(lambda: event_of(request)) in (200, 400)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.sampled_from(
                (
                    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="a">',
                    b"</presence>",
                    b'<tuple id="a">',
                    b"</tuple>",
                    b"<note>",
                    b"</note>",
                    b"&lt;",
                    b"&b;",
                    b"<!DOCTYPE a>",
                    b"<?x y?>",
                    b"\xff",
                    b"<a:b/>",
                )
            )
        ).map(b"".join),
    )
)
def test_any_presence(body: bytes) -> None:
    status = status_of(lambda: pidf.read(body))
    assert status in (200, 400, 413)
    if status == 200:
        pidf.read(pidf.document("sip:1@a", pidf.read(body)))
