"""SIP over TLS (RFC 3261 §26.2): a connection whose octets are enciphered."""

import ssl
from typing import Any

from pbx.net.stream import StreamConnection

_PIECE = 1 << 16


class TlsConnection(StreamConnection):
    """One connection that a phone has made to the TLS port.

    The TLS is OpenSSL's on buffers in memory, below it is a plain TCP connection: so it counts, and
    its time runs, from the moment that TCP is there and not from the end of a handshake that may
    never come; and a broken handshake is a line in the log.

    Args:
        context: the exchange's certificate and key.
        arguments: those of `StreamConnection`; `first_message_s` has the handshake in it.
    """

    KIND = "tls"

    def __init__(self, context: ssl.SSLContext, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = False

    def data_received(self, data: bytes) -> None:
        """Decipher, and go on as on a plain connection (asyncio calls this)."""
        self._incoming.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while self.usable:
                plain = self._tls.read(_PIECE)
                if not plain:
                    # The peer's close_notify (RFC 8446 §6.1).
                    self._end()
                    return
                super().data_received(plain)
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            # The alert that tells the peer why.
            self._flush()
            why = (error.reason or "unknown").replace("_", " ").lower()
            self.finish(f"no TLS with it: {why}")

    def _write(self, data: bytes) -> None:
        if not self._shaken:
            # Nothing can be meant for who has said nothing yet.
            return
        rest = memoryview(data)
        while rest:
            rest = rest[self._tls.write(rest) :]
        self._flush()

    def _flush(self) -> None:
        if self.usable and self._outgoing.pending:
            super()._write(self._outgoing.read())

    def _end(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            # It waits for the peer's answer, or there is no TLS yet.
            pass
        self._flush()
        super()._end()
