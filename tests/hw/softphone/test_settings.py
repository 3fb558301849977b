"""Which account the phone uses, and where it is kept."""

import asyncio
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hw.softphone.account import Account
from hw.softphone.network import split_host
from hw.softphone.phone import target_of
from hw.softphone.settings import Asked, Saved, account_of, read_saved, save, settings_path
from pbx.api.server import ControlServer
from pbx.errors import StartError
from tests.tui.conftest import doors, office

__all__ = ["doors", "office"]

NOWHERE = Path("no-such-folder/control.sock")


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("MINISIPPHONE_PASSWORD", raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `doors` has its socket."""
    return tmp_path


def refused(work: Callable[[], object]) -> str:
    with pytest.raises(StartError) as caught:
        work()
    assert caught.value.sentence.endswith(".")
    return caught.value.sentence


class TestKeeping:
    def test_it_comes_back_and_nobody_else_can_read_it(self) -> None:
        saved = Saved("[2001:db8::1]:5070", "100", 'a "quoted" \\ back\u00e4\u4e2d')
        save(settings_path(), saved)
        assert read_saved(settings_path()) == saved
        assert stat.S_IMODE(settings_path().stat().st_mode) == 0o600
        assert [path.name for path in settings_path().parent.iterdir()] == ["minisipphone.toml"]

    def test_none_is_none(self) -> None:
        assert read_saved(settings_path()) == Saved()

    @pytest.mark.parametrize("text", ["server = ", "colour = 'red'", "user = 100", "[server]\n"])
    def test_a_mistake_in_it_is_named(self, text: str) -> None:
        settings_path().parent.mkdir()
        settings_path().write_text(text)
        assert "minisipphone.toml" in refused(lambda: read_saved(settings_path()))

    def test_where_nothing_can_be_kept(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        sentence = refused(lambda: save(tmp_path / "file" / "x.toml", Saved("a", "b", "c")))
        assert "cannot be written" in sentence


class TestChoosing:
    def test_the_saved_account(self) -> None:
        save(settings_path(), Saved("pbx.example:5070", "100", "secret"))
        assert account_of(Asked(), NOWHERE) == Account("100", "secret", "pbx.example", 5070)

    def test_the_environment_has_the_word(self, monkeypatch: pytest.MonkeyPatch) -> None:
        save(settings_path(), Saved("pbx.example", "100", "secret"))
        monkeypatch.setenv("MINISIPPHONE_PASSWORD", "other")
        assert account_of(Asked(), NOWHERE).password == "other"

    def test_and_before_it_the_password_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("MINISIPPHONE_PASSWORD", "other")
        (tmp_path / "password").write_text("from-file\n")
        asked = Asked("pbx.example", "100", tmp_path / "password")
        assert account_of(asked, NOWHERE).password == "from-file"

    def test_a_saved_password_goes_to_no_other_server_or_user(self) -> None:
        save(settings_path(), Saved("pbx.example", "100", "secret"))
        for asked in (Asked(server="elsewhere.example"), Asked(server="pbx.example", user="101")):
            assert "MINISIPPHONE_PASSWORD" in refused(partial(account_of, asked, NOWHERE))

    def test_without_anything(self) -> None:
        assert "minisipphone setup" in refused(lambda: account_of(Asked(), NOWHERE))

    @pytest.mark.parametrize("text", [None, "", "\n"])
    def test_a_password_file_that_has_none(self, tmp_path: Path, text: str | None) -> None:
        path = tmp_path / "password"
        if text is not None:
            path.write_text(text)
        asked = Asked("pbx.example", "100", path)
        assert str(path) in refused(lambda: account_of(asked, NOWHERE))

    @pytest.mark.parametrize(
        ("server", "user"), [("a b", "100"), ("x:0", "100"), ("x:99999", "100"), ("x", "1 2")]
    )
    def test_what_can_be_no_account(
        self, monkeypatch: pytest.MonkeyPatch, server: str, user: str
    ) -> None:
        monkeypatch.setenv("MINISIPPHONE_PASSWORD", "secret")
        assert "'" in refused(lambda: account_of(Asked(server, user), NOWHERE))


class TestAtHome:
    """On the exchange's own machine."""

    async def test_the_exchange_tells_a_first_password(
        self, doors: ControlServer, folder: Path
    ) -> None:
        asked = Asked(user="100")
        account = await asyncio.to_thread(account_of, asked, folder / "control.sock")
        assert (account.user, account.password) == ("100", "first-secret")

    async def test_nobody_is_asked_for_whom_no_user_was_named(
        self, doors: ControlServer, folder: Path
    ) -> None:
        with pytest.raises(StartError, match="setup"):
            await asyncio.to_thread(account_of, Asked(), folder / "control.sock")


class TestNames:
    @pytest.mark.parametrize(
        ("text", "host", "port"),
        [
            ("pbx.example", "pbx.example", None),
            ("pbx.example:5070", "pbx.example", 5070),
            ("192.0.2.1:1", "192.0.2.1", 1),
            ("[2001:db8::1]:5070", "2001:db8::1", 5070),
            ("[::1]", "::1", None),
            ("2001:db8::1", "2001:db8::1", None),
        ],
    )
    def test_servers(self, text: str, host: str, port: int | None) -> None:
        assert split_host(text) == (host, port)

    def test_numbers(self) -> None:
        account = Account("100", "secret", "pbx.example", 5070)
        assert target_of(" (030) 12-34 ", account).uri == "sip:0301234@pbx.example:5070"
        assert target_of("*43#", account).uri == "sip:*43%23@pbx.example:5070"
        assert target_of("bob", account).uri == "sip:bob@pbx.example:5070"
        assert target_of("101@PBX.example:5070", account).direct is None
        assert target_of("sip:101@192.0.2.7", account).direct == ("192.0.2.7", 5060)
        assert target_of("sip:[::1]:5062", None).direct == ("::1", 5062)

    @pytest.mark.parametrize(
        "text", ["", "()", "two words", "sip:", "sip:a@b c", "a@", "sip:a@b?c=d"]
    )
    def test_what_is_no_number(self, text: str) -> None:
        refused(lambda: target_of(text, Account("100", "secret", "pbx.example")))

    def test_a_number_needs_a_server(self) -> None:
        assert "--server" in refused(lambda: target_of("101", None))
