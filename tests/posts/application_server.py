"""An application server: what asks the exchange for call-backs, over a socket."""

import socket


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
        """Send a request until an ACK comes, as UDP wants it; return the ACK's parameters."""
        for _ in range(tries):
            self.says(data)
            found = self.next(within_s)
            if found is not None:
                assert found[0] == "ACK", found
                return found[1]
        raise AssertionError(f"nobody answers {data!r}")

    def next(self, within_s: float) -> tuple[str, dict[str, str]] | None:
        """Return the next message's method and parameters; None where none comes in time."""
        self._socket.settimeout(within_s)
        try:
            text = self._socket.recv(4096).decode("ascii")
        except TimeoutError:
            return None
        method, _, rest = text.partition(": ")
        pairs = (part.partition("=") for part in rest.split(","))
        return method, {name: value for name, _, value in pairs}

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
