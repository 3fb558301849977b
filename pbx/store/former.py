"""The embedded database as it was before a migration, for going back to an older version.

`minisip-0002.db` beside `minisip.db` is the database as a program of revision 0002 left it. Copies of
revisions older than the last one are not kept.
"""

import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from pbx.store.schema import REVISION

log = logging.getLogger(__name__)


def former(path: Path, revision: str) -> Path:
    """Return where the database at `path` is kept as of a revision."""
    return path.with_name(f"{path.stem}-{revision}{path.suffix}")


def keep(path: Path, revision: str) -> None:
    """Copy the database at `path`, which is at `revision` and is about to be migrated.

    Without room for that the migration goes on all the same: a telephone exchange has to start.
    """
    target = former(path, revision)
    part = target.with_suffix(".part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        # What is in the write-ahead log belongs to it, so it isn't copied as a file.
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
        _put(part, target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        log.error("no copy of the database is kept to go back to: %s", error)
        return
    log.info("the database as it was before this version is kept as %s", target)
    for kept_revision, kept in _kept(path):
        if kept_revision < revision:
            kept.unlink(missing_ok=True)


def put_back(path: Path, newer: str) -> bool:
    """Put our own copy in the place of a newer program's database, which is kept.

    Nothing may have the database open. A power cut leaves the newer one in its place, or ours.

    Args:
        path: of the database.
        newer: the revision that it is at.

    Returns:
        Whether there was a copy that this program can read.

    Raises:
        OSError, sqlite3.Error: it can't be done; the newer database is in its place.
    """
    readable = [each for each in _kept(path) if each[0] <= REVISION and _is_whole(*each)]
    if not readable:
        return False
    with closing(sqlite3.connect(path)) as connection:
        # So that the file alone has it all.
        connection.execute("PRAGMA journal_mode=DELETE")
    theirs, (_, ours) = former(path, newer), max(readable)
    for source, target in ((path, theirs), (ours, path)):
        part = target.with_suffix(".part")
        shutil.copy(source, part)
        _put(part, target)
    log.warning(
        "a newer miniSIPServer has made the database; going on with the one from before that."
        " What has changed since is kept in %s",
        theirs,
    )
    return True


def left_behind(path: Path) -> Path | None:
    """Return the newer program's database that `put_back` has kept; None where there is none."""
    return next((kept for revision, kept in _kept(path) if revision > REVISION), None)


def _kept(path: Path) -> Iterator[tuple[str, Path]]:
    """Revisions and files of all that is kept beside the database."""
    for kept in path.parent.glob(f"{path.stem}-*{path.suffix}"):
        revision = kept.stem.removeprefix(f"{path.stem}-")
        if revision.isascii() and revision.isdigit():
            yield revision, kept


def _is_whole(revision: str, kept: Path) -> bool:
    """Whether a file is a database of this revision."""
    try:
        with closing(sqlite3.connect(kept)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            (check,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error:
        return False
    return found == [(revision,)] and check == "ok"


def _put(part: Path, target: Path) -> None:
    """Give a whole file its name, on the disk too."""
    _sync(part)
    part.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
