"""Each health check: when it speaks, and what it says in both languages."""

from dataclasses import replace

import pytest

from pbx.lines.state import Trouble
from pbx.locale import LANGUAGES, choose, say
from pbx.ops.health import CHECKS, examine
from pbx.ops.health.facts import Facts

FINE = Facts(
    wall_s=1_790_000_000,
    addresses=("udp 127.0.0.1:5060", "udp 192.0.2.1:5060"),
    engine_pid=7,
    engine_deaths=0,
    database_ok=True,
    database_why="",
    database_left="",
    records_waiting=0,
    records_unwritten=0,
    disk_used=0.3,
    tls_why="",
    lost={},
    prack_refused={},
    shadowed=(),
    services_refused={},
    no_emergency_numbers=False,
    lines={},
    prack_lines=(),
    nowhere={},
    emergency_calls=(),
)

WRONG = [
    ("no-engine", replace(FINE, engine_pid=0)),
    ("no-address", replace(FINE, addresses=("udp 127.0.0.1:5060", "tcp [::1]:5060"))),
    ("no-address", replace(FINE, addresses=())),
    ("no-tls", replace(FINE, tls_why="the key is not there")),
    ("clock-unsure", replace(FINE, wall_s=3_600)),
    ("records-stuck", replace(FINE, records_unwritten=4)),
    ("disk-full", replace(FINE, disk_used=0.95)),
    ("database-away", replace(FINE, database_ok=False, database_why="gone", records_waiting=3)),
    ("former-database", replace(FINE, database_left="/x/minisip-0004.db")),
    ("configuration-replaced", replace(FINE, replaced={2: (3, 1)})),
    ("engine-restarted", replace(FINE, engine_deaths=2)),
    ("late-ticks", replace(FINE, late_ticks_percent=0.3)),
    ("phone-lost", replace(FINE, lost={"105": 600.0})),
    ("password-guessing", replace(FINE, guessing=("192.0.2.66",))),
    ("emergency-taken", replace(FINE, shadowed=("110", "119"))),
    ("service-off", replace(FINE, services_refused={"services.echo": "112"})),
    ("no-emergency-numbers", replace(FINE, no_emergency_numbers=True)),
    ("line-leads-nowhere", replace(FINE, nowhere={"telco": "199"})),
    ("line-prack-refused", replace(FINE, prack_lines=("telco",))),
    ("emergency-call", replace(FINE, emergency_calls=(("100", "112"),))),
    ("callback-open", replace(FINE, callback_open=5080)),
    ("callback-port", replace(FINE, callback_failure=(5080, "Address already in use"))),
    ("recording-failed", replace(FINE, recording_failure="No space left on device")),
    (
        "announcement-unreadable",
        replace(FINE, announcement_failure=("/x/announcement.wav", "Permission denied")),
    ),
    ("announcement-no-sound", replace(FINE, announcement_failure=("/x/announcement.wav", ""))),
    ("recordings-lack-room", replace(FINE, recordings_lack_mb=500)),
    ("clock-moved", replace(FINE, clock_moved_days=3650)),
    ("recordings-stay", replace(FINE, recording_stays=("20261001/a.wav", "Permission denied"))),
    ("prack-refused", replace(FINE, prack_refused={"sip:gw@192.0.2.9": 600.0})),
    (
        "line-silent",
        replace(FINE, lines={"telco": Trouble("silent", {"server": "udp 192.0.2.7:5060"})}),
    ),
]


def test_nothing_is_wrong() -> None:
    assert examine(FINE) == []


@pytest.mark.parametrize(("slug", "facts"), WRONG)
def test_what_is_wrong_is_found_and_nothing_else(slug: str, facts: Facts) -> None:
    assert [problem.slug for problem in examine(facts)] == [slug]


@pytest.mark.parametrize(("slug", "facts"), WRONG)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_problem_and_its_remedy_are_sentences(slug: str, facts: Facts, language: str) -> None:
    choose(language)
    (problem,) = examine(facts)
    sentence, remedy = (say(f"{kind}-{slug}", **problem.values) for kind in ("problem", "remedy"))
    assert all(value in sentence for value in problem.values.values())
    assert sentence != remedy


def test_every_check_is_tried_here() -> None:
    assert [one for one in CHECKS if not any(one(facts) for _, facts in WRONG)] == []


def test_no_sound_is_worse_than_all_else() -> None:
    found = examine(replace(FINE, engine_pid=0, engine_deaths=1, lost={"9": 60}, addresses=()))
    assert [problem.failed for problem in found] == [True, False, False, False]
    assert found[0].slug == "no-engine"


def test_one_late_tick_in_a_thousand_is_nothing_to_look_at() -> None:
    assert examine(replace(FINE, late_ticks_percent=0.1)) == []


def test_an_ipv6_address_is_an_address() -> None:
    assert examine(replace(FINE, addresses=("udp [2001:db8::1]:5060",))) == []


def test_a_gateway_that_has_long_been_good_is_not_told_of() -> None:
    assert examine(replace(FINE, prack_refused={"sip:gw@192.0.2.9": 86401.0})) == []


def test_a_phone_that_has_long_been_gone_is_not_missed() -> None:
    assert examine(replace(FINE, lost={"105": 8 * 86400.0})) == []
