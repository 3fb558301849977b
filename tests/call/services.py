"""Calls to services, and what the media engine was told of them."""

from pbx.media.protocol import Play, Played, Voice
from tests.call.office import Office
from tests.call.phone import Invite, Phone


def served(phone: Phone, dialed: str) -> Invite:
    """Return a call that a service has answered."""
    call = phone.invite(dialed, call_id=f"call-{phone.number}-{next(phone.office.serial)}")
    call.answered()
    call.ack()
    return call


def voices(office: Office) -> dict[int, Voice]:
    """The voices as the engine was last told, by port."""
    return {one.port: one for one in office.media if isinstance(one, Voice)}


def played(office: Office) -> list[Play]:
    """Everything that was to be played."""
    return [one for one in office.media if isinstance(one, Play)]


def player(office: Office) -> Play:
    """What was to be played last."""
    return played(office)[-1]


def ends(office: Office, play: Play, failure: str = "") -> None:
    """The engine says that a player has ended."""
    office.exchange.reported(Played(play.player, failure), office.now)
    office.pump()
