"""What is done with the box, in order; each step is told with its time, and fails with a sentence."""

import csv
import hashlib
import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boot_test.box import Box
from boot_test.figures import Report, memory, read_kb, written_kb
from boot_test.lan import BOX, Lan, mdns_answers, secure_sip_answers, sip_answers
from boot_test.machine import Card, Machine
from boot_test.phones import Crowd, Pair
from tests.deb.packages import Variant
from tests.interop.ports import Ports
from tests.interop.waiting import until

PASSWORD = "boot test: quite secret"
"""Of user pi."""

USERS = [("100", "first-secret-7"), ("101", "second-secret-8")]

PATIENCE_S = 1800.0
"""For the slowest things: an emulated boot on a machine that does other work beside."""

STEP_S = 300.0
"""For one thing that the running box is asked to do."""

SYSTEM_MB, EXCHANGE_MB, MARIADB_MB = 400, 250, 120
"""What all of the system, exchange with media engine, and MariaDB may use, with so many calls."""

WRITTEN_MB = 50
"""What may be written to the card in a day without calls, and for 100 calls."""

QUIET_KB, QUIET_S = 64, 30.0
"""A box that writes less in this time has ended its start; 64 kB in 30 s would be 180 MB a day."""

TALK_S = 3.0
CALLS = 10

# What a person writes into the file on the boot partition.
SETTINGS = """\
language = "en"

[box]
hostname = "minisip"
password = "{password}"
ssh_key = "{key}"

[sip]
max_contacts = 3
"""
USER = """
[[user]]
number = "{number}"
name = "Phone {number}"
password = "{secret}"
"""


@dataclass(slots=True)
class Household:
    """Everything of one test."""

    folder: Path
    lan: Lan
    card: Card
    machine: Machine
    box: Box
    ports: Ports
    report: Report

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Tell a step and how long it took; on failure what the box said last."""
        began = time.monotonic()
        try:
            yield
        except BaseException:
            self.report.add(f"FAILED after {time.monotonic() - began:.1f} s: {what}")
            raise
        self.report.add(f"ok {time.monotonic() - began:8.1f} s  {what}")

    def wait_sip(self) -> None:
        """Wait until the exchange answers."""

        def answers() -> bool:
            assert self.machine.running(), "the emulator has ended"
            return sip_answers()

        until("SIP is answered", answers, PATIENCE_S, why_not=self.machine.why)

    def start(self, what: str) -> float:
        """Power on and wait until the exchange answers; tells the times; returns the first one."""
        given = self.lan.leases_given()
        began = self.machine.power_on()
        with self.step(f"{what}: SIP is answered"):
            network = self.lan.wait_lease(given, PATIENCE_S, self.machine.running) - began
            self.wait_sip()
        sip = time.monotonic() - began
        self.report.add(
            f"  {what}: network after {network:.1f} s, SIP after {sip:.1f} s (emulated)"
        )
        return began


def settings(public_key: str) -> str:
    """Return the minisip.toml of the household."""
    text = SETTINGS.format(password=PASSWORD, key=public_key)
    return text + "".join(USER.format(number=number, secret=secret) for number, secret in USERS)


def prepare(home: Household) -> None:
    """Write minisip.toml onto the card."""
    path = home.folder / "minisip.toml"
    path.write_text(settings(home.box.public_key))
    home.card.write(path, "minisip.toml")


def first_start(home: Household) -> Pair:
    """Power on for the first time, register two phones and make a call with sound."""
    began = home.start("first power-on")
    with home.step("two phones register, call each other, and each hears the other's tone"):
        pair = Pair(home.folder / "phones-1", home.ports, USERS, STEP_S)
        pair.talk(TALK_S)
        pair.hang_up()
    report = home.report
    report.add(
        f"  first power-on: first call over after {time.monotonic() - began:.1f} s (emulated)"
    )
    return pair


def names(home: Household) -> None:
    """Find the box by its name in the network."""
    with home.step("minisip.local and its services are found by multicast DNS"):
        address = bytes(map(int, BOX.split(".")))
        until("minisip.local", lambda: address in mdns_answers("minisip.local", 1), STEP_S)
        for service in ("_sip._udp.local", "_sips._tcp.local", "_ssh._tcp.local"):
            until(service, lambda name=service: mdns_answers(name, 12), STEP_S)  # type: ignore[misc]


def secure(home: Household) -> None:
    """Connect by TLS as a phone that trusts the box's certificate, by the name that it is found by."""
    with home.step("TLS with minisip.local's own certificate, and SIP is answered over it"):
        home.box.wait_ssh(STEP_S)
        certificate = home.box.run("cat ~/.minisipserver/tls/certificate.pem")
        until("an answer", lambda: secure_sip_answers(certificate, "minisip.local"), STEP_S)
        told = home.box.json("minisip status --json")
        assert f"tls {BOX}:5061" in told["addresses"], told
        der = ssl.PEM_cert_to_DER_cert(certificate)
        assert told["certificate"] == hashlib.sha256(der).digest().hex(":").upper(), told


