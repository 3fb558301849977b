"""`minicdr show`."""

import json

import pytest

from pbx.call.cause import LINES_FULL, by_response
from pbx.call.quality import Quality
from pbx.locale import english
from tests.tui.minicdr.conftest import Exchange, Run
from tests.tui.program import CHINESE

OUTWARD = "0000000000000004"


@pytest.mark.parametrize("name", ["4@phone", OUTWARD, f"{OUTWARD}-LO", f"{OUTWARD}-OT"])
def test_all_of_a_call_in_words(minicdr: Run, name: str) -> None:
    ran = minicdr("show", name)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.strip() for line in ran.out.splitlines()]
    assert f"Records     {OUTWARD}-LO  LO  a local user called" in lines
    assert f"{OUTWARD}-OT  OT  outside was called" in lines
    for line in (
        "Call        4@phone",
        "Caller      100  udp 192.0.2.7:5060",
        "Dialled     9555",
        "Called      555  udp 203.0.113.7:5060",
        "Began       2027-01-15 06:49:56 +0000",
        "Rang        2027-01-15 06:49:56 +0000 (after 0.250 s)",
        "Answered    2027-01-15 06:50:00 +0000",
        "Ended       2027-01-15 07:00:00 +0000",
        "Talk        0:10:00",
        "Ended by    102  caller: hung up (BYE)",
        "Cause       16  Normal call clearing",
        "SIP status  200",
        "Codec       PCMA, converted to G722",
    ):
        assert line in lines


def test_chinese(minicdr: Run) -> None:
    out = minicdr("show", "5@phone", locale=CHINESE).out
    for words in ("本地用户主叫", "301  交换机：空号", "1  空号", "应答", "没有"):
        assert words in out


def test_what_ended_the_call_in_its_own_words(minicdr: Run, office: Exchange) -> None:
    office.call(by_response(486, "Busy Here", ['Q.850;cause=34;text="[red]No circuit"']))
    out = minicdr("show", "6@phone").out
    assert 'Reason      Q.850;cause=34;text="[red]No circuit"' in out
    assert "34  No circuit available" in out


def test_the_cause_tells_more_exactly_what_the_call_tag_means(
    minicdr: Run, office: Exchange
) -> None:
    office.call(LINES_FULL)
    english = minicdr("show", "6@phone").out
    assert "315  exchange: each line that it could go out by has as many calls" in english
    assert "each line that" in minicdr().out
    assert "315  交换机：可以走的每条线路" in minicdr("show", "6@phone", locale=CHINESE).out


def test_sound_and_recordings(minicdr: Run, office: Exchange) -> None:
    quality = (Quality(0.5, 3.0, 4.1), None)
    office.call(talk_s=1.0, quality=quality, recordings=("20270115/a.wav", "20270115/b.wav"))
    out = minicdr("show", "6@phone").out
    assert "Caller's sound  score 4.10 of 4.5, 0.50 % lost, jitter 3.0 ms" in out
    assert "Called's sound" not in out
    assert "record/20270115/a.wav" in out
    assert "record/20270115/b.wav" in out


def test_the_worst_second_and_the_round_trip(minicdr: Run, office: Exchange) -> None:
    quality = (Quality(0.5, 3.0, 4.1, worst_loss_percent=12.5, round_trip_ms=84.2), None)
    office.call(talk_s=1.0, quality=quality)
    told = " ".join(minicdr("show", "6@phone").out.split())
    assert "0.50 % lost, jitter 3.0 ms, 12.50 % lost in the worst second, round trip 84 ms" in told
    told = "".join(minicdr("show", "6@phone", locale=CHINESE).out.split())
    assert "丢包0.50%，抖动3.0毫秒，最差一秒丢包12.50%，往返84毫秒" in told


def test_why_it_was_not_recorded(minicdr: Run, office: Exchange) -> None:
    office.call(talk_s=1.0, recording_failure=english("unrecorded-sound"))
    office.call(talk_s=1.0, recording_failure="No space left on device")
    assert "Not recorded  the media engine can't read its sound" in minicdr("show", "6@phone").out
    for call, words in (("6", "媒体引擎无法解读其声音"), ("7", "磁盘空间不足")):
        assert f"未录音原因  {words}" in minicdr("show", f"{call}@phone", locale=CHINESE).out


def test_what_a_later_version_records_is_shown_as_it_is(minicdr: Run, office: Exchange) -> None:
    path = office.newest
    path.write_bytes(
        path.read_bytes().replace(b"callTag=301;cause=1;", b"callTag=399;cause=200;new=yes;")
    )
    out = minicdr("show", "5@phone").out
    assert "Ended by    399\n" in out.replace(" \n", "\n")
    assert "new=yes" in out
    assert "399" in minicdr().out


def test_json(minicdr: Run) -> None:
    ran = minicdr("show", "4@phone", "--json")
    assert [json.loads(line)["cdr_type"] for line in ran.out.splitlines()] == ["LO", "OT"]


def test_no_such_call(minicdr: Run, office: Exchange) -> None:
    ran = minicdr("show", "frob\x1b[2J", office.folder)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "minicdr: There is no call frob\ufffd[2J in these records.\n"
    ran = minicdr("show", "frob", locale=CHINESE)
    assert ran.err == "minicdr: 这些话单中没有呼叫 frob。\n"


def test_numbers_do_not_steer_the_terminal(minicdr: Run, office: Exchange) -> None:
    office.call(caller_number="\u202e1\u200f", route="[red]x[/red]")
    out = minicdr("show", "6@phone").out
    assert "\u200f" not in out
    assert "[red]x[/red]" in out
