"""The interop matrix: which test proves what with which program that others wrote, over which path.

A line is ``act | program | path | tests``; tests are names in this folder, or their beginnings. ``*`` is
each path that the program has, and ``{path}`` in a name is that path, in small letters. Where a program
can't do something, the line says why after a dash. `./build.sh test interop` runs all of the folder and
prints what became of each line.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tests.tables import Outcome, together

PATHS = ("UDP", "TCP", "TLS", "WS")

_NO_PATH = {
    "baresip": {"WS": "baresip 1.0 has no WebSocket"},
    "linphone": {"WS": "linphonec has no WebSocket"},
    "pjsua": {"WS": "pjsua2 has no WebSocket"},
    "sipp": {"TLS": "Debian's sipp is built without TLS", "WS": "sipp has no WebSocket"},
    "JsSIP": dict.fromkeys(("UDP", "TCP", "TLS"), "web pages have WebSocket alone"),
    "Asterisk": {"WS": "Asterisk is a server by WebSocket alone"},
    "Kamailio": {},
}

PROGRAMS = tuple(_NO_PATH)

ACTS = (
    "registers, calls both ways",
    "hold and resume",
    "blind transfer",
    "attended transfer",
    "keys as telephone-events",
    "keys by INFO",
    "keys as tones",
    "early media",
    "cancel",
    "re-INVITE",
    "past two session refreshes",
)
"""What is proved with each program over each path, or why it isn't."""

_PHONES = ("baresip", "linphone", "pjsua", "Asterisk", "Kamailio")

_TABLE = """
hold and resume            | Asterisk | *   | test_asterisk.py::test_hold[{path}
re-INVITE                  | Asterisk | *   | test_asterisk.py::test_it_refreshes[{path}
keys by INFO               | Asterisk | *   | test_asterisk.py::test_keys_by_info[{path}
keys as tones              | Asterisk | *   | test_asterisk.py::test_keys_as_tones[{path}
attended transfer          | baresip  | *   | - baresip 1.0 transfers blindly alone
keys by INFO               | baresip  | *   | - baresip 1.0 has telephone-events alone
keys by INFO               | linphone | *   | test_every_phone.py::test_linphones_keys_by_info[{path}
keys as tones              | baresip  | *   | - it sends none
keys as tones              | linphone | *   | - it sends none
keys as tones              | pjsua    | *   | - it sends none
keys as tones              | sipp     | *   | - its RTP is the test's own: tests/media/test_voice_digits.py
keys as tones              | JsSIP    | *   | - node has no WebRTC, and so no sound
keys as telephone-events   | JsSIP    | *   | - node has no WebRTC, and so no sound
keys as telephone-events   | sipp     | *   | - its RTP is the test's own: tests/media
past two session refreshes | baresip  | *   | - baresip 1.0 knows no session timers
registers, calls both ways | JsSIP    | WS  | test_websocket.py::test_registers_and_unregisters test_websocket.py::TestCalls test_websocket.py::TestWithPhones::test_calls_both_ways[direct
hold and resume            | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_hold[direct
re-INVITE                  | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_hold[direct
blind transfer             | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_transfers[direct
attended transfer          | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_transfers_attended[direct
keys by INFO               | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_keys_by_info[direct
early media                | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_early_media[direct
cancel                     | JsSIP    | WS  | test_websocket.py::TestWithPhones::test_gives_up[direct
registers, calls both ways | Kamailio | WS  | test_websocket.py::TestWithPhones::test_calls_both_ways[Kamailio
hold and resume            | Kamailio | WS  | test_websocket.py::TestWithPhones::test_hold[Kamailio
re-INVITE                  | Kamailio | WS  | test_websocket.py::TestWithPhones::test_hold[Kamailio
blind transfer             | Kamailio | WS  | test_websocket.py::TestWithPhones::test_transfers[Kamailio
attended transfer          | Kamailio | WS  | test_websocket.py::TestWithPhones::test_transfers_attended[Kamailio
keys by INFO               | Kamailio | WS  | test_websocket.py::TestWithPhones::test_keys_by_info[Kamailio
early media                | Kamailio | WS  | test_websocket.py::TestWithPhones::test_early_media[Kamailio
cancel                     | Kamailio | WS  | test_websocket.py::TestWithPhones::test_gives_up[Kamailio
keys as telephone-events   | Kamailio | WS  | - its web page has no sound
keys as tones              | Kamailio | *   | - it passes no sound
registers, calls both ways | sipp     | *   | test_call_flows.py::test_sound_flows_however_it_is_agreed[plain-{path}
early media                | sipp     | *   | test_call_flows.py::test_sound_flows_however_it_is_agreed[early-media-{path}
late offer                 | sipp     | *   | test_call_flows.py::test_sound_flows_however_it_is_agreed[late-offer-{path}
cancel                     | sipp     | *   | test_call_flows.py::test_the_caller_gives_up_while_it_rings[{path}
hold and resume            | sipp     | *   | test_lasting_calls.py::test_hold_by_reinvite[{path}
re-INVITE                  | sipp     | *   | test_lasting_calls.py::test_hold_by_reinvite[{path}
keys by INFO               | sipp     | *   | test_lasting_calls.py::test_signs_of_life_and_a_change_by_update[{path}
past two session refreshes | sipp     | *   | test_lasting_calls.py::test_both_sides_are_refreshed[{path}
blind transfer             | sipp     | UDP | test_lasting_calls.py::test_transfers
blind transfer             | sipp     | TCP | - sipp reads no two requests from a connection at once
attended transfer          | sipp     | *   | - it has one call at a time: tests/call/test_attended_transfer.py
3xx to 6xx                 | sipp     | UDP | test_call_flows.py::test_the_callee_refuses
bodies in parts            | sipp     | UDP | test_bodies.py::test_a_caller_that_tells_its_place_is_put_through
pick-up by Replaces        | pjsua    | UDP | test_transfers.py::test_pjsua_picks_up
forwarding by 302          | pjsua    | UDP | test_transfers.py::test_pjsua_forwards
texts                      | pjsua    | UDP | test_chat.py::test_a_text_and_its_answer
texts                      | linphone | UDP | test_chat.py::test_to_linphone_and_back
texts                      | baresip  | UDP | test_chat.py::test_to_baresip
busy lamps                 | sipp     | UDP | test_lamps.py::test_a_busy_lamp
presence                   | linphone | UDP | test_lamps.py::test_what_linphone_publishes
presence                   | pjsua    | UDP | test_lamps.py::test_presence
message lamp               | pjsua    | UDP | test_lamps.py::test_a_message_lamp
STUN                       | pjsua    | UDP | test_paths.py::test_pjsip_learns_its_address_by_stun
"""

