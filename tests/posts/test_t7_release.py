"""The post "call tag and cause" (call tag 以及 cause): T7.1 to T7.7, a call for each way to end.

Both parties of every call are sipp, or PJSIP; the table is `pbx.cdr.endings`, how each row comes about is in
`releases`.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pbx.call.cause import CallTag
from pbx.cdr.endings import ENDINGS, Ending
from pbx.cdr.fci import parse_fci
from pbx.cdr.words import cause_words, tag_words
from pbx.locale import choose
from pbx.sip.reason import parse_reasons
from tests.interop.exchange import Exchange
from tests.interop.ports import Ports
from tests.posts.outside import Outside
from tests.posts.releases import SHORT_TIMES, WAYS, Slow
from tests.posts.stage import (
    CALLEE,
    CALLER,
    NEVER_CALLED,
    NEVER_CALLS,
    Played,
    Site,
    Stage,
)
from tests.tui.program import CHINESE, ENGLISH
from tui.minicdr.commands import run

pytestmark = pytest.mark.interop

SLOW = frozenset(one.name for one in ENDINGS) - frozenset(WAYS)
"""Ways that take half a minute."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield an exchange with lines."""
    with ExitStack() as stack:
        ports = stack.enter_context(Ports())
        port = ports.one()
        folder = tmp_path_factory.mktemp("t7")
        exchange = Exchange(
            folder / "data",
            ports,
            top="[services]\nconference_parties = 2",
            calls="min_se_s = 3.0",
            callback=port,
        )
        stack.callback(exchange.close)
        exchange.start()
        site = Site(exchange, ports, port)
        site.add_user(NEVER_CALLS, most_outgoing=0)
        site.add_user(NEVER_CALLED, most_calls=0)
        site.outside = Outside(
            exchange, folder, ports, stack, caller=f"030{CALLER}", destination=CALLEE
        )
        yield site
        exchange.assert_sane()


