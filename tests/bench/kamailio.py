"""Kamailio (Debian's package) as registrar and call-stateful proxy with digest authentication.

The nearest thing to our exchange's signalling that every Debian offers: it keeps transactions and
dialogs and writes a line per call, but handles no media and is one step, not two, from end to end.
"""

import os
from pathlib import Path

from tests.interop import kamailio

_MODULES = "tm sl rr pv maxfwd textops siputils usrloc registrar auth dialog acc"

_ROUTES = """\
modparam("usrloc", "db_mode", 0)
modparam("auth", "nonce_count", 0)
modparam("auth", "qop", "auth")
modparam("dialog", "dlg_flag", 4)
modparam("acc", "log_flag", 1)
modparam("acc", "log_missed_flag", 1)
modparam("acc", "cdr_enable", 1)

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) t_relay();
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    t_check_trans();
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("minisipserver", "{password}", "0")) {{
            www_challenge("minisipserver", "1");
            exit;
        }}
        save("location");
        exit;
    }}
    if (is_method("INVITE")) {{
        if (!pv_proxy_authenticate("minisipserver", "{password}", "0")) {{
            proxy_challenge("minisipserver", "1");
            exit;
        }}
        consume_credentials();
        setflag(1);
        setflag(4);
        record_route();
        if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
        t_relay();
        exit;
    }}
    sl_send_reply("405", "Method Not Allowed");
}}
"""


class Kamailio(kamailio.Kamailio):
    """One Kamailio with one worker process; every user has the same password."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self.host = f"127.0.0.1:{port}"
        config = kamailio.head([f"udp:{self.host}"], _MODULES, debug=0)
        super().__init__(folder, config + _ROUTES.format(password=password), port)

    def cpu_s(self) -> float:
        """Return the CPU seconds that all its processes have used."""
        return sum(cpu_of(pid) for pid in session_of(self.program.pid))


def session_of(leader: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        fields = _stat(int(path.name))
        if fields and int(fields[3]) == leader:
            found.append(int(path.name))
    return found


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used, of itself and of children that ended."""
    fields = _stat(pid)
    ticks = sum(int(value) for value in fields[11:15]) if fields else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on (proc(5) calls that field 3)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()
