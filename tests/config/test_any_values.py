"""Whatever a client sends as options or rows: a value that can be used, or a sentence."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pbx.config import fields
from pbx.config.dial_plan import TABLES, DialPlan
from pbx.config.dial_plan_faults import dial_plan_faults
from pbx.config.line import Line
from pbx.config.line_faults import line_faults
from pbx.errors import CommandError
from tests.routing.plans import untimed

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "sip-trunk", "a.example:5060", "[::1]", "yes", "12", "-1", "1e400", "+86"]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)


def objects(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([*kind.__struct_fields__, "more"])
    return st.dictionaries(names, VALUES, max_size=8)


def sentences(work: Callable[[], list[CommandError]]) -> list[str]:
    try:
        return [error.sentence for error in work()]
    except CommandError as error:
        return [error.sentence]


@untimed
@given(objects(Line))
def test_lines(values: dict[str, Any]) -> None:
    given_values = {"name": "x", "kind": "sip-trunk", "server": "x", **values}

    def work() -> list[CommandError]:
        line = fields.build(Line, given_values)
        found = list(line_faults(line, [], []))
        if not found:
            # What is kept is read again as it was.
            assert msgspec.json.decode(msgspec.json.encode(line), type=Line) == line
        return found

    for sentence in sentences(work):
        assert sentence.endswith(".")


@untimed
@given(st.sampled_from(sorted(TABLES)), st.data())
def test_rows(table: str, data: st.DataObject) -> None:
    kind = TABLES[table]
    row = data.draw(objects(kind))

    def work() -> list[CommandError]:
        built = fields.build(kind, row, f"{table}[1]")
        plan = msgspec.structs.replace(DialPlan(), **{table: (built,)})
        found = list(dial_plan_faults(plan, []))
        if not found:
            assert json.loads(msgspec.json.encode(plan))[table]
        return found

    for sentence in sentences(work):
        assert sentence.endswith(".")
