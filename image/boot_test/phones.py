"""Phones in the household: two that talk, and sipp for ten calls at once."""

from contextlib import ExitStack
from pathlib import Path

from boot_test.lan import BOX, PHONES
from tests.interop import scenario
from tests.interop.baresip import Baresip
from tests.interop.ports import Ports
from tests.interop.rtp_peer import Report
from tests.interop.sipp import Account, Load, Sipp, register
from tests.interop.talkers import Talkers
from tests.interop.waiting import until

LOW_HZ, HIGH_HZ = 440.0, 880.0


class Pair:
    """Two phones, registered at the box.

    Args:
        folder: for their files; must not exist.
        users: number and password of caller and callee.
        within_s: how long registering and each step of a call may take.
    """

    def __init__(
        self, folder: Path, ports: Ports, users: list[tuple[str, str]], within_s: float
    ) -> None:
        self._within_s = within_s
        self._closing = ExitStack()
        self.callee = self._phone(folder / "callee", ports, users[1], HIGH_HZ)
        self.caller = self._phone(folder / "caller", ports, users[0], LOW_HZ)
        try:
            for phone in (self.callee, self.caller):
                phone.registered(within_s)
        except AssertionError:
            self.close()
            raise

    def _phone(self, folder: Path, ports: Ports, user: tuple[str, str], tone_hz: float) -> Baresip:
        number, password = user
        phone = Baresip(
            folder,
            ports,
            number=number,
            password=password,
            server=BOX,
            tone_hz=tone_hz,
            address=PHONES,
        )
        self._closing.callback(phone.close)
        return phone

    def talk(self, seconds: float) -> None:
        """Make a call and wait until each has heard the other's tone for so long; it goes on."""
        marks = self.caller.mark, self.callee.mark
        self.caller.dial(self.callee.number)
        for phone, mark in zip((self.caller, self.callee), marks, strict=True):
            phone.wait_event("CALL_ESTABLISHED", self._within_s, after=mark)
        self.listen(seconds)

    def listen(self, seconds: float) -> None:
        """Wait until each has heard the other's tone for so long from now on."""
        heard = self.caller.heard_s(HIGH_HZ), self.callee.heard_s(LOW_HZ)
        self.caller.wait_heard(HIGH_HZ, heard[0] + seconds, self._within_s)
        self.callee.wait_heard(LOW_HZ, heard[1] + seconds, self._within_s)

    def hang_up(self) -> None:
        """End the call."""
        mark = self.callee.mark
        self.caller.hang_up()
        self.callee.wait_event("CALL_CLOSED", self._within_s, after=mark)

    def close(self) -> None:
        """End both phones, without a word to the box."""
        self._closing.close()


class Crowd:
    """Calls between two users, with sound both ways, until they are told to end.

    Args:
        folder: for sipp's files; must not exist.
        users: number and password of caller and callee.
        calls: how many at once.
        talk_s: how long each of them lasts.
    """

    def __init__(
        self, folder: Path, ports: Ports, users: list[tuple[str, str]], calls: int, talk_s: int
    ) -> None:
        folder.mkdir(parents=True)
        self._calls = calls
        self._closing = ExitStack()
        logs = [folder / "caller.log", folder / "callee.log"]
        for log in logs:
            log.touch()
        first = ports.block(4 * calls)
        packets = (talk_s - 1) * 50
        self._talkers = Talkers(folder, first, 2 * calls, packets, logs)
        self._closing.callback(self._talkers.close)
        calling, answering = self._talkers.ports[:calls], self._talkers.ports[calls:]
        caller, callee = (_account(ports, user) for user in users)
        register(folder, callee)
        load = Load(0, rtp_ports=answering, limit_s=talk_s + 300)
        self._callee = Sipp("callee", folder, scenario.callee(), callee, load=load)
        self._closing.callback(self._callee.close)
        load = Load(calls, 2, 1000 * talk_s, calling, limit_s=talk_s + 300)
        self._caller = Sipp(
            "caller", folder, scenario.caller(), caller, number=callee.user, load=load
        )
        self._closing.callback(self._caller.close)

    def wait_talking(self, within_s: float) -> None:
        """Wait until all calls are there."""
        until(
            f"{self._calls} calls at once",
            lambda: self._caller.current == self._calls,
            within_s,
            why_not=self._caller.why,
        )

    def finish(self, within_s: float) -> Report:
        """Wait until all have ended; return what was heard."""
        self._caller.finish(within_s)
        return self._talkers.report()

    def close(self) -> None:
        """End whatever still runs."""
        self._closing.close()


def _account(ports: Ports, user: tuple[str, str]) -> Account:
    port = ports.one()
    return Account(user[0], user[1], port, port, f"{BOX}:5060", PHONES)
