"""Users and registrations, on both kinds of database."""

import json
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pbx.config.settings import Settings
from pbx.errors import CommandError, StartError
from pbx.locale import choose
from pbx.sip.digest import ha1
from pbx.store import user_changes
from pbx.store.accounts import MAX_PASSWORD, MIN_PASSWORD
from pbx.store.repository import Store
from pbx.store.snapshot import Account, BindingRow, StoreStatus
from tests.interop.waiting import until
from tests.store.kept import Kept

Opened = Callable[[Kept], Kept]

SHORT, LONG = "x" * (MIN_PASSWORD - 1), "x" * (MAX_PASSWORD + 1)


def row(number: str = "100", port: int = 5060, **changes: object) -> BindingRow:
    values: dict[str, object] = {
        "number": number,
        "contact": f"sip:{number}@192.0.2.7:{port};transport=tcp",
        "call_id": "a84b4c76e66710@pc33",
        "cseq": 4294967295,
        "transport": "udp",
        "source_host": "2001:db8::7",
        "source_port": port,
        "local_host": "2001:db8::1",
        "local_port": 5060,
        "expires_wall_s": 1_800_000_000.123,
        **changes,
    }
    return BindingRow(**values)  # type: ignore[arg-type]


def code(outcome: object) -> str:
    assert isinstance(outcome, CommandError)
    assert outcome.sentence.endswith(".")
    assert outcome.sentence.isascii()
    return outcome.code


class TestFirstStart:
    def test_three_users(self, kept: Kept) -> None:
        assert sorted(kept.first.users) == ["100", "101", "102"]
        assert kept.first.version == 1
        assert kept.store.snapshot is kept.first

    def test_their_passwords_are_random_and_easy_to_read(self, kept: Kept) -> None:
        passwords = kept.store.initial_passwords()
        assert sorted(passwords) == ["100", "101", "102"]
        assert len(set(passwords.values())) == 3
        for password in passwords.values():
            assert len(password) == 12
            assert not set(password) & set("0O1lIio")

    def test_their_passwords_are_in_a_private_file(self, kept: Kept) -> None:
        path = kept.folder / "initial-passwords.json"
        assert json.loads(path.read_text()) == kept.store.initial_passwords()
        assert path.stat().st_mode & 0o777 == 0o600

    def test_digests_are_kept_and_no_password(self, kept: Kept) -> None:
        for number, password in kept.store.initial_passwords().items():
            user = kept.first.users[number]
            assert user.ha1_md5 == ha1(number, "house", password, "MD5")
            assert user.ha1_sha256 == ha1(number, "house", password, "SHA-256")
            assert (user.algorithm, user.enabled, user.display_name) == ("MD5", True, "")
            assert password not in repr(user) + str(kept.rows("SELECT * FROM local_user"))
            assert user.ha1_md5 not in repr(kept.first)

    def test_only_once(self, kept: Kept, opened: Opened) -> None:
        again = opened(kept.reopened())
        assert again.first == kept.first
        assert again.store.initial_passwords() == kept.store.initial_passwords()

    def test_users_that_were_all_removed_stay_away(self, kept: Kept, opened: Opened) -> None:
        for number in ("100", "101", "102"):
            assert kept.ask(partial(kept.store.remove_user, number)) is None
        again = opened(kept.reopened())
        again.done_so_far()
        assert not again.store.snapshot.users
        assert again.store.initial_passwords() == {}

    def test_the_database_is_private(self, kept: Kept) -> None:
        for path in kept.folder.glob("minisip.db*"):
            assert path.stat().st_mode & 0o777 == 0o600

    def test_the_databases_state(self, kept: Kept) -> None:
        kept.done_so_far()
        kind = "mysql" if kept.server else "sqlite"
        assert kept.store.status == StoreStatus(kind, ok=True, why="", records_waiting=0)


