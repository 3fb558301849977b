"""Whoever watches hears of each change once, and never misses one."""

import asyncio

import pytest

from pbx.api.noticeboard import Noticeboard
from pbx.api.schema import TOPICS


async def test_the_first_look_is_at_everything() -> None:
    assert (await Noticeboard().watch("")).topics == list(TOPICS)


@pytest.mark.parametrize("mark", ["nonsense", "a.b.c.d.e", ".", "é.1.2.3.4"])
async def test_so_is_one_with_a_mark_of_another_run(mark: str) -> None:
    assert (await Noticeboard().watch(mark)).topics == list(TOPICS)


async def test_a_change_between_two_looks_is_told() -> None:
    board = Noticeboard()
    mark = (await board.watch("")).mark
    board.changed("calls")
    changes = await board.watch(mark)
    assert changes.topics == ["calls"]
    assert (await board.watch(changes.mark, longest_s=0.001)).topics == []


async def test_a_change_while_watching_is_told_with_what_follows_it() -> None:
    board = Noticeboard()
    mark = (await board.watch("")).mark
    watching = asyncio.create_task(board.watch(mark))
    await asyncio.sleep(0)
    board.changed("log")
    board.changed("users")
    assert (await watching).topics == ["users", "log"]


async def test_many_can_watch_and_one_that_leaves_disturbs_nobody() -> None:
    board = Noticeboard()
    mark = (await board.watch("")).mark
    watching = [asyncio.create_task(board.watch(mark)) for _ in range(3)]
    await asyncio.sleep(0)
    watching[0].cancel()
    board.changed("health")
    assert [(await one).topics for one in watching[1:]] == [["health"]] * 2
