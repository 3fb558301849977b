"""The harness' Asterisk, told more than the harness tells it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ETC = "/tmp/bench-asterisk/etc"  # noqa: S108 where the harness has its configuration, inside the chroot
"""Where its configuration is, as it sees it."""


def asterisk(
    peers: Any, run: str | Path, files: Mapping[str, bytes], modules: Iterable[str], **options: Any
) -> Any:
    """Return it, not yet started.

    Args:
        peers: the harness' module.
        run: a folder for its log.
        files: what stands in its configuration, in place of the harness' or besides.
        modules: what it loads besides.
        options: the harness'.
    """
    made = peers.Asterisk(run, **options)
    lay = made.lay

    def lay_more(source: str, target: str, **words: str) -> None:
        lay(source, target, **words)
        etc = Path(target)
        for name, content in files.items():
            (etc / name).parent.mkdir(exist_ok=True)
            (etc / name).write_bytes(content)
        with (etc / "modules.conf").open("a") as listed:
            listed.writelines(f"load = {name}.so\n" for name in modules)

    made.lay = lay_more
    return made
