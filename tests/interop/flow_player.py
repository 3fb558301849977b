"""Plays a figure of an RFC on the running exchange, between plain phones on real sockets.

On a clean path each phone must hear exactly what the figure has, in its order. On a bad one what is
sent only once may be missing (provisional responses, and the NOTIFYs that later ones make up for),
and what overtakes is taken when its turn comes.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from tests.interop.lossy import Weather
from tests.interop.plain_phone import Line, PlainPhone
from tests.interop.plain_sip import Message
from tests.scenarios.figure import NUMBERS, Step, phone_of, phones_in, says, steps

WITHIN_S = 45.0
"""Longer than Timer B."""


@dataclass
class Play:
    """One performance of a figure.

    Args:
        title, figure: which.
        server: the exchange's host and port.
        prefix: of the numbers of its users, whose last digit the figure's number has.
        password: theirs.
        weather, seed: of every phone's path.
        unregistered: phones that have not registered before it begins.
        natted: phones behind a router.
        new_phone: makes a phone.
        rounds: how often it is played, each time with other calls.
    """

    title: str
    figure: str
    server: str
    prefix: str
    password: str
    weather: Weather = field(default_factory=Weather)
    seed: str = ""
    unregistered: tuple[str, ...] = ()
    natted: tuple[str, ...] = ()
    new_phone: Callable[..., PlainPhone] = PlainPhone
    rounds: int = 1
    phones: dict[str, PlainPhone] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    heard: dict[str, Message] = field(default_factory=dict)
    """What each line heard last."""
    records: list[tuple[str, str]] = field(default_factory=list)
    """Tag and cause of each call record that the figure has."""
    failure: str = ""
    round: int = 0

    @property
    def bad(self) -> bool:
        return self.weather != Weather()

    def number(self, given: str) -> str:
        """Return the number here of what the figure calls so."""
        if given.startswith("*6*"):
            return f"{given}{self.prefix}"
        return f"{self.prefix}{given[-1]}" if given in NUMBERS.values() else given

    @property
    def numbers(self) -> list[str]:
        """Of its users."""
        names = phones_in(steps(self.figure))
        return sorted({self.number(NUMBERS[name]) for name in names})

    async def run(self) -> None:
        """Play it; what goes wrong is kept as its failure."""
        played = steps(self.figure)
        try:
            await self._open(phones_in(played))
        except AssertionError as error:
            self.failure = f"{self.title}: registering: {error}\n{self.trace()}"
            return
        for number in range(self.rounds):
            self.round = number
            self.lines.clear()
            self.heard.clear()
            for number, step in enumerate(played, start=1):
                try:
                    await self._step(step)
                except AssertionError as error:
                    where = f"{self.title}, round {self.round}, F{number} {step.text}"
                    self.failure = f"{where}: {error}\n{self.trace()}"
                    return

    def trace(self) -> str:
        """Return what the phones said and heard."""
        return "\n".join(
            f"--- {name}\n" + "\n".join(phone.trace[-80:]) for name, phone in self.phones.items()
        )

    def ended(self) -> None:
        """Look at what is left when every call is over, and close the phones."""
        for phone in self.phones.values():
            left = [one for line in phone.lines.values() for one in line.inbox]
            left += phone.unclaimed
            odd = phone.faults + [
                f"{phone.number} hears what the figure lacks: {one.start}"
                for one in left
                if not (self.bad and (one.status in range(100, 200) or one.method == "NOTIFY"))
            ]
            if odd and not self.failure:
                self.failure = f"{self.title}: {odd}\n{self.trace()}"
            phone.close()

    # ---------------------------------------------------------------- phones

    async def _open(self, names: Iterable[str]) -> None:
        for name in names:
            phone = self.phones[name] = self.new_phone(
                self.number(NUMBERS[name]),
                self.password,
                self.server,
                weather=self.weather,
                seed=f"{self.title} {name} {self.seed}",
                inner="10.11.12.13" if name in self.natted else "",
            )
            await phone.open()
            if name not in self.unregistered:
                line = Line(phone, f"registration-{phone.number}-{phone.port}@{phone.host}")
                for step in steps(_REGISTRATION.format(name)):
                    if step.hears:
                        await self._hear(line, step)
                    else:
                        self._register(line, step)
        for phone in self.phones.values():
            phone.bad = self.bad

    def _line(self, step: Step) -> Line:
        line = self.lines.get(step.who)
        if line is None:
            phone = self.phones[phone_of(step.who)]
            call_id = (
                ""
                if step.hears
                else f"{step.who}-{self.round}-{phone.number}-{phone.port}@{phone.host}"
            )
            line = self.lines[step.who] = Line(phone, call_id)
        return line

    # ---------------------------------------------------------------- what they hear

    async def _step(self, step: Step) -> None:
        if step.who == "record":
            self.records.append((step.words[0], step.words[1]))
        elif step.who == "wait":
            # What is waited for comes by itself.
            pass
        elif step.hears:
            await self._hear(self._line(step), step)
        elif step.what.isdigit():
            self._respond(self._line(step), step)
        else:
            await self._request(self._line(step), step)

    async def _hear(self, line: Line, step: Step) -> None:
        if self.bad and step.passing:
            self.heard.pop(step.who, None)
            return

        def fits(message: Message) -> bool:
            what = str(message.status) if message.status else message.method
            text = message.data.decode(errors="replace")
            return what == step.what and all(says(what, text, word) for word in step.more)

        message = await line.next(WITHIN_S, fits if self.bad else None)
        assert fits(message), f"there came\n{message.data.decode(errors='replace')}"
        line.note(message)
        self.heard[step.who] = message

    # ---------------------------------------------------------------- what they say

    def _respond(self, line: Line, step: Step) -> None:
        request = line.invited if "invite" in step.more else self.heard.get(step.who)
        if self.bad and (request is None or request.method == "NOTIFY"):
            # The phone has answered by itself.
            return
        assert request is not None
        moved = step.dialled
        contact = f"<sip:{self.number(moved)}@{line.phone.server}>" if moved else ""
        headers = [("Contact", contact)] if moved else []
        body = line.phone.sdp(step.direction) if step.direction else ""
        line.respond(request, int(step.what), headers, body, contact=self._contact(line, step))

    @staticmethod
    def _contact(line: Line, step: Step) -> str:
        return f"<{line.phone.contact}>" + (";isfocus" if "focus" in step.more else "")

    async def _request(self, line: Line, step: Step) -> None:
        match step.what:
            case "REGISTER":
                self._register(line, step)
            case "ACK":
                line.acknowledge(*self._body(line, step))
            case "CANCEL":
                if self.bad:
                    # RFC 3261 §9.1: "If no provisional response has been received, the CANCEL
                    # request MUST NOT be sent"
                    await line.next(WITHIN_S, lambda one: 100 <= one.status < 200)
                line.cancel()
            case "INVITE" | "SUBSCRIBE" | "MESSAGE" if not (line.dialog or line.invited):
                self._begin(line, step)
            case _:
                self._within(line, step)

    def _body(self, line: Line, step: Step) -> tuple[list[tuple[str, str]], str]:
        """The headers of a body, and the body."""
        if step.what == "MESSAGE":
            return [("Content-Type", "text/plain")], "Alice is on my line. Do you take her?"
        if not step.direction:
            return [], ""
        return [("Content-Type", "application/sdp")], line.phone.sdp(step.direction)

    def _register(self, line: Line, step: Step) -> None:
        phone = line.phone
        expires = step.value("expires")
        line.begin(
            "REGISTER",
            f"sip:{phone.server}",
            f"sip:{phone.number}@{phone.server}",
            [("Expires", expires)] if expires else [],
            authorized="auth" in step.more,
            contact="" if "query" in step.more else f"<{phone.contact}>",
            wrong="wrong" in step.more,
        )

    def _begin(self, line: Line, step: Step) -> None:
        dialled = step.dialled
        uri = f"sip:{self.number(dialled)}@{line.phone.server}" if dialled else line.uri
        contact = "" if step.what == "MESSAGE" else self._contact(line, step)
        if step.what == "INVITE" and not step.direction and "late" not in step.more:
            step = Step(step.text, step.who, (*step.words, "sendrecv"))
        headers, body = self._body(line, step)
        headers += self._headers(step)
        line.begin(
            step.what, uri, uri, headers, body, authorized="auth" in step.more, contact=contact
        )

    def _within(self, line: Line, step: Step) -> None:
        headers, body = self._body(line, step)
        if step.what == "REFER":
            uri = f"sip:{self.number(step.dialled)}@{line.phone.server}"
            if replaced := step.value("replaces"):
                uri += f"?Replaces={quote(self.lines[replaced].names())}"
            headers.append(("Refer-To", f"<{uri}>"))
        else:
            headers += self._headers(step)
        line.within(step.what, headers, body, contact=self._contact(line, step))

    def _headers(self, step: Step) -> list[tuple[str, str]]:
        headers = []
        if step.what == "SUBSCRIBE":
            headers = [("Event", "dialog"), ("Accept", "application/dialog-info+xml")]
            headers += [("Expires", step.value("expires") or "600")]
        if "join" in step.more:
            headers += [("Require", "join"), ("Join", "a@b;to-tag=1;from-tag=2")]
        if "auth" in step.more and (replaced := step.value("replaces")):
            told = self.heard[replaced].body
            found = re.search(r'call-id="(.*?)" local-tag="(.*?)" remote-tag="(.*?)"', told)
            assert found, told
            call_id, to_tag, from_tag = found.groups()
            value = f"{call_id};to-tag={to_tag};from-tag={from_tag};early-only"
            headers += [("Require", "replaces"), ("Replaces", value)]
        return headers


_REGISTRATION = """
    {0} > REGISTER expires=600
    {0} < 401
    {0} > REGISTER auth expires=600
    {0} < 200
"""
