"""The store: configuration, registrations and call records, kept without anybody waiting.

Two databases: the *local* one, always the embedded SQLite file in the data folder, has the
registrations; the *main* one has the configuration and the call records. Without the `database`
setting both are the same. With it the main one is MariaDB, and the local one keeps a copy of the
configuration to start from when MariaDB is down.
"""

import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pbx.config.callback import CallBackSettings, in_force
from pbx.config.database_url import parse_database
from pbx.config.emergency_numbers import reserved
from pbx.config.line import Line
from pbx.config.refusal import command_error
from pbx.config.settings import Settings
from pbx.errors import CommandError, StartError
from pbx.locale import say
from pbx.store import changes, former, rows, user_changes
from pbx.store.accounts import InitialPasswords, first_users, make_user
from pbx.store.database import (
    NewerDatabase,
    local_engine,
    make_durable,
    make_private,
    mariadb_engine,
    migrate,
)
from pbx.store.feeder import Feeder
from pbx.store.first_plan import first_plan
from pbx.store.local_copy import LocalCopy
from pbx.store.main_database import DatabaseDown, MainDatabase
from pbx.store.replaced import Replaced
from pbx.store.schema import REVISION
from pbx.store.settlement import settle
from pbx.store.snapshot import Account, BindingRow, Snapshot, StoreStatus
from pbx.store.writer import Writer

log = logging.getLogger(__name__)

Result = TypeVar("Result")

LOCAL_RETRY_S = 2.0
"""How long registrations wait when the disk did not take them."""


