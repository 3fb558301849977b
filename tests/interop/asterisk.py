"""Asterisk as a set of phones: each of its lines registers, calls and is called by itself.

Debian's stable releases have no Asterisk; `./build.sh test` unpacks sid's below ``build/asterisk``,
where it runs with sid's own libraries.
"""

import itertools
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.interop import asterisk_conf
from tests.interop.ami import Ami, Message
from tests.interop.asterisk_conf import Line
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.interop.program import Program
from tests.interop.tones import Recording, write_tone
from tests.interop.waiting import until

UNPACKED = Path(__file__).parents[2] / "build" / "asterisk"


@dataclass(frozen=True, slots=True)
class Installed:
    """Where Asterisk is: the words that start it, its modules and its data."""

    argv: list[str]
    modules: Path
    data: Path


def installed() -> Installed:
    """Return where Asterisk is; the test is skipped where nobody offers it."""
    libraries = next(UNPACKED.glob("usr/lib/*-linux-gnu/asterisk"), None)
    if libraries is not None:
        folder = libraries.parent
        loader = next(folder.glob("ld-linux-*.so.*"))
        program = str(UNPACKED / "usr/sbin/asterisk")
        argv = [str(loader), "--library-path", str(folder), program]
        return Installed(argv, libraries / "modules", UNPACKED / "usr/share/asterisk")
    system = shutil.which("asterisk", path="/usr/sbin:/usr/bin")
    if system is None:
        pytest.skip(
            "no Asterisk: `./build.sh test` installs or unpacks it where it can (build/setup.log)"
        )
    modules = next(Path("/usr/lib").glob("*-linux-gnu/asterisk/modules"))
    return Installed([system], modules, Path("/usr/share/asterisk"))


