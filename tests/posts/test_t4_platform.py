"""再见，Windows XP/2003, the post on systems that are no longer supported: T4.1.

What can be had is real: an old Python, and the kernel as it shows itself to 32-bit programs (setarch(8)).
Other kernels, and a system of 32 bits, are programs that speak for them.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.exchange import Exchange, command

PROJECT = Path(__file__).parents[2]

LANGUAGES = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}

EX_UNAVAILABLE = 69


def refusal(argv: list[str], language: str, **environment: str) -> str:
    """Return the one sentence in which a program refuses to start."""
    done = subprocess.run(
        argv,
        cwd=PROJECT,
        # LANG alone: bash complains of an LC_ALL that isn't installed.
        env={
            **os.environ,
            "LC_ALL": "",
            "LC_MESSAGES": "",
            "LANG": LANGUAGES[language],
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (EX_UNAVAILABLE, ""), done.stderr
    (line,) = done.stderr.splitlines()
    name, _, sentence = line.partition(": ")
    assert name in ("minisipserver-cli", "build.sh")
    # It ends as a sentence of its language does.
    assert sentence.endswith({"en": ".", "zh": "。"}[language])
    return sentence


def test_T4_1_the_log_begins_with_the_system(exchange: Exchange) -> None:
    first = exchange.log().splitlines()[0]
    python = ".".join(platform.python_version_tuple()[:2])
    assert first.endswith(f", {platform.machine()} (64 bits), Python {python}")
    assert f"Linux {platform.release()}" in first
    assert platform.freedesktop_os_release()["PRETTY_NAME"] in first


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("program", ["minisipserver-cli", "build.sh"])
def test_T4_1_a_32_bit_machine(program: str, language: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    own = [command(program)] if program != "build.sh" else ["./build.sh", "run"]
    sentence = refusal(["setarch", "linux32", *own, "--data-dir", str(folder)], language)
    shown = subprocess.run(
        ["setarch", "linux32", "uname", "-m"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert shown != platform.machine()
    assert shown in sentence
    assert "64" in sentence
    # Nothing has begun.
    assert not folder.exists()


def older_pythons() -> Iterator[str]:
    """Yield Pythons of this machine that are too old."""
    places = [Path(f"/usr/bin/python3.{minor}") for minor in range(6, 11)]
    places += sorted(Path("~/.pyenv/versions").expanduser().glob("3.*/bin/python"))
    asked = "import sys; print(sys.version_info < (3, 11))"
    for place in filter(Path.exists, places):
        done = subprocess.run([place, "-c", asked], capture_output=True, text=True, check=False)
        if done.stdout.strip() == "True":
            yield str(place)


def test_T4_1_an_old_python() -> None:
    pythons = list(older_pythons())
    if not pythons:
        pytest.skip("no Python before 3.11 is here; tests/app/test_start.py pretends one")
    for python in pythons:
        version = subprocess.run(
            [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        english, chinese = (
            refusal([python, "-m", "pbx"], language, PYTHONIOENCODING="utf-8")
            for language in LANGUAGES
        )
        assert english.endswith(f"this is Python {version}.")
        assert chinese.endswith(f"当前为 Python {version}。")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("program", "says", "named"), [("uname", "Darwin", "Linux"), ("getconf", "32", "32")]
)
def test_T4_1_other_systems_as_build_sh_finds_them(
    program: str, says: str, named: str, language: str, tmp_path: Path
) -> None:
    speaker = tmp_path / program
    speaker.write_text(
        f'#!/bin/sh\n[ "$*" = -m ] && exec {shutil.which("uname")} -m\necho {says}\n'
    )
    speaker.chmod(0o755)
    sentence = refusal(["./build.sh", "run"], language, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert says in sentence
    assert named in sentence
