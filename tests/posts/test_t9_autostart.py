"""Linux 系统启动时自动运行 miniSIPServer, the post on starting with the system: T9.1 to T9.4.

Here systemd's own tools judge the units, and the exchange is started as the units start it; a systemd
that runs as the first process starts them in `tests/deb` (`TestAutostart`), and the boot test in an emulator.
"""

import os
import shutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deb.unit_root import (
    ALONE,
    FOLDER,
    POST,
    UNITS,
    WITH_MARIADB,
    make_root,
    rc_local,
    systemd_tool,
)
from tests.interop.baresip import Baresip
from tests.interop.conversation import HIGH_HZ, LOW_HZ, TALK_S, talk, two_phones
from tests.interop.exchange import Exchange
from tests.interop.mariadb import MariaDb
from tests.interop.ports import Ports
from tests.interop.waiting import until
from tests.posts.ordinary import (
    AS_ORDINARY_USER,
    capabilities,
    family,
    gone,
    kill,
    parent,
    terminal,
)

NewExchange = Callable[..., Exchange]
NewPhone = Callable[..., Baresip]

UNIT = "minisipserver.service"

pytestmark = pytest.mark.interop


# ---------------------------------------------------------------- the unit, as systemd reads it


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with our units, and no MariaDB."""
    return make_root(tmp_path / "root")


def add_mariadb(root: Path) -> None:
    """Put a service of that name into a root."""
    unit = "[Service]\nExecStart=/opt/sipserver/minisipserver-cli\n"
    (root / FOLDER / "mariadb.service").write_text(unit)


def settings(root: Path) -> dict[str, list[str]]:
    """Return what holds for our service, by name: its unit's and its drop-ins' words, in order."""
    done = systemd_tool("systemd-analyze", f"--root={root}", "cat-config", f"systemd/system/{UNIT}")
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        name, sign, words = line.partition("=")
        if sign and not line.startswith("#"):
            found[name] += words.split()
    return found


def assert_starts_with_the_system(root: Path) -> None:
    """Have systemd verify the service, and enable it as the post says."""
    done = systemd_tool("systemd-analyze", "verify", "--man=no", f"--root={root}", UNIT)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = systemd_tool("systemctl", f"--root={root}", "enable", "minisipserver")
    assert done.returncode == 0, done.stderr
    link = root / "etc/systemd/system/multi-user.target.wants" / UNIT
    assert link.is_symlink()
    assert (root / str(link.readlink()).lstrip("/")).is_file()
    done = systemd_tool("systemctl", f"--root={root}", "is-enabled", "minisipserver")
    assert done.stdout == "enabled\n"


def test_T9_1_the_post_s_own_unit(root: Path) -> None:
    text = (WITH_MARIADB / UNIT).read_text()
    assert text == POST
    add_mariadb(root)
    alone = root / "etc/systemd/system" / UNIT
    alone.parent.mkdir(parents=True)
    alone.write_text(text)
    shutil.rmtree(root / FOLDER / f"{UNIT}.d")
    assert_starts_with_the_system(root)
    found = settings(root)
    assert found["Requires"] == found["After"] == ["network.target", "mariadb.service"]
    assert (found["Type"], found["User"], found["KillMode"]) == (["simple"], ["pi"], ["process"])
    assert found["ExecStart"] == ["/opt/sipserver/minisipserver-cli"]


def test_T9_1_after_mariadb_but_not_stopped_by_it(root: Path) -> None:
    """Better than the post's: what it requires would take the telephones with it when it stops."""
    add_mariadb(root)
    drop_in = root / f"etc/systemd/system/{UNIT}.d/40-mariadb.conf"
    drop_in.parent.mkdir(parents=True)
    shutil.copy(WITH_MARIADB / drop_in.name, drop_in)
    assert_starts_with_the_system(root)
    found = settings(root)
    assert found["After"] == ["network.target", "mariadb.service"]
    assert found["Wants"] == ["mariadb.service"]
    assert found["Requires"] == ["network.target"]


def test_T9_2_without_a_database_mariadb_is_not_named(root: Path) -> None:
    assert (UNITS / UNIT).read_text() == ALONE
    assert not (root / FOLDER / "mariadb.service").exists()
    assert_starts_with_the_system(root)
    named = [word for words in settings(root).values() for word in words]
    assert not [word for word in named if "mariadb" in word or "mysql" in word]


# ---------------------------------------------------------------- MariaDB, and none


