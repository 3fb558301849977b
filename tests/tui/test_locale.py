"""Refusals of the exchange, put into the user's language."""

import errno
import os

import pytest

from pbx.api.client import CommandError
from pbx.api.schema import Problem
from pbx.locale import english
from pbx.media.engine import recordings
from tui.locale import translate, with_reason
from tui.problems import sentence


@pytest.fixture(autouse=True)
def _chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")


@pytest.mark.parametrize(
    ("code", "sentence", "shown"),
    [
        ("unknown-user", "There is no user 999.", "没有用户 999。"),
        ("unknown-user", "There is no user {0}\n.", "没有用户 {0}\n。"),
        (
            "field-type",
            "routes[1].lines has the wrong kind of value: it must be a list, not a whole number.",
            "routes[1].lines 的值类型不对：应为列表，而不是整数。",
        ),
        ("unknown-call", "There is no call c9.", "没有这个呼叫。"),
        ("internal", "Whatever.", "交换机未能完成此操作；原因见日志。"),
        ("unknown-user", "Nobody has that number.", "Nobody has that number."),
        ("code-of-tomorrow", "Not today.", "Not today."),
    ],
)
def test_chinese(code: str, sentence: str, shown: str) -> None:
    assert translate(CommandError(code, sentence)) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [("Connection refused", "连接被拒绝"), ("gone to lunch", "gone to lunch"), ("", "")],
)
def test_what_the_system_says(said: str, shown: str) -> None:
    assert with_reason({"why": said, "server": "Connection refused"}) == {
        "why": shown,
        "server": "Connection refused",
    }


@pytest.mark.parametrize(
    ("why", "shown"),
    [
        (english("unrecorded-sound"), "媒体引擎无法解读其声音"),
        (english("unrecorded-room"), "磁盘没有录音所需的空间"),
        (recordings.TWICE, "该通话已在录音"),
        (recordings.FULL, "同时录音的通话已达上限"),
        (recordings.UNREAD, "媒体引擎无法解读其声音"),
        (os.strerror(errno.ENOSPC), "磁盘空间不足"),
    ],
)
def test_why_a_call_was_not_recorded(why: str, shown: str) -> None:
    """Whether call control, the media engine or the system says so."""
    problem = Problem(slug="recording-failed", severity="attention", values={"why": why})
    assert sentence(problem) == f"有通话无法录音：{shown}。"


def test_english_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert translate(CommandError("unknown-user", "Nobody.")) == "Nobody."
