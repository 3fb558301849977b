"""The phones of the bench: of loopback addresses of their own, for exchanges that trust an address."""

import socket

from pbx.media import codecs
from pbx.sip.message import Request
from tests.interop.net_phone import NetPhone


class BenchPhone(NetPhone):
    """A phone at an address of its own.

    Args:
        port: the exchange's, on 127.0.0.1.
        number, password, codec: as for `NetPhone`.
        home: its address.
        trusted: the exchange lets it call without a password.
    """

    first_sequence = 1000
    """With numbers of 40000 and more Asterisk's jitter buffer falls silent; it is to have its best."""

    def __init__(
        self,
        port: int,
        number: str,
        password: str = "",
        codec: int = codecs.PCMU,
        *,
        home: str = "127.0.0.1",
        trusted: bool = False,
    ) -> None:
        self._home = home
        self._trusted = trusted
        self._kept: list[socket.socket] = []
        super().__init__(port, number, password, codec)
        self._host = home

    @property
    def sip_port(self) -> int:
        """Where it is called."""
        return int(self._socket.getsockname()[1])

    def _bound(self, host: str) -> socket.socket:
        """As a phone's: an even port, and the odd one after it is kept, where RTCP goes."""
        del host
        while True:
            end, after = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            end.bind((self._home, 0))
            port = end.getsockname()[1]
            try:
                if port % 2 == 0:
                    after.bind((self._home, port + 1))
                    self._kept.append(after)
                    return end
            except OSError:
                pass
            end.close()
            after.close()

    def invite(self, number: str) -> Request:
        if not self._trusted:
            return super().invite(number)
        invite = self.make(
            "INVITE",
            f"sip:{number}@{self.server}",
            ("Content-Type", "application/sdp"),
            body=self.sdp,
        )
        self.send(invite.encode())
        return invite

    def hung_up(self) -> None:
        """Wait until the exchange ends the call, and agree."""
        self.answer(self.request("BYE"), 200)

    def close(self) -> None:
        super().close()
        for one in self._kept:
            one.close()
