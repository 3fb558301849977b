"""The settings of the call-back service, which an application server asks for calls."""

from collections.abc import Iterator, Mapping

import msgspec

from pbx.config import faults, fields
from pbx.config.dial_plan_faults import HIGHEST_LEVEL
from pbx.config.refusal import command_error
from pbx.errors import CommandError

PORT = 5080
"""miniSIPServer's."""

MOST_REQUESTS = 1000


class CallBackSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``[callback]``: who may ask for call-backs, and what they may call.

    Args:
        port: UDP port; 0 opens nothing.
        application_server: the address that is listened to, others get no answer; empty: anybody's.
        caller: the caller's number that the first party is shown where the request names none; empty
            for nobody's.
        call_level: what may be called, as a local user's call level.
        most: how many call-backs may go on at once.
    """

    port: int = PORT
    application_server: str = "127.0.0.1"
    caller: str = ""
    call_level: int = 0
    most: int = 20


def callback_faults(settings: CallBackSettings) -> Iterator[CommandError]:
    """Yield what is wrong with the settings, each naming its field."""
    yield from faults.span("port", settings.port, 0, 65535)
    server = settings.application_server
    if server and not faults.is_address(server):
        yield command_error("field-callback-address", field="application_server", value=server)
    yield from faults.digits("caller", settings.caller)
    yield from faults.span("call_level", settings.call_level, 0, HIGHEST_LEVEL)
    yield from faults.span("most", settings.most, 1, MOST_REQUESTS)


def in_force(settings: CallBackSettings, chosen: Mapping[str, object]) -> CallBackSettings:
    """Return the settings of the file with what has been chosen since in their place.

    Raises:
        CommandError: what `fields.build` says.
    """
    return fields.changed(settings, chosen)