def log_in(home: Household) -> None:
    """Log in by SSH with the key of minisip.toml, and look at the console's Home screen."""
    box = home.box
    with home.step("SSH lets pi in, and the exchange says that it is well"):
        box.wait_ssh(STEP_S)
        status = box.json("minisip status --json")
        assert status["engine_pid"], status
    with home.step("the console's Home screen over SSH says that phones can call"):
        screen = box.screen("console", "Phones can call", STEP_S)
        home.folder.joinpath("console.txt").write_text(screen)


def looks_right(home: Household) -> None:
    """Check what the first boot should have done."""
    box = home.box
    with home.step("the root is read-only, and nothing went wrong on the way"):
        assert "ro" in box.run("findmnt -no OPTIONS /").strip().split(",")
        assert box.run("cat /run/minisip/data-lost 2>/dev/null || true") == ""
        failed = box.run("systemctl --failed --plain --no-legend").strip()
        assert not failed, failed
    with home.step("the data partition has grown over the card"):
        size = home.card.path.stat().st_size

        def grown() -> bool:
            kb = int(box.run("df --output=size /data | tail -n 1"))
            return kb * 1024 > size * 0.8 - 1900 * 2**20

        until("/data is as large as the card", grown, STEP_S)
    with home.step("secrets are gone from the boot partition, and the report is there"):
        text = box.root("cat /boot/firmware/minisip.toml", PASSWORD)
        for secret in (PASSWORD, *(secret for _, secret in USERS)):
            assert secret not in text, text
        report = "/boot/firmware/minisip-report.txt"
        until(
            "the report",
            lambda: BOX in box.root(f"cat {report} 2>/dev/null || true", PASSWORD),
            STEP_S,
        )
        home.folder.joinpath("minisip-report.txt").write_text(box.root(f"cat {report}", PASSWORD))
    with home.step("no kernel was compiled on the box"):
        log = box.root("journalctl -b -u minisipserver --no-pager", PASSWORD)
        assert "compiling" not in log, log


def figures(home: Household) -> None:
    """Measure: boot, memory idle and with ten calls, writes to the card."""
    box, report = home.box, home.report
    until(
        "the boot has settled",
        lambda: "finished in" in box.run("systemd-analyze || true").lower(),
        STEP_S,
    )
    report.add("  " + box.run("systemd-analyze").strip().replace("\n", "\n  "))
    blame = box.run("systemd-analyze blame --no-pager | head -n 15")
    report.add(
        "  slowest units:\n" + "\n".join(f"    {line.strip()}" for line in blame.splitlines())
    )
    report.add(f"  read from the card since power-on: {read_kb(box) / 1024:.0f} MB")
    quiet = memory(box, PASSWORD)
    report.add(f"  memory without calls: {quiet.used_kb / 1024:.0f} MB used by the whole system")
    report.table(quiet)
    with home.step(f"{CALLS} calls at once, with sound both ways"):
        crowd = Crowd(home.folder / "crowd", home.ports, USERS, CALLS, 30)
        try:
            crowd.wait_talking(STEP_S)
            busy = memory(box, PASSWORD)
            heard = crowd.finish(STEP_S)
        finally:
            crowd.close()
        assert heard.pairs == 2 * CALLS, heard
    both = busy.of("minisipserver-cli", "pbx.media.engine")
    report.add(
        f"  memory with {CALLS} calls: {busy.used_kb / 1024:.0f} MB used by the whole system, "
        f"{both / 1024:.0f} MB (PSS) of it by exchange and media engine; "
        f"{heard.received} of {heard.sent} packets arrived"
    )
    report.table(busy, 6)
    with home.step("memory is within its bounds, for a board of 512 MB"):
        assert busy.used_kb <= SYSTEM_MB * 1024
        assert both <= EXCHANGE_MB * 1024
        assert busy.of("mariadbd") <= MARIADB_MB * 1024


