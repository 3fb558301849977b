"""Starts the phones that `devices` knows, by the names that the interop matrix has for them."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pbx.config.data_folder import DataFolder
from tests.interop.asterisk import Asterisk
from tests.interop.asterisk_conf import Line
from tests.interop.baresip import Baresip
from tests.interop.devices import (
    AsteriskDevice,
    BaresipDevice,
    Device,
    LinphoneDevice,
    PjsuaDevice,
)
from tests.interop.edge_proxy import EdgeProxy
from tests.interop.exchange import Exchange
from tests.interop.linphone import Linphone
from tests.interop.pjsua_talker import PjsuaTalker
from tests.interop.ports import Ports


@dataclass(frozen=True, slots=True)
class Starting:
    """Starts phones of one exchange.

    Args:
        exchange: whose users they are.
        password: of all of them.
        ports: where their ports come from.
        closing: ends them.
        identity: of a proxy by TLS; see `EdgeProxy`.
    """

    exchange: Exchange
    password: str
    ports: Ports
    closing: ExitStack
    identity: DataFolder

    def phone(
        self, name: str, folder: Path, number: str, tone_hz: float, *, lasting: bool = False
    ) -> Device:
        """Start a phone and wait until it is registered.

        Args:
            name: such as ``pjsua-tls``; one of Kamailio is a PJSIP phone behind it.
            folder: its own, made.
            number: of a user.
            tone_hz: what it plays.
            lasting: it insists on session timers, of 90 seconds, where it knows them.
        """
        make, transport = name.split("-")
        server = self.exchange.secure_host if transport == "tls" else self.exchange.host
        if make == "Asterisk":
            line = Line(number, self.password, transport, lasting=lasting)
            asterisk = Asterisk(folder, self.ports, self.exchange, [line], tone_hz)
            self.closing.callback(asterisk.close)
            return AsteriskDevice(asterisk, number)
        if make == "linphone":
            return LinphoneDevice(
                self.linphone(folder, number, tone_hz, transport, lasting=lasting)
            )
        if make == "baresip":
            phone = Baresip(
                folder,
                self.ports,
                number=number,
                password=self.password,
                server=server,
                tone_hz=tone_hz,
                transport=transport,
            )
            self.closing.callback(phone.close)
            phone.registered()
            return BaresipDevice(phone)
        if make == "Kamailio":
            server = self.proxy(folder.with_name(f"{folder.name}-proxy"), transport).outside
        talker = PjsuaTalker(
            folder,
            self.ports,
            number=number,
            password=self.password,
            server=server,
            tone_hz=tone_hz,
            transport=transport,
            lasting=lasting,
        )
        self.closing.callback(talker.close)
        return PjsuaDevice(talker)

    def proxy(self, folder: Path, transport: str) -> EdgeProxy:
        """Start a proxy in front of the exchange."""
        proxy = EdgeProxy(folder, self.ports, self.exchange, transport, self.identity)
        self.closing.callback(proxy.close)
        return proxy

    def linphone(
        self, folder: Path, number: str, tone_hz: float, transport: str, **more: bool
    ) -> Linphone:
        """Start a registered linphonec (more arguments as `Linphone`)."""
        secure = transport == "tls"
        phone = Linphone(
            folder,
            self.ports,
            number=number,
            password=self.password,
            server=self.exchange.secure_host if secure else self.exchange.host,
            tone_hz=tone_hz,
            transport=transport,
            trusts=self.exchange.certificate if secure else "",
            **more,  # type: ignore[arg-type]
        )
        self.closing.callback(phone.close)
        # linphonec does not print that it is registered.
        self.exchange.wait_contacts(number)
        return phone
