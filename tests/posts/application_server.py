"""An application server: what asks the exchange for call-backs, over a socket."""

import socket
import time


class ApplicationServer:
    """One UDP socket.

    Args:
        port: the exchange's.
        host: our own address.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.port = port

    def says(self, data: str | bytes) -> None:
        """Send a datagram."""
        octets = data.encode() if isinstance(data, str) else data
        self._socket.sendto(octets, ("127.0.0.1", self.port))

    def asks(self, data: str, within_s: float = 2.0, tries: int = 10) -> dict[str, str]:
        """Send a request until its ACK comes, as UDP wants it; return the ACK's parameters.

        What was sent twice is answered twice: the ACKs of other requests are passed over, and
        RESPONSEs, which come again.
        """
        name = _parsed(data)[1].get("id", "")
        for _ in range(tries):
            self.says(data)
            end = time.monotonic() + within_s
            while (found := self.next(end - time.monotonic())) is not None:
                if found[0] == "ACK" and found[1].get("id", "") == name:
                    return found[1]
        raise AssertionError(f"nobody answers {data!r}")

    def next(self, within_s: float) -> tuple[str, dict[str, str]] | None:
        """Return the next message's method and parameters; None where none comes in time."""
        self._socket.settimeout(max(within_s, 0.0))
        try:
            return _parsed(self._socket.recv(4096).decode("ascii"))
        except (TimeoutError, BlockingIOError):
            return None

    def response(self, name: str, within_s: float = 30.0) -> dict[str, str]:
        """Wait for the RESPONSE of this id, acknowledge it, and return its parameters."""
        while (found := self.next(within_s)) is not None:
            if found[0] == "RESPONSE" and found[1].get("id") == name:
                self.says(f"ACK: id={name}")
                return found[1]
        raise AssertionError(f"no RESPONSE for {name}")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _parsed(text: str) -> tuple[str, dict[str, str]]:
    """Return a message's method and parameters."""
    method, _, rest = text.partition(": ")
    pairs = (part.partition("=") for part in rest.split(","))
    return method, {name: value for name, _, value in pairs}
