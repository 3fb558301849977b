"""Where Debian's packages come from: this machine's own mirrors, for another suite."""

import os
import re
import subprocess

from builder.description import System

# 'MIRROR/dists/bookworm-security/InRelease' NAME 0
_URI = re.compile(
    r"'(?P<mirror>[^']+/debian(?P<security>-security)?)/+dists/[a-z]+(?(security)-security)/InRelease'"
)


class NoMirrorError(Exception):
    """This machine's apt has no mirror of Debian."""


def mirrors() -> tuple[str, str | None]:
    """Return the mirror of Debian and that of its security updates, if there is one.

    MINISIP_MIRROR and MINISIP_SECURITY_MIRROR go first (for machines that aren't Debian).

    Raises:
        NoMirrorError: neither the environment nor apt's configuration names one.
    """
    main = os.environ.get("MINISIP_MIRROR", "")
    security = os.environ.get("MINISIP_SECURITY_MIRROR", "")
    listed = subprocess.run(
        ["apt-get", "update", "--print-uris"], capture_output=True, text=True, check=False
    ).stdout
    for match in _URI.finditer(listed):
        if match["security"]:
            security = security or match["mirror"]
        else:
            main = main or match["mirror"]
    if not main:
        raise NoMirrorError(
            "apt on this machine knows no mirror of Debian: set MINISIP_MIRROR to the address of one"
        )
    return main, security or None


def sources_list(system: System) -> str:
    """Return apt's sources for the image, in the one-line form."""
    main, security = mirrors()
    components = " ".join(system.components)
    lines = [f"deb {main} {suite} {components}" for suite in _suites(system)]
    if security:
        lines.append(f"deb {security} {system.suite}-security {components}")
    return "\n".join(lines) + "\n"


def _suites(system: System) -> list[str]:
    return list(dict.fromkeys([system.suite, f"{system.suite}-updates", system.kernel_suite]))


def preferences(system: System) -> str:
    """Return apt's pin: the kernel and nothing else from the kernel's suite."""
    if system.kernel_suite == system.suite:
        return ""
    names = " ".join(system.kernel_packages)
    return (
        f"Package: {names}\nPin: release n={system.kernel_suite}\nPin-Priority: 900\n\n"
        f"Package: *\nPin: release n={system.kernel_suite}\nPin-Priority: -1\n"
    )
