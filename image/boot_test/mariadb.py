"""MariaDB on the box: it comes after the telephones, and gets the record of every call."""

import re
from typing import Any

from boot_test.box import Box
from boot_test.phones import Pair
from boot_test.steps import PASSWORD, PATIENCE_S, STEP_S, TALK_S, USERS, Household, records
from tests.interop.waiting import until


def has_mariadb(box: Box) -> bool:
    """Tell whether the image has MariaDB."""
    return "mariadbd" in box.run("ls /usr/sbin")


def gets_records(home: Household) -> None:
    """Wait until every call record of the box is in MariaDB; nothing on an image without it."""
    box = home.box
    if not has_mariadb(box):
        return
    with home.step("MariaDB has started, after the exchange"):
        until("MariaDB is active", lambda: _began_s(box, "mariadb") is not None, PATIENCE_S)
        exchange, database = _began_s(box, "minisipserver"), _began_s(box, "mariadb")
        assert exchange is not None
        assert database is not None
        assert exchange < database, f"the exchange at {exchange} s, MariaDB at {database} s"
    home.report.add(f"  since kernel start: SIP {exchange:.1f} s, MariaDB {database:.1f} s")
    with home.step("the record of every call is in MariaDB"):
        written = {row["record_id"] for row in records(box)}
        assert written
        until("all records", lambda: written <= _in_mariadb(box), PATIENCE_S)
    home.report.add(f"  {len(written)} records in MariaDB")


def stops_and_comes_back(home: Household) -> None:
    """Stop MariaDB in a call and start it again in another one; nothing on an image without it."""
    box = home.box
    if not has_mariadb(box):
        return
    before = _status(box)
    pair = Pair(home.folder / "phones-mariadb", home.ports, USERS, STEP_S)
    try:
        with home.step(
            "MariaDB is stopped in a call, which goes on; another one is made without it"
        ):
            pair.talk(TALK_S)
            box.root("systemctl stop mariadb", PASSWORD)
            pair.listen(TALK_S)
            pair.hang_up()
            until("the exchange says so", lambda: not _status(box)["database_ok"], STEP_S)
            pair.talk(TALK_S)
            pair.hang_up()
            until("two records wait", lambda: _status(box)["records_waiting"] == 2, STEP_S)
        with home.step("MariaDB is started in a call, which goes on; every record arrives"):
            pair.talk(TALK_S)
            box.root("systemctl start mariadb", PASSWORD, PATIENCE_S)
            until("the exchange has it again", lambda: _status(box)["database_ok"], STEP_S)
            pair.listen(TALK_S)
            pair.hang_up()
            until("none waits", lambda: _status(box)["records_waiting"] == 0, STEP_S)
            written = {row["record_id"] for row in records(box)}
            until("all records", lambda: written <= _in_mariadb(box), PATIENCE_S)
    finally:
        pair.close()
    with home.step("the exchange has not been restarted by it"):
        assert _status(box)["pid"] == before["pid"]


def _status(box: Box) -> dict[str, Any]:
    told: dict[str, Any] = box.json("minisip status --json")
    return told


def _in_mariadb(box: Box) -> set[str]:
    asked = "mariadb --skip-column-names --batch --execute='SELECT record_id FROM minisip.cdr'"
    # The exchange makes the table when it first gets there.
    return set(box.root(f"{asked} 2>/dev/null || true", PASSWORD).split())


def _began_s(box: Box, unit: str) -> float | None:
    """Return when a unit became active, in seconds since kernel start; None if it is not."""
    told = box.run(f"systemctl show -p ActiveState,ActiveEnterTimestampMonotonic {unit}")
    found = re.search(r"TimestampMonotonic=(\d+)", told)
    assert found, told
    return int(found[1]) / 1e6 if "ActiveState=active" in told else None
