"""Takes over what the files on the boot partition say: at the first boot, and when they changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from first_boot import accounts, exchange, network, place, sources
from first_boot.boot_text import TAKEN_OVER
from first_boot.changed import digests, read_files
from first_boot.machine import Machine, overwrite, replace_file
from first_boot.notes import Note, note
from first_boot.preset import NAME as PRESET
from first_boot.sources import Gathered
from first_boot.state import State, load, save
from first_boot.wishes import Wishes

CMDLINE = "cmdline.txt"

# What Imager appends so that Raspberry Pi OS runs firstrun.sh, and boots into nothing else.
_RUNS_SCRIPT = re.compile(r"\bsystemd\.run=\S*/firstrun\.sh\b")
_PARTS = re.compile(
    r" *\b(systemd\.run=\S*|systemd\.run_success_action=\S*|systemd\.unit=kernel-command-line\.target)"
)


@dataclass
class _Work:
    """The steps of one take-over, and what they found."""

    machine: Machine
    notes: list[Note] = field(default_factory=list)

    def step(self, name: str, step: Callable[[], list[Note]]) -> None:
        """Do a step; whatever happens in it, the others are done and the box boots."""
        try:
            self.notes += step()
        except Exception as error:
            why = getattr(error, "strerror", None) or repr(error)
            self.notes.append(note("step-failed", step=name, why=why))


def apply(machine: Machine) -> State | None:
    """Take over what is new on the boot partition.

    Returns:
        What is to be told now; None where nothing has changed since the last time.
    """
    work = _Work(machine)
    before = load(machine)
    work.step("machine-id", lambda: _machine_id(machine))
    work.step(CMDLINE, lambda: _boot_normally(machine))
    files = read_files(str(machine.boot))
    if before and before.digests == digests(files) and not work.notes:
        return None
    gathered = sources.gather(files)
    work.notes += gathered.notes
    state = _take_over(work, gathered, before)
    # On the disk before the secrets go from the card: a power cut in between repeats, and loses nothing.
    save(machine, state)
    work.step("blanking", lambda: _blank(machine, gathered))
    left = digests(read_files(str(machine.boot)))
    state = replace(state, digests=left, notes=tuple(work.notes))
    save(machine, state)
    return state


def _take_over(work: _Work, gathered: Gathered, before: State | None) -> State:
    machine, wishes = work.machine, gathered.wishes
    old = before or State()
    one_time, taken = old.one_time, dict(old.exchange)

    def settle_exchange() -> list[Note]:
        nonlocal taken
        if PRESET not in gathered.readable:
            return []
        taken, notes = exchange.set_exchange(machine, wishes.exchange, old.exchange, wishes.home)
        return notes

    def settle_hardware() -> list[Note]:
        if PRESET not in gathered.readable:
            return []
        return exchange.set_hardware(machine, wishes.hardware, old.hardware)

    def let_somebody_in() -> list[Note]:
        nonlocal one_time
        if before or accounts.who_may_log_in(machine, wishes):
            return []
        one_time, notes = accounts.give_one_time_password(machine)
        return notes

    work.step("place", lambda: place.set_place(machine, wishes))
    work.step("accounts", lambda: accounts.set_accounts(machine, wishes))
    work.step("password", let_somebody_in)
    work.step("network", lambda: _set_networks(machine, gathered, old))
    work.step("exchange", settle_exchange)
    work.step("hardware", settle_hardware)
    work.step("users", lambda: _set_users(machine, wishes, before))
    return State(
        gathered.digests,
        tuple(work.notes),
        taken,
        dict(wishes.hardware if PRESET in gathered.readable else old.hardware),
        old.users if before else tuple(user.number for user in wishes.users),
        one_time,
        accounts.who_may_log_in(machine, wishes) or old.login,
        gathered.wifi_from or old.wifi_from,
        gathered.wired_from or old.wired_from,
    )


def _machine_id(machine: Machine) -> list[Note]:
    place.give_machine_id(machine)
    return []


def _set_networks(machine: Machine, gathered: Gathered, old: State) -> list[Note]:
    wishes, notes = gathered.wishes, []
    if wishes.wifi:
        notes += network.set_wifi(machine, wishes.wifi)
    elif old.wifi_from in gathered.faultless:
        # the file that had named it doesn't any more; a file that is gone or broken takes no
        # network away from a box that nobody could reach then
        machine.remove(network.WIFI)
    if wishes.wired:
        network.set_wired(machine, wishes.wired)
    elif old.wired_from in gathered.faultless:
        machine.remove(network.WIRED)
    return notes


def _set_users(machine: Machine, wishes: Wishes, before: State | None) -> list[Note]:
    if before is None:
        exchange.set_first_country(machine, wishes.home)
        return exchange.set_first_users(machine, wishes.users)
    # The exchange has its users; a later edit of theirs belongs to `minisip user`.
    late = [
        user.number
        for user in wishes.users
        if user.number not in before.users or user.password not in ("", TAKEN_OVER)
    ]
    return [note("users-late", numbers=", ".join(late))] if late else []


def _blank(machine: Machine, gathered: Gathered) -> list[Note]:
    if not gathered.blanked:
        return []
    try:
        with machine.boot_writable():
            for name, octets in gathered.blanked.items():
                overwrite(machine.boot / name, octets)
    except OSError as error:
        return [note("boot-not-writable", why=error.strerror or error)]
    return []


def _boot_normally(machine: Machine) -> list[Note]:
    """Take Imager's ``firstrun.sh`` out of the kernel's command line."""
    line = _command_line(machine)
    if _RUNS_SCRIPT.search(line):
        with machine.boot_writable():
            replace_file(machine.boot / CMDLINE, _PARTS.sub("", line).encode())
    return []


def must_start_again(machine: Machine) -> bool:
    """Tell whether this boot is the one that Imager meant for ``firstrun.sh`` alone."""
    meant = _RUNS_SCRIPT.search(machine.read("/proc/cmdline"))
    # where the command line couldn't be cleaned, starting again would never end
    return bool(meant and not _RUNS_SCRIPT.search(_command_line(machine)))


def _command_line(machine: Machine) -> str:
    try:
        return (machine.boot / CMDLINE).read_text("utf-8", "replace")
    except OSError:
        return ""
