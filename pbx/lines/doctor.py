"""The line doctor: takes a line step by step, and says of each how it went.

It watches the messages of the line while the line itself does what it always does; of its own it
sends only an OPTIONS to each address of the server, and the test call that a person asks for.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from pbx.config.line import Line
from pbx.lines.call_diagnosis import incoming, outgoing, sound
from pbx.lines.diagnosis import authentication, identity, registration, translated, translation
from pbx.lines.evidence import Evidence
from pbx.lines.finding import STEPS, Finding, Mark, finding
from pbx.lines.reach import Answers
from pbx.lines.server import Server
from pbx.lines.state import LineState, Phase
from pbx.media.protocol import Counts
from pbx.sip.endpoint import Endpoint
from pbx.sip.events import Event
from pbx.sip.flow import Flow
from pbx.sip.message import Message

DNS_S = 12.0
"""How long DNS may take."""

REACH_S = 5.0
"""How long an OPTIONS may be without an answer; it goes out four times meanwhile (§17.1.2.2)."""

REGISTER_S = 10.0
"""How long the registration may take."""

RING_S = 30.0
"""How long the test call may ring."""

TALK_S = 5.0
"""How long it is listened to: an answer whose ACK is lost has come four times by then (§13.3.1.4)."""

COUNT_S = 2.0
"""How long the media engine may take to count."""

LOOK_S = 0.1
"""How often it is looked how the line is, and the call."""

_CALL = ("INVITE", "ACK", "PRACK", "CANCEL", "BYE", "UPDATE")


class TrialCall(Protocol):
    """A call that a service of the exchange's makes, and the call that it comes back as."""

    @property
    def call_id(self) -> str:
        """Of our INVITE."""

    @property
    def answered(self) -> bool:
        """Somebody has answered it."""

    @property
    def ended(self) -> bool:
        """It is over."""

    @property
    def ports(self) -> tuple[int, int]:
        """Of its sound, and of the call that came back; 0 for none."""

    def hang_up(self, now: float) -> None:
        """End it, and the one that came back."""


class Practice(Protocol):
    """What the doctor needs of the parts around it."""

    @property
    def endpoint(self) -> Endpoint:
        """Sends and matches for us."""

    def token(self) -> str:
        """Return a fresh random string."""

    def server(self, line: Line) -> Server:
        """Return a line's server, to be looked for anew."""

    def state(self, name: str) -> LineState:
        """Return how a line is."""

    def renew(self, name: str, now: float) -> None:
        """Have a line register from the beginning."""

    def call(self, line: Line, number: str, now: float) -> TrialCall | None:
        """Call a number by a line; None where there is no way out by it."""


class _Stage(Enum):
    """What is waited for."""

    DNS = auto()
    REACH = auto()
    REGISTER = auto()
    CALL = auto()
    TALK = auto()
    COUNT = auto()
    DONE = auto()

    __hash__ = object.__hash__