class TestAddUser:
    def test_with_a_password(self, kept: Kept) -> None:
        account = kept.ask(lambda done: kept.store.add_user("0103", "geheim12", "Bob", done))
        assert account == Account("0103", "geheim12")
        user = kept.store.snapshot.users["0103"]
        assert user.display_name == "Bob"
        assert user.ha1_md5 == ha1("0103", "house", "geheim12", "MD5")
        assert kept.store.snapshot.version == 2

    def test_with_a_random_one(self, kept: Kept) -> None:
        account = kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert isinstance(account, Account)
        assert len(account.password) == 12
        assert account.password not in repr(account)
        assert "103" not in kept.store.initial_passwords()

    def test_it_stays(self, kept: Kept, opened: Opened) -> None:
        kept.ask(lambda done: kept.store.add_user("103", None, "李雷 🙂", done))
        again = opened(kept.reopened())
        assert again.first == kept.store.snapshot
        assert again.first.users["103"].display_name == "李雷 🙂"

    def test_running_calls_keep_their_snapshot(self, kept: Kept) -> None:
        before = kept.store.snapshot
        kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert "103" not in before.users
        with pytest.raises(TypeError):
            before.users["103"] = kept.store.snapshot.users["103"]  # type: ignore[index]

    @pytest.mark.parametrize("number", ["", "1" * 21, "10a", "+49", "１０", "1\n", "*1"])
    def test_numbers_that_are_none(self, kept: Kept, number: str) -> None:
        assert code(kept.ask(lambda d: kept.store.add_user(number, None, "", d))) == "bad-number"

    @pytest.mark.parametrize("password", ["", SHORT, LONG, "with blank", "grün1234", "a\nbcdefgh"])
    def test_passwords_that_are_none(self, kept: Kept, password: str) -> None:
        told = kept.ask(lambda done: kept.store.add_user("103", password, "", done))
        assert code(told) == "bad-password"

    @pytest.mark.parametrize("name", ["x" * 65, "a\nb", "\ud800", "a\x00b"])
    def test_names_that_are_none(self, kept: Kept, name: str) -> None:
        told = kept.ask(lambda done: kept.store.add_user("103", None, name, done))
        assert code(told) == "bad-display-name"

    def test_a_number_that_is_taken(self, kept: Kept) -> None:
        before = kept.store.snapshot
        told = kept.ask(lambda done: kept.store.add_user("100", None, "", done))
        assert code(told) == "user-exists"
        assert kept.store.snapshot is before


class TestRemoveUser:
    def test_user_password_and_registrations_go(self, kept: Kept, opened: Opened) -> None:
        kept.store.save_bindings("100", [row()])
        assert kept.ask(lambda done: kept.store.remove_user("100", done)) is None
        assert sorted(kept.store.snapshot.users) == ["101", "102"]
        assert sorted(kept.store.initial_passwords()) == ["101", "102"]
        again = opened(kept.reopened())
        assert sorted(again.first.users) == ["101", "102"]
        assert again.store.bindings() == []

    def test_one_that_is_not_there(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.remove_user("103", done))
        assert code(told) == "unknown-user"


class TestSetPassword:
    def test_the_user_keeps_all_else(self, kept: Kept) -> None:
        kept.ask(lambda done: kept.store.add_user("103", None, "Bob", done))
        told = kept.ask(lambda done: kept.store.set_password("103", "geheim12", done))
        assert told == Account("103", "geheim12")
        user = kept.store.snapshot.users["103"]
        assert user.display_name == "Bob"
        assert user.ha1_sha256 == ha1("103", "house", "geheim12", "SHA-256")

    def test_the_first_password_is_forgotten(self, kept: Kept, opened: Opened) -> None:
        kept.ask(lambda done: kept.store.set_password("100", None, done))
        assert sorted(kept.store.initial_passwords()) == ["101", "102"]
        assert sorted(opened(kept.reopened()).store.initial_passwords()) == ["101", "102"]

    def test_a_bad_one_changes_nothing(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.set_password("100", SHORT, done))
        assert code(told) == "bad-password"
        assert len(kept.store.initial_passwords()) == 3

    def test_one_that_is_not_there(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.set_password("103", None, done))
        assert code(told) == "unknown-user"

    def test_the_algorithm_stays(self, kept: Kept, opened: Opened) -> None:
        kept.close()
        kept.rows("UPDATE local_user SET algorithm = 'SHA-256', enabled = 0")
        again = opened(kept.reopened())
        again.done_so_far()
        again.ask(lambda done: again.store.set_password("100", None, done))
        user = again.store.snapshot.users["100"]
        assert (user.algorithm, user.enabled) == ("SHA-256", False)


class TestAlgorithm:
    def test_it_is_chosen_by_user(self, kept: Kept, opened: Opened) -> None:
        assert kept.ask(lambda done: kept.store.set_algorithm("100", "SHA-256", done)) is None
        assert kept.store.snapshot.users["100"].algorithm == "SHA-256"
        assert kept.store.snapshot.users["101"].algorithm == "MD5"
        assert opened(kept.reopened()).store.snapshot.users["100"].algorithm == "SHA-256"

    def test_others_are_refused(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.set_algorithm("100", "MD4", done))
        assert code(told) == "bad-algorithm"
        told = kept.ask(lambda done: kept.store.set_algorithm("999", "MD5", done))
        assert code(told) == "unknown-user"


