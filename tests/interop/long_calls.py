"""Calls past two session refreshes, which run beside other tests.

PJSIP, and Asterisk with it, takes no session interval below 90 seconds (RFC 4028 §5): two refreshes are
due after 90 seconds, and a test that waited for them would only wait. So all such calls are made at the
begin, all at once, and the test of each asks what has become of it.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from pbx.config.data_folder import DataFolder
from tests.interop.devices import Device, PjsuaDevice
from tests.interop.exchange import Exchange, Record
from tests.interop.jssip_phone import JsSipPhone
from tests.interop.ports import Ports
from tests.interop.starting import Starting
from tests.interop.waiting import throughout, until

PAIRS = (
    ("pjsua-udp", "pjsua-tcp"),
    ("pjsua-tls", "Asterisk-tls"),
    ("Asterisk-udp", "Asterisk-tcp"),
    ("linphone-udp", "linphone-tcp"),
    ("linphone-tls", "Kamailio-tls"),
    ("Kamailio-udp", "Kamailio-tcp"),
    ("JsSIP-ws", "*45"),
    ("Kamailio-ws", "*45"),
)
"""Caller and callee; web pages, which have no sound here, call a service."""

NAMES = [name for pair in PAIRS for name in pair if "-" in name]

SETTLED_S = 106
"""Without a refresh a session would end after 60 seconds, with one after 105."""

_LOW_HZ, _HIGH_HZ = 440.0, 880.0
_PASSWORD = "secret"


class LongCalls:
    """The calls, as they go on.

    Args:
        folder: for all files.
        identity: of a proxy by TLS, as `edge_proxy` has it.
    """

    def __init__(self, folder: Path, identity: DataFolder) -> None:
        self._folder = folder
        self._identity = identity
        self._ports = Ports()
        self.exchange = Exchange(
            folder / "exchange",
            self._ports,
            top=f'[tls]\nauthorities = "{identity.tls}/certificate.pem"',
            calls="session_s = 90",
            media="timeout_s = 0",
        )
        self.exchange.start()
        self._threads = ThreadPoolExecutor(len(PAIRS))
        self._calls: dict[str, Future[Record]] = {}
        for place, pair in enumerate(PAIRS):
            numbers = str(7200 + 2 * place), str(7201 + 2 * place)
            for number in numbers:
                self.exchange.add_user(number, _PASSWORD)
            call = self._threads.submit(self._run, pair, numbers)
            self._calls |= dict.fromkeys(pair, call)

    def _run(self, pair: tuple[str, str], numbers: tuple[str, str]) -> Record:
        with ExitStack() as closing:
            start = Starting(self.exchange, _PASSWORD, self._ports, closing, self._identity)
            folder = self._folder / pair[0]
            folder.mkdir()
            if pair[1].startswith("*"):
                self._page_talks(start, folder, *pair, numbers[0])
            else:
                phones = [
                    start.phone(name, folder / name, number, tone_hz, lasting=True)
                    for name, number, tone_hz in zip(
                        pair, numbers, (_LOW_HZ, _HIGH_HZ), strict=True
                    )
                ]
                self._phones_talk(*phones)
            (record,) = self.exchange.wait_records(1, naming=numbers[0])
            return record

    def _phones_talk(self, caller: Device, callee: Device) -> None:
        """Early sound where the callee knows it; PJSIP answers when it has had the caller's PRACK."""
        caller.dial(callee.number)
        if isinstance(callee, PjsuaDevice):
            caller.wait_tone(_HIGH_HZ)
            callee.phone.answer(callee.call)
        caller.wait_tone(_HIGH_HZ)
        callee.wait_tone(_LOW_HZ)
        self._lasts(caller.number)
        caller.wait_sound(_HIGH_HZ)
        callee.wait_sound(_LOW_HZ)
        caller.hang_up()

    def _page_talks(
        self, start: Starting, folder: Path, name: str, service: str, number: str
    ) -> None:
        where = f"127.0.0.1:{self.exchange.ws_port}"
        if name.startswith("Kamailio"):
            where = start.proxy(folder / "proxy", "ws").outside
        page = JsSipPhone(
            folder,
            url=f"ws://{where}/",
            number=number,
            password=_PASSWORD,
            server="127.0.0.1",
            rtp_port=self._ports.block(2),
        )
        start.closing.callback(page.close)
        page.wait("registered")
        page.say(f"call {service}")
        page.wait("talking")
        self._lasts(number)
        page.say("hangup")
        page.wait("ended by local")

    def _lasts(self, caller: str) -> None:
        def talking() -> bool:
            running = {call.caller: call.state for call in self.exchange.running_calls()}
            return running.get(caller) == "talking"

        until(f"{caller} talks", talking, why_not=self.exchange.why)
        throughout(f"{caller} talks on", talking, SETTLED_S, every_s=1.0)

    def record(self, name: str) -> Record:
        """Wait for the end of a phone's call; return its record, or raise what went wrong."""
        return self._calls[name].result(SETTLED_S + 90)

    def close(self) -> None:
        """End all; calls that nobody waits for any more fail."""
        self.exchange.close()
        self._threads.shutdown(cancel_futures=True)
