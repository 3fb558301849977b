"""The man pages, as far as a program can read them."""

import re
import subprocess
import sys

import pytest
import typer
from typer.main import get_command

from hw.softphone.commands import app as minisipphone
from tests.deb.packages import PROJECT
from tui.commands import app as minisip
from tui.minicdr.commands import app as minicdr

LANGUAGES = ("en", "zh_CN")


def page(language: str, name: str) -> str:
    """Return a page's source with its hyphens as a reader sees them."""
    return (PROJECT / f"image/deb/man/{language}/{name}.1").read_text().replace("\\-", "-")


def commands(app: typer.Typer) -> list[str]:
    """Return every command of a program, such as ``user add``."""
    found = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in below] if below else [name]
    return found


def options(app: typer.Typer) -> set[str]:
    """Return every option of a program and of its commands."""
    whole = get_command(app)
    found = [whole, *whole.commands.values()]  # type: ignore[attr-defined]
    return {
        name for one in found for param in one.params for name in param.opts if name[:2] == "--"
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("program", "command"),
    [
        (program, command)
        for program, app in (("minisip", minisip), ("minisipphone", minisipphone))
        for command in commands(app)
    ],
)
def test_every_command_is_in_it(language: str, program: str, command: str) -> None:
    assert re.search(rf"(?m)^\.BI? \"?{command}\b", page(language, program))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_of_the_softphone_is_in_it(language: str) -> None:
    assert "--play" in options(minisipphone)
    assert options(minisipphone) <= set(re.findall(r"--[a-z-]+", page(language, "minisipphone")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_option_of_the_exchange_is_in_it(language: str) -> None:
    program = [sys.executable, "-m", "pbx", "--help"]
    told = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z-]+", told))
    assert "--data-dir" in options
    assert options <= set(re.findall(r"--[a-z-]+", page(language, "minisipserver-cli")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_option_of_minicdr_is_in_it(language: str) -> None:
    text = page(language, "minicdr")
    commands = get_command(minicdr).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        assert re.search(rf"(?m)^\.B {name}$", text)
        for option in (one for param in command.params for one in param.opts):
            assert option in text or not option.startswith("--")


@pytest.mark.parametrize("name", ["minisip", "minicdr", "minisipphone", "minisipserver-cli"])
def test_both_languages_have_the_same_sections(name: str) -> None:
    counts = [
        [
            line.split()[0]
            for line in page(language, name).splitlines()
            if line.startswith((".SH", ".TP"))
        ]
        for language in LANGUAGES
    ]
    assert counts[0] == counts[1]
