"""The exchange with bugs: ``python -m tests.app.faulty`` and what `python -m pbx` takes.

A message meets a bug where its Subject says so.
"""

import sys
from collections.abc import Callable
from typing import Any

from pbx.__main__ import main
from pbx.call.exchange import Exchange
from pbx.net.transport import SipTransport
from pbx.registrar.admission import Admission
from pbx.sip import endpoint


def spoil(owner: Any, name: str, strikes: Callable[..., bool]) -> None:
    """Have a function fail where `strikes` says so of its arguments."""
    sound = getattr(owner, name)

    def faulty(*arguments: Any, **named: Any) -> Any:
        if strikes(*arguments):
            raise RuntimeError("a bug\n2026-01-01 forged")
        return sound(*arguments, **named)

    setattr(owner, name, faulty)


def _every_second() -> Callable[..., bool]:
    count = iter(range(1_000_000_000))
    return lambda *_: next(count) % 2 == 0


if __name__ == "__main__":
    spoil(Admission, "receive", lambda _, event, now: event.request.get("Subject") == "admission")
    spoil(endpoint, "parse_message", lambda data: b"Subject: parser" in data)
    spoil(
        SipTransport,
        "send",
        lambda _, data, flow: b"CSeq: 1 OPTIONS" in data and b"x=socket" in data,
    )
    spoil(Exchange, "handle_timer", _every_second())
    sys.exit(main())
