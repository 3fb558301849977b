"""What a local user may do, as far as people change it without a new password."""

from collections.abc import Iterator

import msgspec

from pbx.config import faults
from pbx.config.dial_plan_faults import HIGHEST_LEVEL
from pbx.config.line import UNLIMITED
from pbx.config.line_faults import MOST_CALLS
from pbx.config.recording import USER_CHOICES
from pbx.errors import CommandError


class UserRights(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields of `pbx.store.snapshot.LocalUser`, which says what they mean."""

    call_level: int = 0
    outside_number: str = ""
    emergency_number: str = ""
    most_calls: int = UNLIMITED
    most_outgoing: int = UNLIMITED
    record: str = "off"
    record_by_code: bool = True


def user_rights_faults(rights: UserRights) -> Iterator[CommandError]:
    """Yield what is wrong with a user's rights, each naming its field."""
    yield from faults.span("call_level", rights.call_level, 0, HIGHEST_LEVEL)
    yield from faults.digits("outside_number", rights.outside_number)
    yield from faults.digits("emergency_number", rights.emergency_number)
    yield from faults.span("most_calls", rights.most_calls, UNLIMITED, MOST_CALLS)
    yield from faults.span("most_outgoing", rights.most_outgoing, UNLIMITED, MOST_CALLS)
    yield from faults.choice("record", rights.record, USER_CHOICES)