@dataclass
class AsteriskCall:
    """One call of a line's, which the other side or it has begun.

    Args:
        asterisk: whose.
        id: Asterisk's name of it.
        number: whom it has called.
    """

    asterisk: "Running"
    id: str
    number: str = ""

    def _event(self, kind: str, **fields: str) -> Message:
        return self.asterisk.wait(kind, 10.0, Uniqueid=self.id, **fields)

    @property
    def channel(self) -> str:
        """Asterisk's other name of it."""
        return self._event("Newchannel")["Channel"]

    def wait_talking(self) -> None:
        """Wait until it is answered."""
        self._event("Newstate", ChannelStateDesc="Up")

    def wait_ringing(self) -> None:
        """Wait until the other side rings."""
        self._event("Newstate", ChannelStateDesc="Ringing")

    def wait_ended(self) -> str:
        """Wait until it has ended; return its cause (Q.850)."""
        return self._event("Hangup")["Cause"]

    def hang_up(self) -> None:
        """End it, or give it up."""
        self.asterisk.ami.ask("Hangup", Channel=self.channel)

    def go(self, extension: str, **variables: str) -> None:
        """Have it do what the dialplan says under `extension`."""
        channel = self.channel
        for name, value in variables.items():
            self.asterisk.ami.ask("Setvar", Channel=channel, Variable=name, Value=value)
        self.asterisk.ami.ask(
            "Redirect", Channel=channel, Context="far", Exten=extension, Priority="1"
        )

    def press(self, keys: str) -> None:
        """Dial keys, by the way of its line."""
        self.go("keys", KEYS=keys)

    def keys(self) -> str:
        """Return the keys that have come."""
        found = self.asterisk.ami.find("DTMFEnd", Uniqueid=self.id, Direction="Received")
        return "".join(event["Digit"] for event in found)

    def transfer(self, uri: str) -> Message:
        """Transfer the other party by REFER; return what became of it, when the call has ended."""
        self.go("transfer", TARGET=uri)
        return self._event("UserEvent", UserEvent="Transferred")

    def replacing(self) -> str:
        """Return the Replaces header that names this call to its other party."""

        def ask(what: str) -> str:
            answer = self.asterisk.ami.ask(
                "Getvar", Channel=self.channel, Variable=f"CHANNEL(pjsip,{what})"
            )
            return answer["Value"]

        own, other = ask("local_tag"), ask("remote_tag")
        return f"{ask('call-id')};to-tag={other};from-tag={own}"

    def heard_s(self, tone_hz: float) -> float:
        """Return for how long it has brought the tone."""
        path = self.asterisk.folder / "heard" / f"{self.id}.sln48"
        if not path.exists():
            return 0.0
        raw = path.read_bytes()
        samples = np.frombuffer(raw[: len(raw) // 2 * 2], "<i2").astype(np.float64) / 32767
        return Recording(samples, 48000).talking(tone_hz).seconds

    def wait_heard(self, tone_hz: float, seconds: float) -> None:
        """Wait until it has brought so much of the tone."""
        until(
            f"Asterisk hears {seconds:g} s of {tone_hz:g} Hz",
            lambda: self.heard_s(tone_hz) >= seconds,
            why_not=self.asterisk.why,
        )


class Running:
    """An Asterisk's program and its control connection.

    Args:
        folder: with its files in ``etc``.
        control: the port that they name.
    """

    folder: Path
    program: Program
    ami: Ami

    def start(self, folder: Path, control: int) -> None:
        """Start it, and wait until it can be told what to do."""
        self.folder = folder
        argv = [*installed().argv, "-f", "-C", str(folder / "etc/asterisk.conf")]
        self.program = Program("asterisk", argv, folder, prompt=True)
        try:
            self.ami = Ami(control, "test", "test")
        except AssertionError as failed:
            self.program.end()
            raise AssertionError(f"{failed}\n{self.why()}") from None
        try:
            # Before, it drops requests without an answer; over TCP they come once only.
            self.wait("FullyBooted", 30)
        except AssertionError:
            self.close()
            raise

    def why(self) -> str:
        """Return what it has printed and logged at the end."""
        log = self.folder / "log/messages"
        said = log.read_text(errors="replace")[-9000:] if log.exists() else ""
        return f"{self.program.last_words()}\n--- its log:\n{said}"

    def wait(self, kind: str, within_s: float = 30.0, **fields: str) -> Message:
        """Wait for the first event of a kind with these values."""
        return until(
            f"Asterisk tells of {kind} {fields}",
            lambda: next(iter(self.ami.find(kind, **fields)), None),
            within_s,
            why_not=self.why,
        )

    def close(self) -> None:
        """End it."""
        self.ami.close()
        self.program.end()


@dataclass
class Asterisk(Running):
    """A running Asterisk that registers its lines with one exchange.

    Args:
        folder: for all its files.
        ports: where it gets its ports from.
        exchange: where it registers.
        lines: its numbers; they are to be users of the exchange.
        tone_hz: what it plays.
    """

    folder: Path
    ports: Ports
    exchange: Exchange
    lines: Sequence[Line]
    tone_hz: float
    _calls: "itertools.count[int]" = field(default_factory=itertools.count)
    _taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        found = installed()
        first = self.ports.block(6)
        rtp = self.ports.block(40)
        asterisk_conf.write(
            self.folder,
            self.lines,
            servers={
                "udp": self.exchange.host,
                "tcp": self.exchange.host,
                "tls": self.exchange.secure_host,
            },
            trusts=self.exchange.certificate,
            ports=(first, first + 2, first + 4),
            rtp=range(rtp, rtp + 40),
            modules=found.modules,
            data=found.data,
        )
        write_tone(self.folder / "tone.wav", self.tone_hz, 60.0)
        self.start(self.folder, first + 4)
        try:
            for line in self.lines:
                self.exchange.wait_contacts(line.number)
        except AssertionError as failed:
            self.close()
            raise AssertionError(f"{failed}\n{self.why()}") from None

    def incoming(self, how: str) -> None:
        """Say what who calls gets from now on: ``talk``, ``ring`` or ``early``."""
        self.ami.ask("Setvar", Variable="INCOMING", Value=how)

    def dial(self, line: str, number: str) -> AsteriskCall:
        """Call a number of the exchange's."""
        call = AsteriskCall(self, f"{line}-{next(self._calls)}", number)
        self.ami.ask(
            "Originate",
            Channel=f"PJSIP/{number}@{line}",
            ChannelId=call.id,
            Context="far",
            Exten="called",
            Priority="1",
            Async="true",
            EarlyMedia="true",
            CallerID=line,
        )
        return call

    def called(self, line: str) -> AsteriskCall:
        """Wait for the next call to a line; each is returned once."""

        def found() -> Message | None:
            name = re.compile(rf"PJSIP/{line}-")
            calls = [
                event
                for event in self.ami.find("Newchannel", Context="far", Exten=line)
                if name.match(event["Channel"]) and event["Uniqueid"] not in self._taken
            ]
            return calls[0] if calls else None

        event = until(f"Asterisk's line {line} is called", found, why_not=self.why)
        self._taken.add(event["Uniqueid"])
        return AsteriskCall(self, event["Uniqueid"])
