"""What the box remembers of its first boot."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from first_boot.accounts import SERVICE_USER, OneTime
from first_boot.changed import STATE
from first_boot.machine import Machine
from first_boot.notes import Note, catalogue


@dataclass(frozen=True)
class State:
    """What has been taken over, and what there is to tell about it.

    Args:
        digests: SHA-256 of each file on the boot partition, as it was left there.
        notes: what was wrong.
        exchange: the settings that the exchange got from `minisip.toml`.
        hardware: those that the hardware agent got.
        users: the numbers that the exchange began with.
        one_time: the one-time password, until it has been changed.
        login: who may log in.
        wifi_from, wired_from: the files that the networks came from.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    exchange: Mapping[str, object] = field(default_factory=dict)
    hardware: Mapping[str, object] = field(default_factory=dict)
    users: tuple[str, ...] = ()
    one_time: OneTime | None = None
    login: str = SERVICE_USER
    wifi_from: str = ""
    wired_from: str = ""


def load(machine: Machine) -> State | None:
    """Return the state; None before the first boot, and where the file can't be understood."""
    try:
        data: dict[str, Any] = json.loads(machine.read(STATE))
        one_time = data.pop("one_time")
        notes = data.pop("notes")
        users = data.pop("users")
        return State(
            **data,
            notes=tuple(Note(**row) for row in notes if row["key"] in catalogue("en")),
            users=tuple(users),
            one_time=OneTime(**one_time) if one_time else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def save(machine: Machine, state: State) -> None:
    """Keep the state.

    Raises:
        OSError: it can't be written.
    """
    machine.make_folder("/var/lib/minisip")
    text = json.dumps(dataclasses.asdict(state), indent=1, default=str)
    machine.write(STATE, f"{text}\n", 0o600)
