"""Lines as a test gives them to an exchange, and how they are."""

import json
from typing import Any

import msgspec

from pbx.api.schema import Line, LineState
from tests.interop.exchange import Exchange
from tests.interop.waiting import until

SLOW_S = 45.0
"""For what waits 32 seconds for an answer."""


def add_line(exchange: Exchange, name: str = "telco", **options: Any) -> None:
    """Add a line."""
    exchange.call("line.add", name=name, options=json.dumps(options))


def set_line(exchange: Exchange, name: str = "telco", **options: Any) -> None:
    """Change options of a line."""
    exchange.call("line.set", name=name, options=json.dumps(options))


def state(exchange: Exchange, name: str = "telco") -> LineState:
    """Return how a line is."""
    lines = msgspec.json.decode(exchange.call("lines"), type=list[Line])
    (found,) = [line.state for line in lines if line.name == name]
    assert found is not None
    return found


def wait_usable(exchange: Exchange, name: str = "telco", within_s: float = 30.0) -> LineState:
    """Wait until calls can go out by a line; return how it is then."""
    until(
        f"line {name} is usable",
        lambda: state(exchange, name).usable,
        within_s,
        why_not=lambda: f"{state(exchange, name)}\n{exchange.why()}",
    )
    return state(exchange, name)


def wait_trouble(
    exchange: Exchange, slug: str, name: str = "telco", within_s: float = 30.0
) -> LineState:
    """Wait until a line has this trouble; return how it is then."""
    until(
        f"line {name} has the trouble {slug}",
        lambda: state(exchange, name).trouble == slug,
        within_s,
        why_not=lambda: f"{state(exchange, name)}\n{exchange.why()}",
    )
    return state(exchange, name)
