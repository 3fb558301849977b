"""The image with MariaDB: who chooses it, and what MariaDB is told."""

import importlib.util
import os
import pwd
from pathlib import Path
from types import ModuleType

import pytest

from builder.description import IMAGE
from pbx.config.database_url import parse_database
from pbx.config.settings import read_settings


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = IMAGE / "files-mariadb/usr/lib/minisip/database.py"
    spec = importlib.util.spec_from_file_location("database", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SETTINGS", tmp_path / "pi/minisip.toml")
    monkeypatch.setattr(module, "PASSWORD", tmp_path / "minisip/database-password")
    monkeypatch.setattr(module, "WORDS", tmp_path / "run/database.sql")
    monkeypatch.setattr(module, "FILES", tmp_path / "mysql")
    me = pwd.getpwuid(os.getuid())
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: me)
    return module


def test_the_exchange_gets_mariadb_where_nothing_was_said(database: ModuleType) -> None:
    assert database.wanted() == 1
    assert database.choose() == 0
    address = parse_database(read_settings(database.SETTINGS).database)
    assert address is not None
    assert (address.user, address.host, address.name) == ("minisip", "127.0.0.1", "minisip")
    assert address.password == database.PASSWORD.read_text()
    assert database.SETTINGS.stat().st_mode & 0o777 == 0o600
    assert database.wanted() == 0


def test_other_settings_stay_and_a_second_start_changes_nothing(database: ModuleType) -> None:
    database.SETTINGS.parent.mkdir()
    database.SETTINGS.write_text("# mine\n[sip]\nport = 5070\n")
    database.choose()
    text = database.SETTINGS.read_text()
    assert "# mine" in text
    assert read_settings(database.SETTINGS).sip.port == 5070
    database.choose()
    assert database.SETTINGS.read_text() == text


@pytest.mark.parametrize("other", ['""', '"mysql://me:secret@192.0.2.1/calls"'])
def test_another_database_is_left_alone_and_mariadb_off(database: ModuleType, other: str) -> None:
    database.SETTINGS.parent.mkdir()
    database.SETTINGS.write_text(f"database = {other}\n")
    database.choose()
    assert database.SETTINGS.read_text() == f"database = {other}\n"
    assert database.wanted() == 1


def test_broken_settings_are_left_for_the_exchange_to_complain_about(database: ModuleType) -> None:
    database.SETTINGS.parent.mkdir()
    database.SETTINGS.write_text("database = ")
    database.choose()
    assert database.SETTINGS.read_text() == "database = "
    assert database.wanted() == 1


def test_mariadb_is_told_the_same_password(database: ModuleType) -> None:
    (database.FILES / "mysql").mkdir(parents=True)
    database.choose()
    assert database.prepare() == 0
    told = database.WORDS.read_text()
    assert f"IDENTIFIED BY '{database.PASSWORD.read_text()}'" in told
    assert database.WORDS.stat().st_mode & 0o777 == 0o600
