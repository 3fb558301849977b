"""Seeing that the machine is being switched off."""

from pathlib import Path

import pytest

from hw.power import is_powering_off, powers_off

POWER_OFF = """\
  1023 minisipserver-hw.service      stop  running
  1100 systemd-poweroff.service      start waiting
  1101 poweroff.target               start waiting
"""
RESTART = """\
  1023 minisipserver-hw.service      stop  running
  1101 reboot.target                 start waiting
"""
STOP = "  77 minisipserver-hw.service stop running\n"


@pytest.mark.parametrize(
    ("jobs", "off"),
    [
        (POWER_OFF, True),
        (POWER_OFF.replace("poweroff.target", "halt.target    "), True),
        (RESTART, False),
        (STOP, False),
        ("No jobs running.\n", False),
        ("Failed to connect to bus: No such file or directory\n", False),
        ("", False),
    ],
)
async def test_by_systemds_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jobs: str, off: bool
) -> None:
    assert powers_off(jobs) is off
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\ncat <<'JOBS'\n{jobs}JOBS\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert await is_powering_off() is off


async def test_no_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await is_powering_off() is False
