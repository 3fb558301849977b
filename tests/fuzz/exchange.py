"""A running exchange as a target: any message from a phone, with the right password or without."""

from pbx.registrar.authenticator import Authenticator, Verdict
from pbx.registrar.standing import Standing
from pbx.sip.flow import Flow
from pbx.sip.message import Request
from tests.call.office import REALM, Office, Phone, established

KNOWS_THE_PASSWORD = 0x02


class Trusting(Authenticator):
    """Takes every request for that of one user, as if it had the password."""

    def __init__(self, number: str) -> None:
        super().__init__(REALM, b"key", lambda _: None, lambda *_: Standing.STRANGER)
        self._number = number

    def check(
        self, request: Request, flow: Flow, *, proxy: bool, now: float
    ) -> tuple[Verdict, str]:
        """Whatever its credentials say."""
        return Verdict.GOOD, self._number


def exchange(data: bytes) -> None:
    """An exchange in a call, which hears the message from one of its two phones.

    The first octet says from which, and whether it knows its password. The exchange's names are the
    same each time, so a message can belong to the dialog. Nothing may be left when the call is over
    and all timers have run out.
    """
    office = Office()
    alice, bob, _, _ = established(office)
    phones: list[Phone] = [alice, bob]
    first = data[0] if data else 0
    phone = phones[first & 1]
    if first & KNOWS_THE_PASSWORD:
        office.admission._authenticator = Trusting(phone.number)
    # Nobody answers any more, nor has to read what a broken request is answered.
    office.phones.clear()
    office.hear(data[1:], phone.flow)
    for running in list(office.exchange.calls):
        office.exchange.hang_up(running, office.now)
    office.pump()
    office.advance(600)
    assert not office.exchange.calls
    assert office.exchange.pool.free == office.ports
