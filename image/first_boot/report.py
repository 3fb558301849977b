"""What the box tells: `minisip-report.txt` on the boot partition, and the greeting before a login."""

import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from first_boot.accounts import SERVICE_USER, OneTime, password_hash
from first_boot.machine import Machine, replace_file
from first_boot.notes import LANGUAGES, clean, say
from first_boot.state import State, load, save

REPORT = "minisip-report.txt"
ISSUE = "/etc/issue.d/minisip.issue"
CLIENT = "/usr/bin/minisip"

_ROUNDS = 5
"""How often the report is written anew because an address changed while it was written."""


@dataclass(frozen=True)
class Live:
    """The running box.

    Args:
        status: the exchange's answer to ``status``; empty while it doesn't answer.
        welcome: its answer to ``welcome``.
        addresses: of the box, IPv4 first.
    """

    status: dict[str, Any]
    welcome: dict[str, Any]
    addresses: tuple[str, ...]


def report(machine: Machine, wait_s: float, clock: Callable[[], float] = time.monotonic) -> None:
    """Write the report as soon as the exchange answers, at most `wait_s` seconds from now.

    Raises:
        OSError: it can't be written.
    """
    state = forget_used_password(machine, load(machine) or State())
    deadline = clock() + wait_s
    for _ in range(_ROUNDS):
        live = look(machine, max(0.0, deadline - clock()))
        write_report(machine, state, live)
        if _addresses(machine) == live.addresses:
            return


def look(machine: Machine, wait_s: float) -> Live:
    """Return how the box is, `wait_s` seconds after this at the latest."""
    # `minisip welcome` does the waiting: it is there as soon as the exchange is
    welcome = _answer(machine, "welcome", "--json", "--wait", str(round(wait_s)), wait_s=wait_s)
    status = _answer(machine, "status", "--json") if welcome else {}
    return Live(status, welcome, _addresses(machine))


def _answer(machine: Machine, *words: str, wait_s: float = 0) -> dict[str, Any]:
    outcome = machine.run(
        "runuser", "-u", SERVICE_USER, "--", CLIENT, *words, patience_s=wait_s + 60
    )
    try:
        answer = json.loads(outcome.out) if outcome.code == 0 else {}
    except ValueError:
        answer = {}
    return answer if isinstance(answer, dict) else {}


def _addresses(machine: Machine) -> tuple[str, ...]:
    """Return the addresses that other machines can use, IPv4 first."""
    outcome = machine.run("ip", "-json", "address", "show", "up")
    try:
        links = json.loads(outcome.out) if outcome.code == 0 else []
    except ValueError:
        links = []
    found = [
        (address["family"] == "inet6", address["local"])
        for link in links
        for address in link.get("addr_info", ())
        if address.get("scope") == "global" and not address.get("temporary")
    ]
    return tuple(address for _, address in sorted(found))


def forget_used_password(machine: Machine, state: State) -> State:
    """Return the state without a one-time password that has been changed, and keep it so."""
    once = state.one_time
    if once is None or password_hash(machine, once.user) == once.password_hash:
        return state
    state = replace(state, one_time=None)
    save(machine, state)
    write_issue(machine, state)
    return state


def write_report(machine: Machine, state: State, live: Live | None) -> None:
    """Write the report where it says something new.

    Args:
        live: None before the exchange and the network are there.

    Raises:
        OSError: the boot partition can't be written to.
    """
    texts = [_text(machine, spoken, state, live) for spoken in LANGUAGES]
    # Notepad of any age shows this: byte order mark, CR LF
    octets = "\r\n".join(line for text in texts for line in [*text, ""]).encode("utf-8-sig")
    path = machine.boot / REPORT
    with contextlib.suppress(OSError):
        if path.read_bytes() == octets:
            return
    with machine.boot_writable():
        replace_file(path, octets)


def write_issue(machine: Machine, state: State) -> None:
    """Write what stands above ``login:`` on screen and serial line.

    agetty puts name and addresses in, and shows them again when they change. Chinese follows only
    where it was chosen: a screen without a desktop has no Chinese letters.
    """
    chinese = "LANG=zh" in machine.read("/etc/locale.conf")
    lines = []
    for spoken in LANGUAGES if chinese else ("en",):
        lines.append(say(spoken, "issue-box"))
        if state.one_time:
            once = state.one_time
            lines.append(say(spoken, "issue-once", user=once.user, password=once.password))
    machine.write(ISSUE, "\n".join(lines) + "\n\n", 0o600)


def _text(machine: Machine, spoken: str, state: State, live: Live | None) -> list[str]:
    name = clean(machine.read("/etc/hostname").strip()) or "minisip"
    addresses = live.addresses if live else ()
    rows = [
        ("report-name", f"{name} ({name}.local)"),
        ("report-addresses", ", ".join(addresses) or say(spoken, "report-no-address")),
        *_exchange_rows(spoken, live),
        ("report-login", f"ssh {state.login}@{name}.local"),
    ]
    lines = [say(spoken, "report-title"), ""]
    lines += [f"{say(spoken, key)}: {value}" for key, value in rows]
    lines += _password_lines(spoken, state.one_time)
    lines += _phone_lines(spoken, live)
    lines += ["", say(spoken, "report-notes" if state.notes else "report-no-notes")]
    lines += [f"  - {one.sentence(spoken)}" for one in state.notes]
    return lines


def _exchange_rows(spoken: str, live: Live | None) -> list[tuple[str, str]]:
    if live is None:
        return [("report-exchange", say(spoken, "report-starting"))]
    if not live.status:
        return [("report-exchange", say(spoken, "report-silent"))]
    servers = [clean(str(one)) for one in _outside(live.status.get("addresses", ()))]
    state = "report-running"
    if not live.status.get("engine_pid"):
        state = "report-no-engine"
    elif not live.status.get("database_ok", True):
        state = "report-no-database"
    certificate = clean(str(live.status.get("certificate", "")))
    return [
        ("report-sip", ", ".join(servers) or say(spoken, "report-no-address")),
        *([("report-certificate", certificate)] if certificate else []),
        ("report-version", clean(str(live.status.get("version", "?")))),
        ("report-exchange", say(spoken, state)),
    ]


def _outside(addresses: Sequence[object]) -> list[object]:
    """Return what phones can reach: not the box's own loopback."""
    return [one for one in addresses if " 127." not in str(one) and "[::1]" not in str(one)]


def _password_lines(spoken: str, once: OneTime | None) -> list[str]:
    if once is None:
        return []
    return ["", say(spoken, "report-once", user=once.user), f"  {once.password}"]


def _phone_lines(spoken: str, live: Live | None) -> list[str]:
    users = live.welcome.get("users", ()) if live else ()
    rows = [
        f"  {clean(str(user.get('number', '')))}  {clean(str(user.get('password', '')))}"
        for user in users
    ]
    return ["", say(spoken, "report-phones"), *rows] if rows else []