def card_writes(home: Household, minutes: float) -> None:
    """Measure how much the box writes to its card: idle, and for calls."""
    box = home.box

    def settled_kb() -> int:
        box.run("sync")
        return written_kb(box)

    def quiet() -> bool:
        before = settled_kb()
        time.sleep(QUIET_S)  # what is measured is this time
        return settled_kb() - before <= QUIET_KB

    # Idle is after the start: MariaDB alone writes 2 MB at it, once.
    until(f"less than {QUIET_KB} kB are written in {QUIET_S:g} s", quiet, PATIENCE_S)
    home.report.add(f"  written to the card by the start: {settled_kb()} kB")
    before, began = settled_kb(), time.monotonic()
    time.sleep(60 * minutes)  # what is measured is this time
    idle_kb = settled_kb() - before
    idle_mb = idle_kb / 1024 * 86400 / (time.monotonic() - began)
    before = settled_kb()
    with home.step(f"{CALLS} short calls"):
        crowd = Crowd(home.folder / "short", home.ports, USERS, CALLS, 3)
        try:
            crowd.finish(STEP_S)
        finally:
            crowd.close()
    calls_kb = settled_kb() - before
    a_day = idle_mb + calls_kb / 1024 * 100 / CALLS
    home.report.add(
        f"  written to the card: {idle_kb} kB in {minutes:g} min idle, {calls_kb} kB for {CALLS} calls; "
        f"idle and 100 calls: {a_day:.0f} MB a day"
    )
    with home.step(f"at most {WRITTEN_MB} MB would be written in a day, 100 calls included"):
        assert a_day <= WRITTEN_MB


def update(home: Household, package: Path) -> None:
    """Install another version as a person does: from a file, without the Internet, on a read-only root.

    Args:
        package: the one that is on the image; another is made of it.
    """
    box = home.box
    variant = Variant(package, home.folder / "packages", "9.9.9")
    variant.number()
    file = variant.pack()
    with home.step("`minisip update FILE` installs another version, phones find it well"):
        box.put(file, "next.deb", PATIENCE_S)
        file.unlink()
        told = box.root("minisip update ~pi/next.deb 2>&1", PASSWORD, PATIENCE_S)
        home.folder.joinpath("update.txt").write_text(told)
        box.run("rm next.deb")
        assert box.json("minisip status --json")["version"] == variant.version, told
        _short_call(home, "phones-update")
    free = box.run("df --output=avail -m / /data | tail -n 2").split()
    home.report.add(f"  free after the update: {free[0]} MB on /, {free[1]} MB on /data")


def restart(home: Household) -> None:
    """Restart it as a person does; everything is as before."""
    box = home.box
    before = box.boot_id()
    version = box.json("minisip status --json")["version"]
    given = home.lan.leases_given()
    began = time.monotonic()
    with home.step("sudo reboot: SIP is answered again"):
        box.root("systemctl --no-block reboot", PASSWORD)
        home.lan.wait_lease(given, PATIENCE_S, home.machine.running)
        home.wait_sip()
    home.report.add(
        f"  reboot: SIP after {time.monotonic() - began:.1f} s, shutdown included (emulated)"
    )
    with home.step("SSH has the same host key, and it is another boot, the same version"):
        box.wait_ssh(STEP_S)
        assert box.boot_id() != before
        assert box.json("minisip status --json")["version"] == version
        assert "ro" in box.run("findmnt -no OPTIONS /").strip().split(",")


def plug(home: Household) -> None:
    """Pull the plug in the middle of a call: the box comes back with its record of it."""
    box = home.box
    with home.step("a call; the plug is pulled in the middle"):
        pair = Pair(home.folder / "phones-2", home.ports, USERS, STEP_S)
        try:
            pair.talk(TALK_S)
            home.machine.pull_the_plug()
        finally:
            pair.close()
    home.start("power after the plug")
    with home.step("the call's record is there: ended by a restart of the exchange (callTag 308)"):
        box.wait_ssh(STEP_S)
        rows = until(
            "a record with callTag 308",
            lambda: [row for row in records(box) if "callTag=308" in row["fci"]],
            STEP_S,
        )
        (row,) = rows
        assert row["caller_number"] == USERS[0][0], row
        home.report.add(f"  its record: {row['setup_time']} to {row['release_time']}, {row['fci']}")
    with home.step("records of before are there too, and the card is sound"):
        assert len(records(box)) > 1
        assert box.run("cat /run/minisip/data-lost 2>/dev/null || true") == ""
        checked = box.run("cat /run/minisip/data-check || true").strip()
        home.report.add(
            f"  check of the data partition: {checked.splitlines()[-1] if checked else '-'}"
        )
    with home.step("two phones call each other again"):
        _short_call(home, "phones-3")


def _short_call(home: Household, folder: str) -> None:
    """Register two phones anew, make a call with sound, and end it."""
    pair = Pair(home.folder / folder, home.ports, USERS, STEP_S)
    try:
        pair.talk(TALK_S)
        pair.hang_up()
    finally:
        pair.close()


def records(box: Box) -> list[dict[str, str]]:
    """Return all call records of the box."""
    text = box.run("cat ~/.minisipserver/cdr/CDR_*.csv")
    lines = text.replace("\ufeff", "").splitlines()
    head = lines[0]
    body = [head, *(line for line in lines[1:] if line != head)]
    return list(csv.DictReader(io.StringIO("\n".join(body))))
