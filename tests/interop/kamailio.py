"""Kamailio (Debian's package), started with a configuration."""

from collections.abc import Sequence
from pathlib import Path

from tests.interop.program import Program, find
from tests.interop.waiting import until

_HEAD = """\
#!KAMAILIO
debug={debug}
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
mpath="{folder}"
"""


def head(listen: Sequence[str], modules: str, *, debug: int = 1) -> str:
    """Return the begin of a configuration.

    Args:
        listen: its addresses, such as ``udp:127.0.0.1:5060``; without TCP among them it has none.
        modules: the names of what it loads, with spaces between.
        debug: how much it says; 0 for little.
    """
    folder = next(
        (
            path
            for path in (
                *Path("/usr/lib").glob("*/kamailio/modules"),
                Path("/usr/lib/kamailio/modules"),
            )
            if path.is_dir()
        ),
        None,
    )
    assert folder is not None, "Kamailio's modules are not below /usr/lib"
    streams = {one.partition(":")[0] for one in listen} - {"udp"}
    lines = ["enable_tls=yes"] if "tls" in streams else []
    lines += [] if streams else ["disable_tcp=yes"]
    lines += [f"listen={one}" for one in listen]
    lines += [f'loadmodule "{name}.so"' for name in modules.split()]
    return _HEAD.format(debug=debug, folder=folder) + "\n".join(lines) + "\n"


class Kamailio:
    """One Kamailio in the foreground.

    Args:
        folder: for its files, made if missing.
        config: what `head` returns, and routes.
        port: one of its own; it is waited for.
        kind: ``udp`` or ``tcp``, of that port.
    """

    def __init__(self, folder: Path, config: str, port: int, kind: str = "udp") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "kamailio.cfg"
        path.write_text(config)
        argv = [find("kamailio"), "-DD", "-E", "-f", str(path)]
        argv += ["-Y", str(folder), "-P", str(folder / "pid"), "-w", str(folder)]
        self.program = Program("kamailio", argv, folder)
        try:
            until(
                "Kamailio listens",
                lambda: f":{port:04X} " in Path(f"/proc/net/{kind}").read_text(),
                why_not=self.program.last_words,
            )
        except AssertionError:
            self.program.end()
            raise

    def close(self) -> None:
        """End it."""
        self.program.end()
