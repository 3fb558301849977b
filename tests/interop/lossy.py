"""A UDP path between one phone and the exchange that loses packets, the same ones every time."""

import random
import selectors
import socket
import threading


class LossyPath:
    """Forwards datagrams both ways between a phone and the exchange, and drops some.

    The phone sends to `near`; the exchange sees, and answers to, `far`.

    Args:
        exchange_port: the exchange's UDP port on 127.0.0.1.
        phone_port: the phone's; requests to `far` go there.
        near, far: ports of the path's two ends.
        loss: share of the datagrams to drop, each way.
        seed: of the random numbers.
    """

    def __init__(
        self, exchange_port: int, phone_port: int, near: int, far: int, *, loss: float, seed: int
    ) -> None:
        self.near, self.far = near, far
        self.forwarded = self.dropped = 0
        self._loss = loss
        self._random = random.Random(seed)
        self._near = _bound(near)
        self._far = _bound(far)
        self._exchange = ("127.0.0.1", exchange_port)
        self._phone = ("127.0.0.1", phone_port)
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for end in (self._near, self._far, self._wake):
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._wake:
                        return
                    if key.fileobj is self._near:
                        self._pass_on(self._near, self._far, self._exchange)
                    else:
                        self._pass_on(self._far, self._near, self._phone)

    def _pass_on(self, come: socket.socket, leave: socket.socket, towards: tuple[str, int]) -> None:
        try:
            data = come.recv(65535)
        except OSError:
            # An ICMP error for something sent before; the datagram itself is not lost by it.
            return
        if self._random.random() < self._loss:
            self.dropped += 1
            return
        self.forwarded += 1
        leave.sendto(data, towards)

    def close(self) -> None:
        """Stop forwarding."""
        self._stop.send(b"x")
        self._thread.join(5)
        for end in (self._near, self._far, self._wake, self._stop):
            end.close()


def _bound(port: int) -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    end.bind(("127.0.0.1", port))
    return end
