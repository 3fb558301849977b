"""What a REQUEST asks for."""

import re

from pbx.call.call_back import NOBODY, Wish
from pbx.callback.errors import BadRequest
from pbx.callback.message import Message
from pbx.config.callback import CallBackSettings

LONGEST_S = 31_536_000
"""A year: a longer time is a slip of the keyboard."""

_ID = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_SCHEME = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[-().]")
_WHOLE = re.compile(r"[0-9]{1,8}")


def id_of(message: Message) -> str:
    """Return the request's name; empty where there is none.

    Raises:
        BadRequest: it can't be one.
    """
    name = message.params.get("id", "")
    if name and not _ID.fullmatch(name):
        raise BadRequest("bad-id")
    return name


def wish_of(message: Message, settings: CallBackSettings) -> Wish:
    """Return what a REQUEST asks for; its id is empty where the request has none.

    Raises:
        BadRequest: a number is missing, or a value can't be.
    """
    return Wish(
        id_of(message),
        (_number(message, "called1"), _number(message, "called2")),
        (
            _shown(message, "caller1") or settings.caller,
            _shown(message, "caller2"),
        ),
        call_level=settings.call_level,
        max_duration_s=_seconds(message, "maxduration"),
        timeout_s=_seconds(message, "timeout"),
    )


def _number(message: Message, name: str) -> str:
    written = message.params.get(name, "")
    if not written:
        raise BadRequest(f"no-{name}")
    # As people and telephone books write it, or as an address
    bare = _SCHEME.sub("", written, count=1).partition("@")[0]
    number = _PUNCTUATION.sub("", bare)
    if not _NUMBER.fullmatch(number):
        raise BadRequest(f"bad-{name}")
    return number


def _shown(message: Message, name: str) -> str:
    written = message.params.get(name, "").lower()
    return written if written in ("", NOBODY) else _number(message, name)


def _seconds(message: Message, name: str) -> float:
    written = message.params.get(name, "")
    if not written:
        return 0.0
    if not _WHOLE.fullmatch(written) or int(written) > LONGEST_S:
        raise BadRequest(f"bad-{name}")
    return float(written)
