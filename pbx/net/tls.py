"""SIP over TLS (RFC 3261 §26.2): a connection whose octets are enciphered."""

import asyncio
import ssl
from typing import Any

from pbx.errors import PeerError
from pbx.net.peer_identity import check_identity
from pbx.net.stream import StreamConnection
from pbx.sip.events import NO_TLS

_PIECE = 1 << 16


class TlsConnection(StreamConnection):
    """One connection that a phone has made to the TLS port, or that we have made to a peer.

    The TLS is OpenSSL's on buffers in memory, below it is a plain TCP connection: so it counts, and
    its time runs, from the moment that TCP is there and not from the end of a handshake that may
    never come; and a broken handshake is a line in the log.

    Args:
        context: the exchange's certificate and key, or what we connect with.
        peer: who answers has to prove to be this domain or address (RFC 5922 §7); empty where we
            are connected to.
        arguments, named: those of `StreamConnection`; `first_message_s` has the handshake in it.
    """

    def __init__(
        self, context: ssl.SSLContext, *arguments: Any, peer: str = "", **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=not peer, server_hostname=peer or None
        )
        self._peer = peer
        self._shaken = False
        self._waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake where it is ours to begin (asyncio calls this)."""
        super().connection_made(transport)
        if self._peer and self.usable:
            self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        """Decipher, and go on as on a plain connection (asyncio calls this)."""
        self._incoming.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._hands_shaken()
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
            if isinstance(error, ssl.SSLCertVerificationError):
                why = error.verify_message
            self.finish(f"{NO_TLS}{why}")
        except PeerError as error:
            self.finish(f"{NO_TLS}{error.reason}")

    def _hands_shaken(self) -> None:
        """Send what has waited, if the peer is the right one.

        Raises:
            PeerError: it isn't.
        """
        if self._peer:
            check_identity(self._tls.getpeercert(), self._peer)
            self._stop_limit()
        self._shaken = True
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._shaken:
            # Who connects to us has said nothing yet that anything could be meant for.
            if self._peer:
                self._waiting.append(data)
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