_OF_EVERY_PHONE = {
    "registers, calls both ways": "test_call",
    "hold and resume": "test_hold",
    "re-INVITE": "test_hold",
    "blind transfer": "test_blind_transfer",
    "attended transfer": "test_attended_transfer",
    "keys as telephone-events": "test_keys",
    "keys by INFO": "test_keys_by_info",
    "early media": "test_early_media",
    "cancel": "test_cancel",
}
"""What is proved by which test of `test_every_phone`, where the table has no line of its own."""


class Cell(NamedTuple):
    """What is proved in one place.

    Args:
        act, program, path: what, with which program, over which path.
        tests: names of tests, or their beginnings; empty where there are none.
        why_not: why there are none.
    """

    act: str
    program: str
    path: str
    tests: tuple[str, ...]
    why_not: str = ""


def _lines() -> Iterator[tuple[str, str, str, str]]:
    for line in _TABLE.strip().splitlines():
        act, program, path, proof = (column.strip() for column in line.split("|"))
        yield act, program, path, proof
    for program in _PHONES:
        for act, test in _OF_EVERY_PHONE.items():
            yield act, program, "*", f"test_every_phone.py::{test}[{program}-{{path}}"
    for program in PROGRAMS:
        name = f"test_lasting_calls.py::test_past_two_refreshes[{program}-{{path}}"
        yield "past two session refreshes", program, "*", name


def cells() -> list[Cell]:
    """Return the matrix: one cell for each act, program and path that there is something to say of."""
    found: dict[tuple[str, str, str], Cell] = {}
    for act in ACTS:
        for program, lacks in _NO_PATH.items():
            for path, why in lacks.items():
                found[act, program, path] = Cell(act, program, path, (), why)
    for act, program, path, proof in _lines():
        own = [one for one in PATHS if one not in _NO_PATH[program]]
        for one in own if path == "*" else (path,):
            why = proof[1:].strip() if proof.startswith("-") else ""
            names = () if why else tuple(proof.replace("{path}", one.lower()).split())
            # What comes first is more particular
            found.setdefault((act, program, one), Cell(act, program, one, names, why))
    return list(found.values())


def summary(outcomes: Mapping[str, Outcome]) -> Iterable[str]:
    """Yield a line for each act with each program, its paths side by side.

    Args:
        outcomes: what became of tests by their names in this folder.
    """
    yield f"{'':27} {'':9} " + " ".join(f"{path:7}" for path in PATHS)
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells():
        rows.setdefault((cell.act, cell.program), {})[cell.path] = cell
    for (act, program), row in sorted(rows.items(), key=_place):
        became = [_became(row[path], outcomes) if path in row else "" for path in PATHS]
        reasons = dict.fromkeys(cell.why_not for cell in row.values() if cell.why_not)
        text = f"{act:27} {program:9} " + " ".join(f"{word:7}" for word in became)
        yield f"{text} {'; '.join(reasons)}".rstrip()


def _place(row: tuple[tuple[str, str], object]) -> tuple[int, str, int]:
    act, program = row[0]
    known = ACTS.index(act) if act in ACTS else len(ACTS)
    return known, "" if act in ACTS else act, PROGRAMS.index(program)


def _became(cell: Cell, outcomes: Mapping[str, Outcome]) -> str:
    if cell.why_not:
        return "-"
    return together(
        outcome
        for test, outcome in outcomes.items()
        if any(test.startswith(name) for name in cell.tests)
    )