def test_T9_1_mariadb_is_stopped_and_started_again_under_calls(
    new_exchange: NewExchange,
    new_phone: NewPhone,
    database: MariaDb,
) -> None:
    exchange = new_exchange(top=f'database = "{database.url}"')
    # One call lasts until MariaDB has started and the exchange, which asks ever less often, sees it
    caller, callee = two_phones(exchange, new_phone, tone_s=300.0)

    def hang_up() -> None:
        mark = callee.mark
        caller.hang_up()
        callee.wait_event("CALL_CLOSED", after=mark)

    talk(caller, callee)
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    database.stop()
    # The call goes on ...
    caller.wait_heard(HIGH_HZ, heard[0] + TALK_S)
    callee.wait_heard(LOW_HZ, heard[1] + TALK_S)
    hang_up()
    until("it is noticed", lambda: not exchange.status().database_ok, 30, why_not=exchange.why)
    # ... another one begins and ends without MariaDB ...
    talk(caller, callee)
    hang_up()
    until("both records wait", lambda: exchange.status().records_waiting == 2, 30)
    # ... and a third is there when it comes back.
    talk(caller, callee)
    database.start()
    until("the exchange has it again", lambda: exchange.status().database_ok, 60)
    heard = caller.heard_s(HIGH_HZ), callee.heard_s(LOW_HZ)
    caller.wait_heard(HIGH_HZ, heard[0] + TALK_S)
    callee.wait_heard(LOW_HZ, heard[1] + TALK_S)
    hang_up()
    records = exchange.wait_records(3)

    def arrived() -> bool:
        return database.query("SELECT COUNT(*) FROM cdr") == [(3,)]

    until("every record arrives", arrived, 60, why_not=exchange.why)
    rows = database.query("SELECT record_id, caller_number, dialed_number FROM cdr")
    assert sorted(rows) == sorted((one["record_id"], "100", "101") for one in records)
    assert {record.fci["callTag"] for record in records} == {"102"}
    exchange.assert_sane()


def asked_over_tcp(pid: int) -> list[str]:
    """Return the ports, on any machine, to which a process has TCP connections."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            own.add(str(link.readlink()))
        except OSError:  # closed meanwhile
            continue
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    # proc(5): the remote address, the state (0A: listens) and the inode
    mine = [row for row in rows if f"socket:[{row[9]}]" in own and row[3] != "0A"]
    return [str(int(row[2].rpartition(":")[2], 16)) for row in mine]


def test_T9_2_it_runs_on_its_own_database(exchange: Exchange) -> None:
    assert "sqlite, in order" in exchange.minisip("status")
    assert (exchange.folder / "minisip.db").is_file()
    assert asked_over_tcp(exchange.pid) == []


# ---------------------------------------------------------------- the program, as the unit starts it


def told_and_ended(*phones: Baresip) -> None:
    """Wait until each phone is told of its call's end, and end it."""
    for phone in phones:
        phone.wait_event("CALL_CLOSED")
        # Nobody is left to answer its good-bye, which it would wait for.
        phone.program.signal(signal.SIGKILL)


def test_T9_3_in_the_foreground_as_an_ordinary_user_and_nothing_is_left(
    new_exchange: NewExchange, new_phone: NewPhone
) -> None:
    exchange = new_exchange(through=AS_ORDINARY_USER)
    # What was started is what runs, and not a child that it has left behind
    assert exchange.status().pid == exchange.pid
    assert parent(exchange.pid) == os.getpid()
    assert terminal(exchange.pid) == 0
    assert capabilities(exchange.pid) == 0
    caller, callee = two_phones(exchange, new_phone)
    talk(caller, callee)
    all_of_it = family(exchange.pid)
    assert exchange.status().engine_pid in all_of_it
    # To the main process alone, as KillMode=process has it
    assert exchange.stop() == 0
    told_and_ended(caller, callee)
    until("nothing is left", lambda: gone(all_of_it), 10, why_not=exchange.why)
    (record,) = exchange.wait_records(1)
    assert record["release_time"]
    assert "Traceback" not in exchange.log()


def test_T9_4_from_rc_local(
    ports: Ports, new_phone: NewPhone, tmp_path: Path, closing: ExitStack
) -> None:
    exchange = Exchange(tmp_path / "data", ports, through=AS_ORDINARY_USER)
    script = rc_local()
    (line,) = [line for line in script.splitlines() if line.startswith("setpriv")]
    assert line.endswith(" /opt/sipserver/minisipserver-cli &")
    path = tmp_path / "rc.local"
    path.write_text(script.replace(line, " ".join(exchange.argv) + " &"))
    with (tmp_path / "said").open("wb") as said:
        # As rc-local.service runs it, which goes on when it has ended
        done = subprocess.run(
            ["/bin/sh", str(path), "start"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            timeout=60,
            check=False,
            start_new_session=True,
        )
    assert done.returncode == 0
    status = until(
        "it is ready",
        lambda: one if (one := exchange.try_status()) and one.engine_pid else None,
        90,
        why_not=(tmp_path / "said").read_text,
    )
    all_of_it = family(status.pid)
    closing.callback(kill, all_of_it)
    assert status.engine_pid in all_of_it
    assert terminal(status.pid) == 0
    caller, callee = two_phones(exchange, new_phone)
    talk(caller, callee)
    os.kill(status.pid, signal.SIGTERM)
    told_and_ended(caller, callee)
    until("nothing is left", lambda: gone(all_of_it), 15)
    exchange.wait_records(1)