@pytest.fixture(scope="module")
def short_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield an exchange with few ports and little patience."""
    with ExitStack() as stack:
        ports = stack.enter_context(Ports())
        exchange = Exchange(
            tmp_path_factory.mktemp("short") / "data",
            ports,
            streams=4,
            media="timeout_s = 6.0\ngrace_s = 1.0",
        )
        stack.callback(exchange.close)
        exchange.start()
        yield Site(exchange, ports)
        exchange.assert_sane()


@pytest.fixture(scope="module", autouse=True)
def slow(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    """Yield the calls that take longest, which begin before all others."""
    with ExitStack() as stack:
        yield Slow(Stage(site, tmp_path_factory.mktemp("slow"), stack))


Play = Callable[[Ending], Played]


@pytest.fixture(scope="module")
def play(
    request: pytest.FixtureRequest, slow: Slow, tmp_path_factory: pytest.TempPathFactory
) -> Play:
    """Return a function that has a call end so, once for all tests."""
    known: dict[str, Played] = {}

    def once(ending: Ending) -> Played:
        if ending.name not in known:
            site: Site = request.getfixturevalue(
                "short_site" if ending.name in SHORT_TIMES else "site"
            )
            with ExitStack() as stack:
                stage = Stage(site, tmp_path_factory.mktemp(slug(ending)), stack)
                known[ending.name] = WAYS.get(ending.name, slow)(stage, ending)
        return known[ending.name]

    return once


def slug(ending: Ending) -> str:
    """Return a way's name as a test's."""
    return re.sub(r"\W+", "-", ending.name)


def every(endings: Iterable[Ending]) -> pytest.MarkDecorator:
    """Have a test run for each of these ways, for those last that take longest."""
    rows = sorted(endings, key=lambda one: one.name in SLOW)
    return pytest.mark.parametrize("ending", rows, ids=slug)


def named(name: str) -> Ending:
    """Return the way of this name."""
    (found,) = [one for one in ENDINGS if one.name == name]
    return found


@every(ENDINGS)
def test_T7_1_the_record_begins_with_call_tag_and_cause(play: Play, ending: Ending) -> None:
    """And says what the table says."""
    fci = play(ending).record["fci"]
    tag, cause = ending.cause.tag, ending.cause.q850
    assert fci.startswith(f"callTag={tag.value};cause={cause};")
    found = parse_fci(fci)
    assert found["releasedBy"] == tag.released_by
    status = 200 if ending.talked else ending.cause.heard or ending.status
    assert found.get("sip", "0") == str(status)
    assert found.get("reason", "") == ", ".join(ending.reasons)
    assert bool(play(ending).record["talk_time"]) == ending.talked


def test_T7_2_there_is_a_call_for_every_call_tag() -> None:
    assert {one.cause.tag for one in ENDINGS} == set(CallTag)
    names = [one.name for one in ENDINGS]
    assert len(names) == len(set(names))
    assert set(WAYS) <= set(names)
    assert set(Slow.NAMES) == SLOW


Q850_OF_STATUS = {480: 18, 486: 17, 603: 21}
"""RFC 3398 §8.2.6.1, as far as a Reason header here names a SIP status."""


@every(one for one in ENDINGS if one.said[:1].isdecimal())
def test_T7_3_a_cause_of_the_called_side_releases_the_call(play: Play, ending: Ending) -> None:
    """The first one of Q.850 that is a number from 1 to 127; else that of a SIP status."""
    pattern = r'(q\.850|sip)\s*;\s*cause="?(\d+)'
    found = re.findall(pattern, ", ".join(ending.reasons).lower())
    given = [(protocol, int(value)) for protocol, value in found]
    causes = [value for protocol, value in given if protocol == "q.850" and 1 <= value <= 127]
    causes += [
        Q850_OF_STATUS[value] for protocol, value in given if protocol == "sip" and value >= 200
    ]
    # As if there had been no Reason header
    without = {one.cause.q850 for one in ENDINGS if one.said == ending.said and not one.reasons}
    fci = parse_fci(play(ending).record["fci"])
    assert {int(fci["cause"])} == (set(causes[:1]) or without)


@pytest.mark.parametrize(
    ("name", "said", "reasons", "cause", "status"),
    [
        ("486, Q.850", "486 Busy Here", ("Q.850;cause=34",), 34, 503),
        ("486", "486 Busy Here", (), 17, 486),
        ("486, SIP", "486 Busy Here", ("SIP;cause=480",), 18, 408),
        ("486, several headers", "486 Busy Here", ("SIP;cause=480", "Q.850;cause=38"), 38, 503),
        ("603, Q.850", "603 Decline", ("Q.850;cause=17",), 17, 603),
    ],
)
def test_T7_4_the_posts_examples(
    play: Play, name: str, said: str, reasons: tuple[str, ...], cause: int, status: int
) -> None:
    """What a SIP cause said stays in the record."""
    ending = named(name)
    assert (ending.said, ending.reasons) == (said, reasons)
    done = play(ending)
    fci = parse_fci(done.record["fci"])
    assert (fci["cause"], done.status) == (str(cause), status)
    assert fci.get("reason", "") == ", ".join(reasons)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("caller hangs up", 16),
        ("callee hangs up", 16),
        ("nobody answers", 19),
        ("longest duration", 102),
        ("no media", 41),
        ("all lines are full", 34),
        ("administrator", 16),
    ],
)
def test_T7_5_answered_calls_and_the_exchange_s_own_have_one_too(
    play: Play, name: str, cause: int
) -> None:
    assert parse_fci(play(named(name)).record["fci"])["cause"] == str(cause)


@every(ENDINGS)
def test_T7_6_the_release_reflects_the_cause(play: Play, ending: Ending) -> None:
    """The caller gets the status, and whoever is told of the end its Reason."""
    done = play(ending)
    assert done.status == ending.status
    for value in done.told:
        (reason,) = parse_reasons([value])
        assert (reason.protocol, reason.cause) == ("Q.850", ending.cause.q850)
    # Of an exchange that has died, nobody hears anything
    assert bool(done.told) == (ending.cause.tag is not CallTag.RESTART)


WHO = {
    "caller": ("caller: ", "主叫"),
    "callee": ("called side: ", "被叫"),
    "server": ("exchange: ", "交换机"),
    "network": ("network: ", "网络"),
}
"""How the words begin, in English and Chinese."""


@pytest.mark.parametrize("locale", [ENGLISH, CHINESE], ids=["en", "zh"])
@every(ENDINGS)
def test_T7_7_one_record_tells_who_ended_the_call_and_why(
    play: Play,
    ending: Ending,
    locale: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """`minicdr show` says it in words."""
    record = play(ending).record
    path = tmp_path / "CDR_20260101.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.DictWriter(file, record.fields)
        rows.writeheader()
        rows.writerow(record.fields)
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setattr("sys.argv", ["minicdr", "show", record["record_id"], str(path)])
    assert run() == 0
    out, err = capfd.readouterr()
    assert err == ""
    tag, cause = ending.cause.tag, ending.cause.q850
    chinese = locale == CHINESE
    choose("zh" if chinese else "en")
    try:
        who, why = tag_words(tag, cause), cause_words(cause)
    finally:
        choose("")
    assert who.startswith(WHO[tag.released_by][chinese])
    assert f"{tag.value}  {who}\n" in _unpadded(out)
    assert f"{cause}  {why}".strip() in _unpadded(out)
    for reason in ending.reasons:
        assert reason in out


def _unpadded(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())