class Store:
    """What the exchange keeps.

    `snapshot`, `status` and `initial_passwords` may be read at any time; whatever changes
    something returns at once and is carried out in the writer's thread.

    Args:
        folder: the data folder.
        settings: which database, and the realm of passwords.
        deliver: has a function called in the exchange's own thread, soon.
        changed: called there when `snapshot` or `status` has changed.
        clock: seconds, monotonic; wall: seconds since 1970.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        deliver: Callable[[Callable[[], None]], object],
        changed: Callable[[], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.snapshot = Snapshot.of(0, ())
        self._path = folder / "minisip.db"
        self._first_users = folder / "first-users.json"
        self._first_country = folder / "first-country"
        self._cdr_folder = folder / "cdr"
        self._realm = settings.sip.realm
        self._callback = settings.callback
        address = parse_database(settings.database)
        self._shared = address is not None
        self._local = local_engine(self._path)
        self._copy = LocalCopy(self._local, self._shared, wall)
        self._main = MainDatabase(mariadb_engine(address) if address else self._local, clock)
        self._feeder = Feeder(self._cdr_folder, "")
        self._deliver = deliver
        self._changed = changed
        self._clock = clock
        self._wall = wall
        self._initial = InitialPasswords(folder / "initial-passwords.json")
        self._writer = Writer("store", self._duty)
        self._bindings: list[BindingRow] = []
        self._kept: dict[tuple[str, str], str] = {}
        # What follows is touched by the writer's thread only, once that runs.
        self._latest = self.snapshot
        self._prepared = False
        self._looked = False
        self._pending: dict[str, Sequence[BindingRow]] = {}
        self._pending_kept: dict[tuple[str, str], str | None] = {}
        self._pending_until = 0.0
        self._told: StoreStatus | None = None

    # ---------------------------------------------------------------- start and stop

    def open(self) -> Snapshot:
        """Open the databases, make the first users where there are none, and start the writer.

        Waits for MariaDB only at a first start, when there is no copy to begin with.

        Raises:
            StartError: the data folder's database can't be used.
        """
        try:
            self._open_local()
        except NewerDatabase as error:
            self._dispose()
            raise StartError(say("database-newer", path=self._path), os.EX_DATAERR) from error
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self._dispose()
            why = getattr(error, "orig", None) or getattr(error, "strerror", None) or error
            sentence = say("database-broken", path=self._path, why=why)
            raise StartError(sentence, os.EX_IOERR) from error
        self.snapshot = self._latest
        self._initial.load(self._latest.users)
        self._warn_of_realms()
        self._writer.start()
        return self.snapshot

    def _open_local(self) -> None:
        make_private(self._path)
        self._migrate_local()
        with self._local.begin() as connection:
            folder_id = rows.get_setting(connection, rows.FOLDER_ID)
            if folder_id is None:
                folder_id = secrets.token_hex(8)
                rows.set_setting(connection, rows.FOLDER_ID, folder_id)
            self._latest = rows.load_snapshot(connection)
            self._bindings = rows.load_bindings(connection)
            self._kept = rows.load_kept(connection)
            self._copy.load(connection, folder_id)
        self._feeder = Feeder(self._cdr_folder, folder_id)
        if not self._latest.version:
            self._first_start()
        self._prepared = self._prepared or not self._shared

    def _migrate_local(self) -> None:
        """Bring the tables up to date; go back to the copy that an update has kept, if need be."""
        bring = partial(migrate, self._local, partial(former.keep, self._path))
        try:
            bring()
        except NewerDatabase as error:
            self._local.dispose()
            if not former.put_back(self._path, error.revision):
                raise
            bring()

    def _first_start(self) -> None:
        """Take MariaDB's configuration, or else make the first users."""
        if self._shared:
            try:
                self._prepare()
            except DatabaseDown:
                log.warning("first start without MariaDB: it gets these users when it answers")
        if not self._prepared:
            plan = first_plan(self._first_country)
            known = bool(plan.basics.country)
            first = first_users(self._first_users, reserved(plan), known=known)
            users = [make_user(one.number, one.password, self._realm, one.name) for one in first]
            self._latest = Snapshot.of(1, users, (), plan)
            # Before the commit: users whose passwords nobody knows would be worse.
            self._initial.save({one.number: one.password for one in first})
            with self._local.begin() as connection:
                rows.replace_configuration(connection, self._latest)
            make_durable(self._local)
            self._first_users.unlink(missing_ok=True)
            self._first_country.unlink(missing_ok=True)

    def close(self) -> None:
        """Bring what is under way to its end and close the databases."""
        self._writer.close()
        self._dispose()

    def _dispose(self) -> None:
        self._main.engine.dispose()
        self._local.dispose()

    # ---------------------------------------------------------------- what is known

    @property
    def left_behind(self) -> Path | None:
        """A newer version's database, which is not in use since the way back to this one."""
        return former.left_behind(self._path)

    @property
    def status(self) -> StoreStatus:
        """How the main database is."""
        kind = "sqlite" if not self._shared else "mysql"
        return StoreStatus(kind, self._main.ok, self._main.why, self._feeder.waiting)

    @property
    def replaced(self) -> Mapping[int, Replaced]:
        """The configurations that gave way to another one and are kept, by number."""
        return self._copy.replaced

    def bindings(self) -> list[BindingRow]:
        """Return the registrations as they were when the store was opened, expired ones too."""
        return list(self._bindings)

    def take_kept(self, kind: str) -> list[bytes]:
        """Return what `keep` was given of this kind before the store was opened, once."""
        found = [key for key in self._kept if key[0] == kind]
        return [self._kept.pop(key).encode() for key in found]

    def initial_passwords(self) -> dict[str, str]:
        """Return the passwords of the first start that still hold, by number."""
        return self._initial.all()

    # ---------------------------------------------------------------- what changes

    def save_bindings(self, number: str, rows_: Sequence[BindingRow]) -> None:
        """Keep these as all of a user's registrations; soon, not now."""
        kept = tuple(rows_)
        self._writer.post(lambda: self._pending.__setitem__(number, kept))

    def keep(self, kind: str, name: str, value: bytes | None) -> None:
        """Keep JSON over a restart, in place of what was kept there; None drops it; soon, not now.

        Args:
            kind: what it is; at most 16 characters.
            name: which of them; at most 128 characters.
        """
        text = None if value is None else value.decode()
        self._writer.post(lambda: self._pending_kept.__setitem__((kind, name), text))

    def record_written(self, path: Path, offset: int) -> None:
        """Take note that a record file has a record that ends at `offset` and is on the disk."""
        self._writer.post(lambda: self._feeder.written(path.name, offset))

    def add_user(
        self,
        number: str,
        password: str | None,
        display_name: str,
        done: Callable[[Account | CommandError], None],
        *,
        actor: str = "",
    ) -> None:
        """Add a local user.

        Args:
            number: 1 to 20 digits.
            password: None for a random one.
            display_name: what called parties see; may be empty.
            done: gets the account, or why there is none (``bad-number``, ``bad-password``,
                ``bad-display-name``, ``user-exists``, ``emergency-reserved``,
                ``database-down`` ...).
            actor: who wants it, for the audit.
        """

        def work(connection: Connection) -> Account:
            account = user_changes.add_user(connection, number, password, display_name, self._realm)
            rows.note_change(connection, self._wall(), actor, "user.add", number, display_name)
            return account

        self._command(work, done)

    def remove_user(
        self, number: str, done: Callable[[CommandError | None], None], *, actor: str = ""
    ) -> None:
        """Remove a local user; `done` gets None, or why not (``unknown-user`` ...)."""

        self._audited(
            partial(user_changes.remove_user, number=number),
            done,
            actor,
            "user.remove",
            number,
            partial(self._user_gone, number),
        )

    def set_password(
        self,
        number: str,
        password: str | None,
        done: Callable[[Account | CommandError], None],
        *,
        actor: str = "",
    ) -> None:
        """Give a user another password, None for a random one; arguments as for `add_user`."""

        def work(connection: Connection) -> Account:
            account = user_changes.set_password(connection, number, password, self._realm)
            rows.note_change(connection, self._wall(), actor, "user.password", number, "")
            return account

        self._command(work, done, partial(self._drop_initial, number))

    def set_algorithm(
        self,
        number: str,
        algorithm: str,
        done: Callable[[CommandError | None], None],
        *,
        actor: str = "",
    ) -> None:
        """Challenge a user with ``MD5`` or ``SHA-256``; `done` gets None, or why not."""

        work = partial(user_changes.set_algorithm, number=number, algorithm=algorithm)
        self._audited(work, done, actor, "user.algorithm", number)

    def change_user(
        self,
        number: str,
        options: Mapping[str, object],
        done: Callable[[CommandError | None], None],
        *,
        actor: str = "",
    ) -> None:
        """Give a user other rights.

        Args:
            number: the user.
            options: by the fields of `pbx.config.user_rights.UserRights`; texts are read as what
                the field is.
            done: gets None, or why not (``unknown-user``, ``field-range`` ...).
            actor: who wants it, for the audit.
        """

        def work(connection: Connection) -> str:
            user = user_changes.known_user(connection, number)
            return changes.change_user(connection, user, options)

        self._audited(work, done, actor, "user.set", number)

    def set_line(
        self,
        line: Line,
        done: Callable[[CommandError | None], None],
        *,
        new: bool = False,
        actor: str = "",
    ) -> None:
        """Add an external line or a SIP trunk, or put it in the place of the one of its name.

        Args:
            line: the line.
            done: gets None, or why not (``line-exists``, and what `line_faults` says).
            new: there must be none of its name yet.
            actor: who wants it, for the audit.
        """

        def work(connection: Connection) -> str:
            return changes.put_line(connection, line, new=new)

        self._audited(work, done, actor, "line.add" if new else "line.set", line.name)

    def change_line(
        self,
        name: str,
        options: Mapping[str, object],
        done: Callable[[CommandError | None], None],
        *,
        actor: str = "",
    ) -> None:
        """Give a line other options, by the fields of `Line`; texts are read as what a field is."""

        def work(connection: Connection) -> str:
            return changes.change_line(connection, name, options)

        self._audited(work, done, actor, "line.set", name)

    def remove_line(
        self, name: str, done: Callable[[CommandError | None], None], *, actor: str = ""
    ) -> None:
        """Remove a line; `done` gets None, or why not (``unknown-line``, ``line-in-use`` ...)."""
        self._audited(
            lambda connection: changes.remove_line(connection, name),
            done,
            actor,
            "line.remove",
            name,
        )

    def set_plan(
        self,
        tables: Mapping[str, object],
        done: Callable[[CommandError | None], None],
        *,
        version: int | None = None,
        actor: str = "",
    ) -> None:
        """Give the dial plan other tables, all of them or none.

        Args:
            tables: by the fields of `DialPlan`; each is all of the table's rows, as structs or as
                mappings; of ``basics`` the fields that change. ``lines`` among them are all lines.
            done: gets None, or why not (``plan-changed``, and what `dial_plan_faults` says).
            version: of the configuration that this changes; None for whichever there is.
            actor: who wants it, for the audit.
        """

        def work(connection: Connection) -> str:
            return changes.set_plan(connection, tables, version)

        self._audited(work, done, actor, "plan.set", "")

    def set_callback(
        self,
        options: Mapping[str, object],
        done: Callable[[CommandError | None], None],
        *,
        actor: str = "",
    ) -> None:
        """Choose settings of the call-back service, by the fields of `CallBackSettings`."""
        settings = self._callback

        def work(connection: Connection) -> str:
            return changes.set_callback(connection, settings, options)

        self._audited(work, done, actor, "callback.set", "")

    def restore_configuration(
        self, number: int, done: Callable[[CommandError | None], None], *, actor: str = ""
    ) -> None:
        """Take a configuration of `replaced` into use; the one that is in use now is kept instead.

        Args:
            number: which one.
            done: gets None, or why not (``unknown-configuration``, ``configuration-not-kept``,
                ``database-down`` ...).
            actor: who wants it, for the audit.
        """

        def work(connection: Connection) -> None:
            present = rows.load_snapshot(connection)
            wanted = self._replaced_one(number).snapshot(present.version)
            self._copy.keep_replaced(connection, present)
            rows.replace_configuration(connection, wanted)
            which = str(number)
            rows.note_change(connection, self._wall(), actor, "configuration.restore", which, "")

        def after() -> None:
            self._initial.load(self._latest.users)
            self._copy.discarded(number)
            self._copy.keep(self._latest)

        self._command(work, done, after)

    def discard_configuration(
        self, number: int, done: Callable[[CommandError | None], None]
    ) -> None:
        """Keep a configuration of `replaced` no more; arguments as for `restore_configuration`."""

        def work(_: Connection) -> None:
            self._replaced_one(number)

        def after() -> None:
            self._copy.discarded(number)
            self._copy.keep(self._latest)

        self._command(work, done, after)

    def _replaced_one(self, number: int) -> Replaced:
        try:
            return self._copy.replaced[number]
        except KeyError:
            raise command_error("unknown-configuration", number=number) from None

    @property
    def callback(self) -> CallBackSettings:
        """The call-back service's settings that are in force."""
        return in_force(self._callback, self.snapshot.callback)

    def _audited(
        self,
        work: Callable[[Connection], str],
        done: Callable[[CommandError | None], None],
        actor: str,
        action: str,
        thing: str,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """As `_command`, for work that returns what the audit says of it."""

        def whole(connection: Connection) -> None:
            detail = work(connection)
            rows.note_change(connection, self._wall(), actor, action, thing, detail)

        self._command(whole, done, after)

    def _command(
        self,
        work: Callable[[Connection], Result],
        done: Callable[[Result | CommandError], None],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        """Have `work` change the configuration, then `after` done, in the writer's thread."""
        if not self._writer.post(lambda: self._carry_out(work, done, after)):
            self._deliver(lambda: done(command_error("store-closed")))

    def _carry_out(
        self,
        work: Callable[[Connection], Result],
        done: Callable[[Result | CommandError], None],
        after: Callable[[], None],
    ) -> None:
        outcome: Result | CommandError
        try:
            outcome = self._change(work)
            after()
        except CommandError as error:
            outcome = error
        except Exception:
            log.exception("a change of the configuration failed")
            outcome = command_error("internal-error")
        snapshot = self._latest

        def tell() -> None:
            self._swap(snapshot)
            done(outcome)

        self._deliver(tell)

    def _change(self, work: Callable[[Connection], Result]) -> Result:
        def whole(connection: Connection) -> tuple[Result, Snapshot]:
            return work(connection), rows.load_snapshot(connection)

        try:
            if not self._prepared:
                self._prepare()
            result, self._latest = self._main.run(whole)
        except DatabaseDown as error:
            self._lost()
            raise command_error("database-down") from error
        self._copy.keep(self._latest)
        return result

    # ---------------------------------------------------------------- in the writer's thread

    def _duty(self) -> float | None:
        """Write registrations, and bring the next piece of call records to the main database."""
        waits = [self._save_pending(), self._look()]
        try:
            waits.append(self._serve_main())
        except DatabaseDown:
            self._lost()
            waits.append(self._main.pause())
        self._tell_changes()
        return min((wait for wait in waits if wait is not None), default=None)

    def _look(self) -> float | None:
        """Find the records that came while the exchange was off, or that MariaDB has missed."""
        if self._looked:
            return None
        try:
            with self._local.connect() as connection:
                self._feeder.look(self._copy.positions(connection))
        except SQLAlchemyError as error:
            log.error("the call records could not be looked through, trying again: %s", error)
            return LOCAL_RETRY_S
        self._looked = True
        return None

    def _save_pending(self) -> float | None:
        if not self._pending and not self._pending_kept:
            return None
        wait = self._pending_until - self._clock()
        if wait > 0:
            return wait
        try:
            with self._local.begin() as connection:
                for number, bindings in self._pending.items():
                    rows.replace_bindings(connection, number, bindings)
                for (kind, name), value in self._pending_kept.items():
                    rows.replace_kept(connection, kind, name, value)
        except SQLAlchemyError as error:
            log.error("registrations could not be saved, trying again: %s", error)
            self._pending_until = self._clock() + LOCAL_RETRY_S
            return LOCAL_RETRY_S
        self._pending.clear()
        self._pending_kept.clear()
        return None

    def _serve_main(self) -> float | None:
        pause = self._main.pause()
        if pause > 0:
            return pause
        if not self._prepared:
            self._prepare()
            self._swap_soon()
        if not self._feeder.hungry:
            return None
        taken = self._main.run(self._feeder.feed)
        self._feeder.committed(taken)
        if taken is not None and self._shared:
            self._copy.remember_position(taken.name, taken.position)
        return 0.0 if self._feeder.hungry else None

    def _prepare(self) -> None:
        """Bring MariaDB's tables up to date and take its configuration, or give it ours."""
        self._main.attempt(lambda: migrate(self._main.engine, self._warn_of_migration))
        outcome = self._main.run(partial(settle, ours=self._latest, origin=self._copy.origin))
        if outcome is not None:
            self._prepared = True
            self._latest = outcome.snapshot
            self._initial.load(self._latest.users)
            self._copy.settled(outcome)

    def _warn_of_migration(self, revision: str) -> None:
        if self._shared:
            log.warning(
                "MariaDB's tables go from revision %s to %s: going back to an older version takes a"
                " dump from before, or an empty database",
                revision,
                REVISION,
            )

    def _lost(self) -> None:
        self._feeder.interrupted()
        # Where MariaDB is another when it comes back, it needs its tables first.
        self._prepared = not self._shared

    def _user_gone(self, number: str) -> None:
        self._pending[number] = ()
        self._drop_initial(number)

    def _drop_initial(self, number: str) -> None:
        try:
            self._initial.drop(number)
        except OSError as error:
            log.error("the first password of %s could not be forgotten: %s", number, error)

    # ---------------------------------------------------------------- to the exchange's thread

    def _swap_soon(self) -> None:
        snapshot = self._latest
        self._deliver(lambda: self._swap(snapshot))

    def _swap(self, snapshot: Snapshot) -> None:
        if snapshot != self.snapshot:
            self.snapshot = snapshot
            self._warn_of_realms()
            if self._changed is not None:
                self._changed()

    def _tell_changes(self) -> None:
        status = self.status
        if status != self._told and self._changed is not None:
            self._told = status
            self._deliver(self._changed)

    def _warn_of_realms(self) -> None:
        strangers = [
            user.number for user in self.snapshot.users.values() if user.realm != self._realm
        ]
        if strangers:
            log.warning(
                "the realm has changed to %r: these users need a new password: %s",
                self._realm,
                ", ".join(strangers),
            )
