"""The data folder: where the exchange keeps what must survive, and the lock that guards it."""

import contextlib
import datetime
import errno
import fcntl
import itertools
import os
from pathlib import Path

from pbx.config.recording import recording_name
from pbx.errors import MisuseError, StartError
from pbx.locale import say


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # a service account without a home folder; DataFolder.open says what to do
        return Path("~")


DEFAULT_FOLDER = _home() / ".minisipserver"
"""Where miniSIPServer has its data on Linux."""


class DataFolder:
    """The data folder, made where it is missing, and locked while it is open.

    Args:
        path: of the folder; `DEFAULT_FOLDER` where nobody says another.
    """

    def __init__(self, path: Path = DEFAULT_FOLDER) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def cdr(self) -> Path:
        """Where call records go, a CSV file a day."""
        return self.path / "cdr"

    @property
    def tls(self) -> Path:
        """Where the certificate is that the exchange makes for itself, and its key."""
        return self.path / "tls"

    @property
    def log(self) -> Path:
        """Where logs go that are not the system's."""
        return self.path / "log"

    @property
    def music(self) -> Path:
        """Where the owner puts WAV files for who waits."""
        return self.path / "music"

    @property
    def recordings(self) -> Path:
        """Where sound is that lasts no longer than its call."""
        return self.path / "recordings"

    @property
    def record(self) -> Path:
        """Where calls are recorded, in a folder a day."""
        return self.path / "record"

    def new_recording(self, begun: datetime.datetime, caller: str, called: str, call: str) -> str:
        """Make the folder for a call's recording; return the file's name within `record`.

        Args:
            begun: now.
            caller, called, call: numbers and the call's own name, which the file's name has.

        Raises:
            OSError: the folder can't be made.
        """
        for place in itertools.count(1):
            name = recording_name(begun, caller, called, call, place)
            if not (self.record / name).exists():
                break
        (self.record / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return name

    @property
    def control_socket(self) -> Path:
        """Where `minisip` finds the control API: the socket, or a link to where it is."""
        return self.path / "control.sock"

    def music_files(self) -> list[str]:
        """Return the paths of the WAV files in `music`, in the order of their names."""
        try:
            found = [path for path in self.music.iterdir() if path.suffix.lower() == ".wav"]
        except OSError:
            return []
        return [str(path.absolute()) for path in sorted(found)]

    def point_to(self, socket: Path) -> None:
        """Let `control_socket` lead to the control API's socket, wherever that is."""
        usual = self.control_socket
        if socket.absolute() != usual.absolute():
            with contextlib.suppress(FileNotFoundError):
                usual.unlink()
            usual.symlink_to(socket.absolute())

    def open(self) -> None:
        """Make what is missing, for the owner only, and lock the folder until `close`.

        Recordings that a crash has left behind are removed.

        Raises:
            StartError: the folder can't be made or written to, or another exchange has it.
        """
        if self._lock is not None:
            raise MisuseError("the data folder is open already")
        if self.path.parts[:1] == ("~",):
            raise StartError(say("no-home"), os.EX_OSFILE)
        try:
            for folder in self._folders:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            # Which of them: a file of the name of a folder within is easily overlooked.
            path = error.filename or self.path
            sentence = say("data-folder-not-made", path=path, why=error.strerror or error)
            raise StartError(sentence, os.EX_CANTCREAT) from error
        try:
            self._lock = self._locked()
            for folder in self._folders:
                _try_to_write(folder)
            for left in self.recordings.glob("*.wav"):
                left.unlink()
        except OSError as error:
            self.close()
            raise self._refusal(error) from error

    def close(self) -> None:
        """Let another exchange have the folder."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                if self.control_socket.is_symlink():
                    self.control_socket.unlink()
            os.close(self._lock)
            self._lock = None

    def _locked(self) -> int:
        # The kernel lets go of the lock when the process ends, however that happens, and a new
        # process doesn't inherit the descriptor (PEP 446), so no lock can be left behind.
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            os.close(lock)
            raise
        return lock

    @property
    def _folders(self) -> tuple[Path, ...]:
        return self.path, self.cdr, self.log, self.music, self.recordings, self.record

    @property
    def _lock_path(self) -> Path:
        return self.path / "lock"

    def _refusal(self, error: OSError) -> StartError:
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            pid = self._lock_path.read_text("ascii", "replace").strip() or "?"
            return StartError(say("data-folder-in-use", path=self.path, pid=pid), os.EX_TEMPFAIL)
        why = error.strerror or error
        return StartError(say("data-folder-not-writable", path=self.path, why=why), os.EX_NOPERM)


def _try_to_write(folder: Path) -> None:
    """Raise OSError unless files can be made in `folder` and its files can be listed."""
    next(folder.iterdir(), None)
    probe = folder / ".probe"
    probe.touch(mode=0o600)
    probe.unlink()
