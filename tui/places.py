"""Where the exchange of this machine is: its control socket and its data folder."""

import os
from pathlib import Path

SYSTEM_SOCKET = Path("/run/minisipserver/control.sock")
"""Where the systemd unit has the control socket."""

SERVICE_HOME = Path("~pi")
"""The home of the systemd unit's user."""

DATA_FOLDER = ".minisipserver"
"""The data folder's name in the home of the exchange's user."""


def socket_path(asked: Path | None) -> Path:
    """Return the control socket to use: the one asked for, else where one usually is."""
    environment = os.environ
    if asked is not None:
        return asked
    if environment.get("MINISIP_SOCKET"):
        return Path(environment["MINISIP_SOCKET"])
    if environment.get("MINISIP_DATA"):
        return Path(environment["MINISIP_DATA"]) / "control.sock"
    if SYSTEM_SOCKET.exists():
        return SYSTEM_SOCKET
    return _own_folder() / "control.sock"


def data_folder() -> Path:
    """Return the data folder of the exchange that `socket_path` leads to.

    The service's, too, where the user has none and so can't mean another.
    """
    if os.environ.get("MINISIP_DATA"):
        return Path(os.environ["MINISIP_DATA"])
    own = _own_folder()
    service = Path(os.path.expanduser(SERVICE_HOME))  # noqa: PTH111 - where nobody has that name, too
    if service.is_dir() and (SYSTEM_SOCKET.exists() or not own.is_dir()):
        return service / DATA_FOLDER
    return own


def _own_folder() -> Path:
    return Path(os.path.expanduser(f"~/{DATA_FOLDER}"))  # noqa: PTH111 - without a home, too