class TestSetAlgorithm:
    def test_only_that_changes(self, kept: Kept, opened: Opened) -> None:
        before = kept.first.users["100"]
        assert kept.ask(lambda d: kept.store.set_algorithm("100", "SHA-256", d)) is None
        assert kept.store.snapshot.users["100"] == replace(before, algorithm="SHA-256")
        assert "100" in kept.store.initial_passwords()
        assert opened(kept.reopened()).first == kept.store.snapshot

    def test_one_that_is_none(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.set_algorithm("100", "SHA-1", done))
        assert code(told) == "bad-algorithm"

    def test_one_that_is_not_there(self, kept: Kept) -> None:
        told = kept.ask(lambda done: kept.store.set_algorithm("103", "MD5", done))
        assert code(told) == "unknown-user"


class TestAudit:
    def test_who_did_what_and_no_password(self, kept: Kept) -> None:
        kept.ask(lambda d: kept.store.add_user("103", "geheim12", "Bob", d, actor="root"))
        kept.ask(lambda d: kept.store.set_password("103", "geheim34", d, actor="pi"))
        kept.ask(lambda d: kept.store.remove_user("103", d))
        kept.ask(lambda d: kept.store.remove_user("103", d))
        found = kept.rows("SELECT wall_s, actor, action, object, detail FROM audit ORDER BY id")
        assert [tuple(each) for each in found] == [
            (1e9, "root", "user.add", "103", "Bob"),
            (1e9, "pi", "user.password", "103", ""),
            (1e9, "", "user.remove", "103", ""),
        ]


class TestKeptState:
    def test_it_survives_a_restart(self, kept: Kept, opened: Opened) -> None:
        kept.store.keep("message", "one", '{"text":"茶 🙂"}'.encode())
        kept.store.keep("message", "two", b"{}")
        kept.store.keep("subscription", "one", b"[]")
        again = opened(kept.reopened()).store
        assert again.take_kept("message") == ['{"text":"茶 🙂"}'.encode(), b"{}"]
        assert again.take_kept("subscription") == [b"[]"]
        assert again.take_kept("publication") == []

    def test_the_last_word_counts(self, kept: Kept, opened: Opened) -> None:
        kept.store.keep("message", "one", b"1")
        kept.store.keep("message", "one", b"2")
        kept.store.keep("message", "two", b"1")
        kept.done_so_far()
        kept.store.keep("message", "two", None)
        kept.store.keep("message", "three", None)
        assert opened(kept.reopened()).store.take_kept("message") == [b"2"]


