"""`minicdr` on files that the exchange's own writer has written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from pbx.call.cause import CallTag, Cause, by_hang_up, by_response, by_server
from pbx.cdr.csv_writer import CsvWriter
from pbx.cdr.record import records_of
from tests.cdr.samples import EPOCH, UTC, entry
from tests.tui.program import ENGLISH, Outcome
from tui.minicdr.commands import run

BYE = by_hang_up(CallTag.CALLER_HUNG_UP, [])
BUSY = by_response(486, "Busy Here", [])
NO_ROUTE = by_server(CallTag.NO_ROUTE)

DAY_S = 86400.0


@dataclass
class Exchange:
    """The record files of an exchange."""

    folder: Path

    def __post_init__(self) -> None:
        self._writer = CsvWriter(self.folder, lambda path, end: None, UTC)
        self._calls = 0

    def call(
        self,
        cause: Cause = BYE,
        *,
        ago_s: float = 0.0,
        ring_s: float = 4.0,
        talk_s: float | None = None,
        **changes: object,
    ) -> str:
        """Leave the records of a call that ended `ago_s` before `EPOCH`; return its own name."""
        self._calls += 1
        name = f"{self._calls:016x}"
        end = EPOCH - ago_s
        setup = end - (talk_s or 0.0) - ring_s
        base = entry(id=name, call_id=f"{self._calls}@phone")
        changes = {
            "setup_wall_s": setup,
            "alert_wall_s": setup + 0.25,
            "talk_wall_s": None if talk_s is None else end - talk_s,
            **changes,
        }
        made = msgspec.structs.replace(base, **changes)
        self._writer.append(records_of(made, cause, end, ("LO", "LT", "OO", "OT")))
        return name

    @property
    def newest(self) -> Path:
        """The newest file."""
        return sorted(self.folder.glob("*.csv"))[-1]


@pytest.fixture
def exchange(tmp_path: Path) -> Exchange:
    return Exchange(tmp_path / "data" / "cdr")


@pytest.fixture
def office(exchange: Exchange) -> Exchange:
    """Five calls on three days: talk, busy, from outside, to outside, unknown number."""
    exchange.folder.mkdir(parents=True)
    exchange.call(ago_s=2 * DAY_S, talk_s=60.0)
    exchange.call(BUSY, ago_s=DAY_S + 600, caller_number="102", called_number="103", codec="")
    exchange.call(
        ago_s=DAY_S,
        talk_s=30.5,
        caller_line="trunk",
        caller_number="+8613901088888",
        caller_addr="udp 203.0.113.7:5060",
    )
    exchange.call(
        ago_s=3600,
        talk_s=600.0,
        called_line="trunk",
        dialed_number="9555",
        called_number="555",
        called_addr="udp 203.0.113.7:5060",
        called_codec="G722",
        recordings=("20270115/a,b.wav",),
    )
    exchange.call(
        NO_ROUTE,
        caller_number="103",
        dialed_number="=1+1",
        called_number="",
        called_addr="",
        alert_wall_s=None,
    )
    return exchange


Run = Callable[..., Outcome]


@pytest.fixture
def minicdr(
    office: Exchange, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Run `minicdr` on the office's records, unless other paths are given."""
    monkeypatch.setenv("MINISIP_DATA", str(office.folder.parent))
    # a zone that is not that of the records
    monkeypatch.setenv("TZ", "UTC")

    def command(*args: str | Path, locale: str = ENGLISH) -> Outcome:
        capfd.readouterr()
        monkeypatch.setenv("LC_ALL", locale)
        monkeypatch.setattr("sys.argv", ["minicdr", *map(str, args)])
        code = run()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Outcome(code, out, err)

    return command
