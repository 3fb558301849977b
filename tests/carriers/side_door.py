"""Another address of a server's: what comes to it is passed on, and the answers come from where it likes."""

import selectors
import socket
import threading


class SideDoor:
    """Passes datagrams on to a server, from one client.

    Args:
        server: ``host:port`` to which they go.
        port: at `address`, where they come.
        address: its own.
        answers_from: the address, with a port of its own, that answers come from; empty: the same door.
    """

    def __init__(
        self, server: str, port: int, *, address: str = "127.0.0.32", answers_from: str = ""
    ) -> None:
        host, _, own = server.rpartition(":")
        self._server = host, int(own)
        self.host = f"{address}:{port}"
        self._near = _bound(address, port)
        self._far = _bound(address, 0)
        self._out = _bound(answers_from, 0) if answers_from else self._near
        self.answers_from = "{}:{}".format(*self._out.getsockname())
        self._client: tuple[str, int] | None = None
        self.passed: list[str] = []
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as ready:
            for end in (self._near, self._far, self._stopped):
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self._near:
                        data, self._client = self._near.recvfrom(65535)
                        self.passed.append(data.split(b" ", 1)[0].decode(errors="replace"))
                        self._far.sendto(data, self._server)
                    elif key.fileobj is self._far:
                        data = self._far.recv(65535)
                        if self._client is not None:
                            self._out.sendto(data, self._client)
                    else:
                        return

    def close(self) -> None:
        """End it."""
        self._stop.send(b"x")
        self._thread.join(5)
        for end in {self._near, self._far, self._out, self._stop, self._stopped}:
            end.close()


def _bound(address: str, port: int) -> socket.socket:
    end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end.bind((address, port))
    return end