class TestBindings:
    def test_they_survive_a_restart_in_their_order(self, kept: Kept, opened: Opened) -> None:
        rows = [
            row(port=5062, q="0.5", path=("<sip:a;lr>", '"x, y" <sip:b;lr>')),
            row(port=5060, user_agent="Ünïcode/1.0 🙂", instance="<urn:uuid:x>", connection=7),
        ]
        kept.store.save_bindings("100", rows)
        kept.store.save_bindings("101", [row("101")])
        assert opened(kept.reopened()).store.bindings() == [*rows, row("101")]

    def test_the_last_word_counts(self, kept: Kept, opened: Opened) -> None:
        kept.store.save_bindings("100", [row(), row(port=5062)])
        kept.store.save_bindings("101", [row("101")])
        kept.store.save_bindings("100", [row(cseq=3)])
        kept.store.save_bindings("101", [])
        assert opened(kept.reopened()).store.bindings() == [row(cseq=3)]

    def test_stray_bytes_become_escapes(self, kept: Kept, opened: Opened) -> None:
        kept.store.save_bindings(
            "100", [row(contact="sip:M\udcfcller@h", path=("<sip:\udcff;lr>",))]
        )
        (found,) = opened(kept.reopened()).store.bindings()
        assert (found.contact, found.path) == ("sip:M%FCller@h", ("<sip:%FF;lr>",))

    def test_they_are_always_in_the_data_folder(self, kept: Kept) -> None:
        kept.store.save_bindings("100", [row()])
        kept.close()
        assert kept.local_rows("SELECT count(*) FROM binding") == [(1,)]

    def test_a_disk_that_refuses_is_asked_again(
        self, tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept = opened(Kept(tmp_path))
        kept.local_rows("ALTER TABLE binding RENAME TO hidden")
        kept.store.save_bindings("100", [row()])
        until("the failure is logged", lambda: "could not be saved" in caplog.text)
        kept.local_rows("ALTER TABLE hidden RENAME TO binding")
        kept.store.save_bindings("101", [row("101")])
        until(
            "both are saved",
            lambda: kept.local_rows("SELECT count(*) FROM binding") == [(2,)],
        )


class TestRealm:
    def test_another_realm_is_told(
        self, kept: Kept, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept.close()
        again = opened(kept.reopened(realm="flat"))
        assert "need a new password: 100, 101, 102" in caplog.text
        again.ask(lambda done: again.store.set_password("100", None, done))
        assert "need a new password: 101, 102" in caplog.text


class TestErrors:
    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        choose("en")
        (tmp_path / "minisip.db").write_bytes(b"This is a letter to my aunt.\n" * 100)
        with pytest.raises(StartError) as caught:
            Kept(tmp_path)
        assert str(tmp_path / "minisip.db") in caught.value.sentence
        assert "not a database" in caught.value.sentence

    def test_a_file_that_cannot_be_opened(self, tmp_path: Path) -> None:
        (tmp_path / "minisip.db").mkdir()
        with pytest.raises(StartError) as caught:
            Kept(tmp_path)
        assert caught.value.exit_code == 74

    def test_a_newer_database(self, tmp_path: Path) -> None:
        choose("en")
        kept = Kept(tmp_path)
        kept.close()
        kept.local_rows("UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(StartError, match="newer miniSIPServer"):
            Kept(tmp_path)

    def test_after_closing(self, tmp_path: Path) -> None:
        kept = Kept(tmp_path)
        kept.close()
        assert code(kept.ask(lambda d: kept.store.add_user("103", None, "", d))) == "store-closed"
        kept.store.save_bindings("100", [row()])
        kept.store.record_written(kept.folder / "cdr" / "x.csv", 1)

    def test_a_bug_costs_one_command_only(
        self, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = opened(Kept(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(user_changes, "known_user", lambda *_: 1 / 0)
            told = kept.ask(lambda done: kept.store.remove_user("100", done))
        assert code(told) == "internal-error"
        assert kept.ask(lambda done: kept.store.remove_user("100", done)) is None

    def test_a_locked_database_is_down(
        self, tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept = opened(Kept(tmp_path))
        kept.local_rows("ALTER TABLE audit RENAME TO hidden")
        told = kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert code(told) == "database-down"
        down = kept.store.status
        assert not down.ok
        assert "no such table" in down.why
        kept.local_rows("ALTER TABLE hidden RENAME TO audit")
        told = kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert isinstance(told, Account)
        assert kept.store.status.ok
        assert "does not answer" in caplog.text

    def test_the_passwords_file_cannot_be_changed(
        self, tmp_path: Path, opened: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept = opened(Kept(tmp_path))
        (tmp_path / "initial-passwords.new").mkdir()
        assert isinstance(kept.ask(lambda d: kept.store.set_password("100", None, d)), Account)
        assert "could not be forgotten" in caplog.text
        assert sorted(opened(kept.reopened()).store.initial_passwords()) == ["101", "102"]

    @pytest.mark.parametrize("content", ["", "[]", "{", '{"100": 5}', '{"100": "guess"}'])
    def test_a_passwords_file_that_is_none(
        self, tmp_path: Path, opened: Opened, content: str
    ) -> None:
        kept = opened(Kept(tmp_path))
        (tmp_path / "initial-passwords.json").write_text(content)
        assert opened(kept.reopened()).store.initial_passwords() == {}


class TestThread:
    def test_everything_is_delivered_and_nothing_called_at_once(self, tmp_path: Path) -> None:
        kept = Kept(tmp_path)
        answers: list[object] = []
        kept.store.add_user("103", None, "", answers.append)
        kept.store.close()
        assert answers == []
        assert "103" not in kept.store.snapshot.users
        kept.close()
        assert len(answers) == 1
        assert "103" in kept.store.snapshot.users
        assert kept.changes > 0

    def test_nobody_need_listen_for_changes(self, tmp_path: Path) -> None:
        answers: list[object] = []
        store = Store(tmp_path, Settings(), lambda call: call())
        store.open()
        store.add_user("103", None, "", answers.append)
        store.close()
        assert len(answers) == 1
        assert "103" in store.snapshot.users

    def test_alembic_is_logged_no_louder_than_needed(self, tmp_path: Path) -> None:
        Kept(tmp_path).close()
        assert logging.getLogger("alembic").level == logging.WARNING

    def test_other_programs_may_read_meanwhile(self, tmp_path: Path, opened: Opened) -> None:
        kept = opened(Kept(tmp_path))
        reader = sqlite3.connect(tmp_path / "minisip.db")
        assert reader.execute("SELECT count(*) FROM local_user").fetchone() == (3,)
        kept.ask(lambda done: kept.store.add_user("103", None, "", done))
        assert reader.execute("SELECT count(*) FROM local_user").fetchone() == (4,)
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        reader.close()
