"""The exchange's side towards application servers: the call-back service, and its port."""

from collections.abc import Callable
from dataclasses import asdict

import msgspec

from pbx.api import schema
from pbx.call.call_back import CallBacks
from pbx.callback.service import CallBackService
from pbx.net.callback_port import CallBackPort
from pbx.ops.faults import survived
from pbx.sip.flow import Address
from pbx.store.repository import Store


class CallBackSide:
    """Puts both together; closed before `follow`.

    Args:
        calls: makes the calls.
        store: has the settings in force.
        tokens: fresh random names.
        epoch: when the exchange's clock was 0, in seconds since 1970.
        clock: the exchange's monotonic seconds.
        pump: carries through what a datagram has led to.
    """

    def __init__(
        self,
        calls: CallBacks,
        store: Store,
        tokens: Callable[[], str],
        epoch: Callable[[], float],
        clock: Callable[[], float],
        pump: Callable[[], None],
    ) -> None:
        self.service = CallBackService(calls, lambda: store.callback, tokens, epoch)
        self._store = store
        self._clock = clock
        self._pump = pump
        self._port = CallBackPort(self._received)

    def follow(self) -> None:
        """Open, move or close the port as the settings in force say; one that is taken, once more."""
        settings = self._store.callback
        self._port.follow(settings.application_server, settings.port)

    def flush(self) -> None:
        """Send what there is to send."""
        for data, to in self.service.to_send():
            self._port.send(data, to)

    def close(self) -> None:
        """Send what is left, and close the port."""
        self.flush()
        self._port.close()

    @property
    def open_to_anybody(self) -> int:
        """The port on which anybody is listened to; 0 for none."""
        settings = self._store.callback
        return 0 if settings.application_server or not self._port.address else settings.port

    @property
    def failure(self) -> tuple[int, str] | None:
        """The port that can't be had, and why; None where all is well."""
        return (self._store.callback.port, self._port.failure) if self._port.failure else None

    def status(self) -> schema.CallBack:
        """Return how it is, for people."""
        settings, counts = self._store.callback, self.service.counts
        return schema.CallBack(
            **msgspec.structs.asdict(settings),
            address=self._port.address,
            why=self._port.failure,
            open=self.service.open,
            **asdict(counts),
        )

    def _received(self, data: bytes, source: Address) -> None:
        now = self._clock()
        survived(
            lambda: self.service.receive(data, source, now), lambda: f"call-back {data[:200]!r}"
        )
        self._pump()
