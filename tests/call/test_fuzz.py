"""Phones that do anything at any time, and say it wrongly: the exchange lives, and cleans up."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.media.protocol import Digit, Line, Play, Played, Record, Recorded, SoundReport, Voice
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response
from tests.call.office import HOME, Office, Phone

PORTS = 12
"""Few, so that they run out."""

BODIES = (
    b"",
    b"nonsense",
    b"v=0\r\n",
    b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n",
    b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=video 0 RTP/AVP 9\r\n",
    b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
    b"m=audio 4 RTP/AVP %b 8 0 9\r\na=maxptime:%b\r\n" % (b"0" * 5000, b"9" * 5000),
    b"Signal=" + b"5" * 5000,
    b"Signal=#",
    b"v=0\r\no=- 1 1 IN IP4 224.0.0.1\r\ns=-\r\nc=IN IP4 224.0.0.1\r\nt=0 0\r\nm=audio 4 RTP/AVP 8\r\n",
)

VALUES = (
    "",
    '"unbalanced',
    "<",
    "*",
    ",",
    ";tag=x",
    "\x00\x1b[2J",
    "\udcff",
    "0",
    "4294967296",
    "99999999999999999999",
    "<sip:a@192.0.2.10>, <sip:b@192.0.2.11>",
    "<tel:+49>",
    "<mailto:a@b>;tag=1",
    "<sips:a@192.0.2.10>",
    "SIP;cause=200, Q.850;cause=999999",
    "application/sdp",
    "application/dtmf-relay",
    "text/plain",
    "100rel",
    'Digest realm="minisipserver", username="\udcff", nonce="\udcff.\udcff", uri="sip:x", response="\udcff"',
)

EXTRA = (
    "Reason",
    "Require",
    "Record-Route",
    "Route",
    "Path",
    "Expires",
    "Content-Type",
    "Content-Disposition",
    "Content-Encoding",
    "Info-Package",
    "User-Agent",
    "Authorization",
    "Proxy-Authorization",
    "Retry-After",
    "Refer-To",
    "Replaces",
    "Privacy",
    "Diversion",
    "History-Info",
)

NAMES = ("Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", *EXTRA)

DIALED = (
    *("101",) * 6,
    *("100", "102", "103", "%0a%ff", ""),
    *("*43", "*46", "*47", "*6*1", "*6*1", "*6*1*2", "*6*"),
)

REPORTS: tuple[Callable[[int], SoundReport], ...] = (
    lambda name: Digit(name, "#", inband=False),
    lambda name: Digit(name, "5", inband=True),
    lambda name: Line(name, "", 1000),
    lambda name: Line(name, "busy", 0),
    Played,
    lambda name: Played(name, "no such file"),
    lambda name: Recorded(name, 1.5),
    lambda name: Recorded(name, 0.0, "the disk is full"),
)

STATUSES = (
    100,
    180,
    183,
    199,
    200,
    200,
    202,
    302,
    401,
    407,
    408,
    481,
    486,
    487,
    491,
    500,
    503,
    603,
)

METHODS = (
    *("INVITE", "ACK") * 3,
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "UPDATE",
    "INFO",
    *("REFER",) * 3,
    "DANCE",
)


class Caller(Phone):
    """A phone that keeps all that it hears and says; an answer to nonsense may be nonsense."""

    heard: list[Request | Response]

    def deliver(self, data: bytes, flow: Flow) -> None:
        with suppress(PeerError):
            super().deliver(data, flow)
        self.heard += self.inbox
        self.inbox.clear()


class Storm:
    """An office in which anything happens.

    Args:
        draw: draws a number below the one it is given.
    """

    def __init__(self, draw: Callable[[int], int]) -> None:
        self.number = draw
        self.said: list[bytes] = []
        self.answered: set[int] = set()
        self.office = Office(ports=PORTS)
        self.phones: list[Caller] = []
        for user, host, connection in (
            ("100", "192.0.2.10", 0),
            ("101", "192.0.2.11", 0),
            ("101", "192.0.2.12", 7),
            ("102", "192.0.2.13", 8),
        ):
            phone = Caller(self.office, user, Address(host, 5060), connection)
            phone.heard = []
            self.office.phones[phone.address] = phone
            self.phones.append(phone)
            self.register(phone)
        self.office.wire = self.listen

    def listen(self, data: bytes) -> int:
        if data not in self.said:
            self.said.append(data)
        return 1

    def pick(self, options: Any) -> Any:
        return options[self.number(len(options))]

    def register(self, phone: Phone) -> None:
        to, uri = f"<sip:{phone.number}@{HOME.host}>", f"sip:{HOME.host}"
        self.authorized(phone, "REGISTER", uri, to, f"r{next(self.office.serial)}", b"", "")

    def authorized(
        self, phone: Phone, method: str, uri: str, to: str, call_id: str, body: bytes, headers: str
    ) -> None:
        assert isinstance(phone, Caller)
        phone.request(method, uri, to=to, call_id=call_id, cseq=1, body=body, headers=headers)
        for message in reversed(phone.heard):
            if isinstance(message, Response) and message.status in (401, 407):
                auth = phone.authorized(message, method, uri)
                lines = f"{auth}\n{headers}" if headers else auth
                phone.request(method, uri, to=to, call_id=call_id, cseq=2, body=body, headers=lines)
                return

    # ---------------------------------------------------------------- what may happen

    def call(self) -> None:
        phone = self.pick(self.phones)
        uri = f"sip:{self.pick(DIALED)}@{HOME.host}"
        call_id = f"c{self.pick((next(self.office.serial),) * 8 + (0, 1))}"
        headers = self.headers()
        if not self.number(8):
            headers = f"Replaces: {self.replaced()}"
        self.authorized(phone, "INVITE", uri, f"<{uri}>", call_id, self.body(phone), headers)

    def replaced(self) -> str:
        """A call by its name, or a dialog of anybody's, seen from either side."""
        running = [f"{name};to-tag=ringing;from-tag=calling" for name in self.office.exchange.calls]
        dialogs = [
            f"{one.call_id};to-tag={tags[0]};from-tag={tags[1]}"
            for phone in self.phones
            for one in phone.heard[-12:]
            for tags in (
                (one.to.tag or phone.tag, one.from_.tag),
                (one.from_.tag, one.to.tag or phone.tag),
            )
        ]
        early = self.pick(("", "", ";early-only"))
        return f"{self.pick((*running, *dialogs, 'x;to-tag=1;from-tag=2'))}{early}"

    def elsewhere(self) -> str:
        """Who is to be called instead: a number, and sometimes a call to replace."""
        replaces = f"?Replaces={quote(self.replaced())}" if not self.number(3) else ""
        return f"<sip:{self.pick(DIALED[:-1])}@{HOME.host}{replaces}>"

    def body(self, phone: Phone) -> bytes:
        video = phone.sdp() + b"m=video 5000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        good = (*(phone.sdp(),) * 30, phone.sdp("sendonly"), video)
        return bytes(self.pick((*good, *BODIES)))

    def headers(self) -> str:
        if self.number(8):
            return ""
        return f"{self.pick(EXTRA)}: {self.pick(VALUES)}"

    def answer(self) -> None:
        asked = [
            (phone, one)
            for phone in self.phones
            for one in phone.heard[-6:]
            if isinstance(one, Request) and one.method != "ACK"
        ]
        open_ones = [pair for pair in asked if id(pair[1]) not in self.answered]
        if not asked:
            return
        phone, request = self.pick((*asked, *open_ones * 6))
        status = self.pick(STATUSES)
        if status >= 200:
            self.answered.add(id(request))
        headers = self.headers()
        if 300 <= status < 400:
            headers = f"Contact: {self.elsewhere()}"
        phone.respond(
            request,
            status,
            body=self.body(phone),
            headers=headers,
            tag=self.pick((*("tt",) * 8, "other", "")),
            contact=self.pick((*(None,) * 8, "", "*")),
        )

    def go_on(self) -> None:
        """A request in a dialog: of an INVITE that was heard, or of a response to an own one."""
        begun = [
            (phone, one, one.contacts[0])
            for phone in self.phones
            for one in phone.heard[-6:]
            if isinstance(one.contacts, list)
            and one.contacts
            and (isinstance(one, Request) or (one.status < 300 and one.cseq.method == "INVITE"))
        ]
        if not begun:
            return
        phone, message, contact = self.pick(begun)
        method = self.pick(METHODS)
        mine = isinstance(message, Response)
        headers = self.headers()
        if method == "REFER" and self.number(8):
            headers = f"Refer-To: {self.elsewhere()}"
        phone.request(
            method,
            str(contact.uri),
            call_id=message.call_id,
            cseq=message.cseq.number + self.pick((-1, *(0 if method == "ACK" else 1,) * 8, 2, 7)),
            to=message.get("To" if mine else "From"),
            from_tag="ft"
            if mine
            else self.pick((*(phone.tag,) * 6, f"other{phone.address.host}", "x")),
            body=self.body(phone),
            headers=headers,
        )

    def spoil(self) -> None:
        """Something that was said before, with a fault in it."""
        if not self.said:
            return
        data = self.pick(self.said[-12:])
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        line = self.number(len(lines))
        match self.pick(("cancel", "replace", "remove", "repeat", "add", "cut", "octet", "same")):
            case "cancel":
                lines = [one.replace("INVITE", "CANCEL") for one in lines]
            case "replace":
                lines[line] = f"{lines[line].partition(':')[0]}: {self.pick(VALUES)}"
            case "remove":
                del lines[line]
            case "repeat":
                lines.append(lines[line])
            case "add":
                lines.append(f"{self.pick(NAMES)}: {self.pick(VALUES)}")
            case "cut":
                lines = lines[: line + 1]
            case "octet":
                spot = self.number(len(lines[line]) + 1)
                odd = self.pick(("\x00", "\udcfe", "\n", '"', "<", " ", "9"))
                lines[line] = lines[line][:spot] + odd + lines[line][spot:]
        text = "\r\n".join(lines).encode("utf-8", "surrogateescape")
        self.office.hear(text + b"\r\n\r\n" + body, self.pick(self.phones).flow)

    def wait(self) -> None:
        self.office.advance(self.pick((0.1, 0.5, 2.0, 10.0, 33.0, 70.0)))

    def disconnect(self) -> None:
        phone = self.pick(self.phones)
        if phone.connection:
            phone.reconnect(phone.connection + 1)
        else:
            self.office.endpoint.flow_failed(phone.flow, "unreachable", self.office.now)
            self.office.pump()

    def administer(self) -> None:
        exchange, now = self.office.exchange, self.office.now
        match self.pick(("silence", "hang up", "engine", *("sound",) * 6)):
            case "silence":
                exchange.stream_timed_out(20000 + 2 * self.number(PORTS + 1), now)
            case "hang up":
                exchange.hang_up(next(iter(exchange.calls), ""), now)
            case "engine":
                self.office.engine_ready()
            case "sound":
                name = self.pick(self.sounds()) if self.sounds() else 1
                exchange.reported(self.pick(REPORTS)(name), now)
        self.office.pump()

    def sounds(self) -> list[int]:
        """Ports, players and recordings: what the engine may speak of."""
        names: list[int] = []
        for command in self.office.media[-30:]:
            match command:
                case Voice():
                    names.append(command.port)
                case Play():
                    names.append(command.player)
                case Record():
                    names.append(command.recording)
        return names

    def step(self) -> None:
        """Let one thing happen."""
        self.pick(
            (
                *(self.call,) * 4,
                *(self.answer,) * 10,
                *(self.go_on,) * 10,
                *(self.spoil,) * 3,
                self.wait,
                self.disconnect,
                self.administer,
            )
        )()
        self.office.assert_private()

    def end(self) -> None:
        """Everybody falls silent."""
        self.office.exchange.stop(self.office.now)
        self.office.pump()
        self.office.advance(120)
        self.office.assert_empty()


class TestAnything:
    @settings(
        deadline=None,
        max_examples=60,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(data=st.data())
    def test_nothing_escapes_and_nothing_is_left(self, data: st.DataObject) -> None:
        storm = Storm(lambda below: data.draw(st.integers(0, below - 1)))
        for _ in range(data.draw(st.integers(1, 30))):
            storm.step()
        storm.end()

    @pytest.mark.parametrize("seed", range(50))
    def test_nothing_is_left_of_a_long_day(self, seed: int) -> None:
        storm = Storm(random.Random(seed).randrange)
        for _ in range(150):
            storm.step()
        storm.end()
