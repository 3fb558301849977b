"""What a name server of the tests knows, and how it answers."""

import socket
import threading

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class Zone:
    """Records as texts, by name and kind; other names don't exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}

    def answer(self, query: dns.message.Message) -> bytes:
        """Return the reply to a query."""
        (question,) = query.question
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        name = str(question.name).rstrip(".")
        kind = dns.rdatatype.to_text(question.rdtype)
        if (name, kind) in self.records:
            texts = self.records[name, kind]
            reply.answer.append(dns.rrset.from_text(question.name, 77, "IN", kind, *texts))
        elif not any(name == known for known, _ in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


class NameServer:
    """A name server on loopback, in a thread of its own."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, address = self._socket.recvfrom(4096)
            if not data:
                return
            try:
                question = dns.message.from_wire(data)
            except dns.exception.DNSException:
                continue  # a packet for whoever had the port before
            self._socket.sendto(self._zone.answer(question), address)

    def close(self) -> None:
        """End it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()
