"""Our own faults: logged with what brought them to light, and survived."""

import logging
from collections.abc import Callable

from pbx.sip.events import Event, RequestReceived
from pbx.sip.trace import summary

log = logging.getLogger(__name__)


def survived(step: Callable[[], object], about: Callable[[], str]) -> bool:
    """Take a step; True where it went well.

    A fault in it costs that step and not the exchange: one call may suffer, and the log tells.

    Args:
        step: what may fail.
        about: asked after a fault what it was about.
    """
    try:
        step()
    except Exception:
        log.exception("a fault of the exchange, please report it; it came with %s", about())
        return False
    return True


def about_event(event: Event) -> str:
    """Return an event in one line."""
    if isinstance(event, RequestReceived):
        return f"{event.flow}: {summary(event.request)}"
    return f"{type(event).__name__} to {summary(event.transaction.request)}"