class Doctor:
    """One examination: an `Owner` of its own requests, and `Ticking`.

    Args:
        line: the line.
        number: the number to call, best the line's own; empty for no call.
        practice: see `Practice`.
        told: called when there is something new, or `counting` begins.
        now: seconds, as for every `now` of this class.
    """

    def __init__(
        self, line: Line, number: str, practice: Practice, told: Callable[[], None], now: float
    ) -> None:
        self.line = line
        self.findings: list[Finding] = []
        self._number = number
        self._practice = practice
        self._told = told
        self._server = practice.server(line)
        self._evidence = Evidence(self._concerns)
        self._reach = Answers(line, practice.endpoint, practice.token)
        self._call: TrialCall | None = None
        self._stage, self._deadline = _Stage.DNS, now + DNS_S
        practice.endpoint.trace.watcher = self._evidence
        self._look(now)

    @property
    def done(self) -> bool:
        """Whether all has been said."""
        return self._stage is _Stage.DONE

    @property
    def counting(self) -> bool:
        """Whether it waits for the media engine's counts: `counted`."""
        return self._stage is _Stage.COUNT

    def stop(self, now: float) -> None:
        """End it, whatever is still open."""
        if self.done:
            return
        if self._call is not None:
            self._call.hang_up(now)
        self._practice.endpoint.trace.watcher = None
        self._stage = _Stage.DONE
        self._told()

    # ---------------------------------------------------------------- what comes in

    def owns(self, event: Event) -> bool:
        """Whether an event is of an OPTIONS of ours."""
        return self._reach.owns(event)

    def handle(self, event: Event, now: float) -> None:
        """Take an event of one."""
        self._reach.receive(event, now)
        self._look(now)

    def resolved(self, now: float) -> None:
        """Take note that DNS has answered something."""
        self._look(now)

    def counted(self, counts: Counts | None, now: float) -> None:
        """Take the media engine's counts; None where it hasn't counted."""
        if self.counting:
            self._called(counts, now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is due; None for never."""
        if self.done:
            return None
        return min(self._next_look, self._deadline)

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        if not self.done:
            self._look(now)

    # ---------------------------------------------------------------- the stages

    def _look(self, now: float) -> None:
        self._next_look = now + LOOK_S
        late = now >= self._deadline
        match self._stage:
            case _Stage.DNS:
                self._look_dns(now, late=late)
            case _Stage.REACH:
                if late or self._reach.complete:
                    self._reached(now)
            case _Stage.REGISTER:
                if late or self._settled():
                    self._registered(now)
            case _Stage.CALL:
                self._look_call(now, late=late)
            case _Stage.TALK:
                assert self._call is not None
                if late or self._call.ended:
                    self._wait(_Stage.COUNT, now + COUNT_S)
                    self._told()
            case _Stage.COUNT:
                if late:
                    self._called(None, now)
            case _Stage.DONE:
                pass

    def _wait(self, stage: _Stage, until: float) -> None:
        self._stage, self._deadline = stage, until

    def _say(self, *findings: Finding) -> None:
        self.findings += findings
        self._told()

    def _skip(self, now: float) -> None:
        """Say of what is left that it wasn't tried, and end."""
        said = {one.step for one in self.findings}
        left = [step for step in STEPS if step not in said]
        self._say(*(finding(step, Mark.SKIPPED, "skipped") for step in left))
        self.stop(now)

    def _look_dns(self, now: float, *, late: bool) -> None:
        found = self._server.locate(now)
        if found is None and not late:
            return
        line, host = self.line, self._server.name
        if not found:
            trouble = self._server.trouble
            nowhere = trouble is not None and trouble.slug == "no-way"
            logical = line.registers and not line.proxy
            slug = "dns-no-way" if nowhere else "dns-logical" if logical else "dns-none"
            self._say(finding("dns", Mark.BAD, slug, server=host))
            self._skip(now)
            return
        assert self._server.flow is not None
        paths = [self._server.flow, *self._server.others]
        listed = ", ".join(map(str, paths))
        if paths[0].remote.host == host.strip("[]"):
            self._say(finding("dns", Mark.GOOD, "dns-address", server=paths[0]))
        else:
            self._say(finding("dns", Mark.GOOD, "dns-found", server=host, addresses=listed))
        ourselves = next((path for path in paths if path.remote == path.local), None)
        if ourselves is not None:
            self._say(finding("reach", Mark.BAD, "reach-self", server=ourselves))
            self._skip(now)
            return
        self._wait(_Stage.REACH, now + REACH_S)
        self._reach.ask(paths, now)

    def _reached(self, now: float) -> None:
        self._say(self._reach.finding(registers=self.line.registers))
        if not self.line.enabled:
            self._say(finding("register", Mark.BAD, self._off(), line=self.line.name))
            self._skip(now)
            return
        if not self.line.registers:
            self._say(
                finding("register", Mark.SKIPPED, "register-trunk"),
                finding("authentication", Mark.SKIPPED, "authentication-trunk"),
            )
            self._identified(now)
            return
        self._wait(_Stage.REGISTER, now + REGISTER_S)
        self._practice.renew(self.line.name, now)

    def _off(self) -> str:
        return "register-off" if self.line.registers else "register-off-trunk"

    def _settled(self) -> bool:
        """Whether the registration has come to an end, good or bad."""
        phase = self._practice.state(self.line.name).phase
        return bool(self._evidence.sent("REGISTER")) and phase in (Phase.UP, Phase.DOWN)

    def _registered(self, now: float) -> None:
        state = self._practice.state(self.line.name)
        answers = self._reach.answer is not None
        self._say(
            registration(self.line, state, self._evidence, answers=answers),
            authentication(self.line, self._evidence),
        )
        self._identified(now)

    def _identified(self, now: float) -> None:
        state = self._practice.state(self.line.name)
        self._say(*identity(self.line, state))
        seen = translation(self._evidence, self._reach.answer)
        own = self._server.flow
        if seen and own is not None:
            self._say(translated(self.line, seen, own))
        if not self._number:
            self._not_called(state, now)
        elif not state.usable:
            self._skip(now)
        else:
            self._begin_call(now)

    # ---------------------------------------------------------------- the test call

    def _not_called(self, state: LineState, now: float) -> None:
        last = state.last_incoming
        if last is None:
            came = finding("incoming", Mark.SKIPPED, "incoming-never")
        else:
            minutes = round((now - last) / 60)
            slug = "incoming-last" if minutes else "incoming-just"
            came = finding("incoming", Mark.GOOD, slug, minutes=minutes)
        name = self.line.name
        self._say(finding("outgoing", Mark.SKIPPED, "outgoing-not-asked", line=name), came)
        self._say(finding("sound", Mark.SKIPPED, "sound-not-asked"))
        self._skip(now)

    def _begin_call(self, now: float) -> None:
        # First: its INVITE leaves at once
        self._wait(_Stage.CALL, now + RING_S)
        self._call = self._practice.call(self.line, self._number, now)
        if self._call is None:
            self._say(finding("outgoing", Mark.BAD, "outgoing-unsent", number=self._number))
            self._skip(now)

    def _look_call(self, now: float, *, late: bool) -> None:
        assert self._call is not None
        if self._call.answered and not self._call.ended:
            self._wait(_Stage.TALK, now + TALK_S)
        elif late or self._call.ended:
            self._called(None, now)

    def _called(self, counts: Counts | None, now: float) -> None:
        call, evidence = self._call, self._evidence
        assert call is not None
        out = outgoing(self._number, evidence, call.call_id)
        self._say(out, incoming(self._number, evidence, call.call_id, out))
        if call.answered:
            self._say(sound(counts, call.ports, evidence, call.call_id))
        self._skip(now)

    def _concerns(self, message: Message, flow: Flow) -> bool:
        method = message.cseq.method
        if method != "REGISTER":
            return method in _CALL and self._stage in (_Stage.CALL, _Stage.TALK, _Stage.COUNT)
        user = getattr(message.to.uri, "user", None)
        return bool(user == self.line.user)
