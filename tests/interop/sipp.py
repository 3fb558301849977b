"""sipp (Debian's sip-tester): many calls at once, and phones that do one special thing."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.interop import scenario
from tests.interop.ports import Ports
from tests.interop.program import Program, find
from tests.interop.waiting import until


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the exchange, and where its sipp runs.

    Args:
        user, password: the account.
        port: sipp's own port.
        contact_port: where the exchange reaches it; another than `port` behind a proxy.
        server: host and port that sipp sends to: the exchange's or a proxy's.
        address: our own, for SIP and RTP.
    """

    user: str
    password: str
    port: int
    contact_port: int
    server: str
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Load:
    """How many calls sipp makes.

    Args:
        calls: how many in all; 0 for a callee without end.
        rate: new ones in a second.
        talk_ms: the length of every pause of the scenario.
        rtp_ports: RTP ports that its SDP names, one call after the other.
        limit_s: sipp gives up after so long.
        at_once: the most calls at the same time.
        echo: sound comes back as it was, on the first of the RTP ports.
        media_port: where sipp itself sends sound from, if it does: four ports on with each call.
        traced: all messages are kept, however many calls there are.
        patient: what comes once more is passed over: the network is bad, or the machine was busy
            for longer than the half second after which a request is repeated.
    """

    calls: int = 1
    rate: float = 10
    talk_ms: int = 1000
    rtp_ports: Iterable[int] = field(default=(9,))
    limit_s: int = 60
    at_once: int = 10000
    patient: bool = False
    echo: bool = False
    media_port: int = 0
    traced: bool = False


class Sipp:
    """One sipp process.

    Args:
        name: names its files and failures.
        folder: where they go.
        text: the scenario.
        account: whose phone it is.
        number: what it dials.
        load: how much.
        transport: ``u1`` for UDP, ``t1`` for TCP.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        text: str,
        account: Account,
        *,
        number: str = "",
        load: Load | None = None,
        transport: str = "u1",
    ) -> None:
        program = find("sipp")
        load = load or Load()
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.port = account.port
        self.log = folder / f"{name}.log"
        self.log.touch()
        self.messages = folder / f"{name}.messages"
        self._errors = folder / f"{name}.errors"
        self._statistics = folder / f"{name}.csv"
        (folder / f"{name}.xml").write_text(text)
        lines = "".join(f"{port}\n" for port in load.rtp_ports)
        (folder / f"{name}.ports").write_text("SEQUENTIAL\n" + lines)
        argv = [program, account.server, "-sf", f"{name}.xml", "-inf", f"{name}.ports"]
        own = ["-i", account.address, "-mi", account.address, "-p", str(account.port)]
        argv += ["-t", transport, *own]
        argv += ["-au", account.user, "-ap", account.password]
        argv += ["-key", "user", account.user, "-key", "password", account.password]
        argv += ["-key", "expires", "300", "-key", "fold", " "]
        argv += ["-key", "contact_port", str(account.contact_port)]
        if number:
            argv += ["-key", "number", number, "-auth_uri", f"{number}@{account.server}"]
        argv += ["-m", str(load.calls)] if load.calls else []
        argv += ["-r", str(load.rate), "-d", str(load.talk_ms), "-l", str(load.at_once)]
        argv += ["-timeout", f"{load.limit_s}s", "-timeout_error"]
        argv += ["-max_retrans", "12", "-max_invite_retrans", "8", "-nostdin"]
        media_port = next(iter(load.rtp_ports)) if load.echo else load.media_port
        argv += ["-mp", str(media_port)] if media_port else []
        argv += ["-rtp_echo"] if load.echo else []
        argv += ["-trace_err", "-error_file", self._errors.name]
        argv += ["-trace_logs", "-log_file", self.log.name]
        argv += ["-trace_stat", "-stf", self._statistics.name, "-fd", "1"]
        argv += ["-default_behaviors", "all,-abortunexp"] if load.patient else []
        if load.traced or 0 < load.calls <= 5:
            argv += ["-trace_msg", "-message_file", self.messages.name]
        self.program = Program(name, argv, folder)
        try:
            until(f"sipp {name} listens", lambda: self._listens(account.port, transport))
        except AssertionError:
            self.program.end()
            raise

    def _listens(self, port: int, transport: str) -> bool:
        table = Path("/proc/net/udp" if transport == "u1" else "/proc/net/tcp").read_text()
        return f":{port:04X} " in table or not self.program.running

    def statistics(self) -> dict[str, str]:
        """Return sipp's own counts, as far as it has written them."""
        if not self._statistics.exists():
            return {}
        with self._statistics.open(newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
        return dict(rows[-1]) if rows else {}

    @property
    def successful(self) -> int:
        """Calls that went as the scenario says."""
        return int(self.statistics().get("SuccessfulCall(C)") or 0)

    @property
    def failed(self) -> int:
        """Calls that did not."""
        return int(self.statistics().get("FailedCall(C)") or 0)

    @property
    def current(self) -> int:
        """Calls that it has now."""
        return int(self.statistics().get("CurrentCall") or 0)

    def why(self) -> str:
        """Return what it has to say about failures."""
        errors = self._errors.read_text(errors="replace")[:3000] if self._errors.exists() else ""
        sent = self.messages.read_text(errors="replace")[-9000:] if self.messages.exists() else ""
        counts = {
            name: value
            for name, value in self.statistics().items()
            if name.startswith("Failed") and name.endswith("(C)") and value not in ("0", "")
        }
        return f"--- sipp {self.name}: {counts}\n{errors}\n{sent}"

    def finish(self, within_s: float = 30.0) -> None:
        """Wait until it ends, and assert that every call went as the scenario says."""
        until(
            f"sipp {self.name} ends", lambda: not self.program.running, within_s, why_not=self.why
        )
        assert self.program.process.returncode == 0, self.why()
        assert self.failed == 0, self.why()

    def close(self) -> None:
        """End the program."""
        self.program.end(1)


def account(
    ports: Ports, user: str, password: str, server: str, *, contact_port: int = 0
) -> Account:
    """Return an account whose sipp gets a port of its own."""
    port = ports.one()
    return Account(user, password, port, contact_port or port, server)


def register(folder: Path, who: Account, *, transport: str = "u1") -> None:
    """Register `who` from its own port, so that the exchange calls it there."""
    name = f"register-{who.user}-{who.port}"
    sipp = Sipp(name, folder, scenario.registration(), who, transport=transport)
    try:
        sipp.finish(30)
    finally:
        sipp.close()
