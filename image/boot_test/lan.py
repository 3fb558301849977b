"""The network at home, in a network namespace of the test's own: a router that gives out addresses.

No way to the internet leads out of it, so the box proves that it needs none.
"""

import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.interop.program import Program
from tests.interop.waiting import until

TAP = "tap0"
PHONES = "10.77.0.1"
"""Where the phones of the test are, which is the router too."""

BOX = "10.77.0.20"
BOX_MAC = "52:54:00:6d:73:69"

_MDNS = ("224.0.0.251", 5353)


class Lan:
    """The cable between box and phones, and the router's DHCP.

    Args:
        folder: for what the router says.
    """

    def __init__(self, folder: Path) -> None:
        for words in (
            "link set lo up",
            f"tuntap add {TAP} mode tap",
            f"link set {TAP} up",
            f"address add {PHONES}/24 dev {TAP}",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        leases = folder / "leases"
        leases.unlink(missing_ok=True)
        dnsmasq = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--log-facility=-"]
        dnsmasq += ["--port=0", f"--interface={TAP}"]
        dnsmasq += ["--bind-dynamic", "--log-dhcp", f"--dhcp-leasefile={leases}"]
        dnsmasq += [f"--dhcp-range={BOX},{BOX},1h", f"--dhcp-host={BOX_MAC},{BOX}"]
        # No router to elsewhere.
        dnsmasq += ["--dhcp-option=3"]
        self.router = Program("router", dnsmasq, folder)

    def leases_given(self) -> int:
        """Return how often the box has been given its address."""
        return self.router.said().count(f"DHCPACK({TAP}) {BOX}")

    def wait_lease(self, given_before: int, within_s: float, running: Callable[[], bool]) -> float:
        """Wait until the box has fetched an address once more; return the time.

        Args:
            running: whether there is still a box to wait for.
        """

        def given() -> bool:
            assert running(), "the emulator has ended"
            return self.leases_given() > given_before

        what = "the box asks the router for an address"
        until(what, given, within_s, why_not=self.router.last_words)
        return time.monotonic()

    def close(self) -> None:
        """End the router."""
        self.router.end()


def sip_answers(timeout_s: float = 1.0) -> bool:
    """Ask the box for its abilities as a phone would; true if anything comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((PHONES, 0))
        phone.settimeout(timeout_s)
        try:
            phone.sendto(_options("UDP", phone.getsockname()[1]), (BOX, 5060))
            return phone.recv(4096).startswith(b"SIP/2.0 ")
        except OSError:
            return False


def secure_sip_answers(certificate: str, name: str, timeout_s: float = 30.0) -> bool:
    """Ask the same over TLS; true if anything comes back from who has the certificate.

    Args:
        certificate: the only one that is trusted, in PEM.
        name: what it must be good for.

    Raises:
        ssl.SSLCertVerificationError: it is another one, or good for other names.
    """
    context = ssl.create_default_context(cadata=certificate)
    try:
        with (
            socket.create_connection((BOX, 5061), timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=name) as phone,
        ):
            phone.sendall(_options("TLS", phone.getsockname()[1]))
            return phone.recv(4096).startswith(b"SIP/2.0 200 ")
    except ssl.SSLCertVerificationError:
        raise
    except OSError:
        return False


def _options(transport: str, port: int) -> bytes:
    lines = [
        f"OPTIONS sip:{BOX} SIP/2.0",
        f"Via: SIP/2.0/{transport} {PHONES}:{port};branch=z9hG4bK{time.monotonic_ns()};rport",
        "Max-Forwards: 70",
        f"From: <sip:test@{PHONES}>;tag=boot",
        f"To: <sip:{BOX}>",
        f"Call-ID: {time.monotonic_ns()}@{PHONES}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:test@{PHONES}:{port}>",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def mdns_answers(name: str, kind: int, timeout_s: float = 2.0) -> list[bytes]:
    """Ask the network for `name` by multicast DNS; return the data of the records that come.

    Args:
        name: such as ``minisip.local`` or ``_sip._udp.local``.
        kind: of record: 1 for A, 12 for PTR.
    """
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    # Class IN, with the bit that asks for an answer to us alone.
    question = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 0x8001)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.bind((PHONES, 0))
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(PHONES))
        asker.settimeout(timeout_s)
        try:
            asker.sendto(question, _MDNS)
            return _records(asker.recv(9000), kind)
        except OSError:
            return []


def _records(packet: bytes, kind: int) -> list[bytes]:
    """Return the data of the answers of one kind in a DNS packet."""
    _, _, questions, answers, _, _ = struct.unpack_from("!6H", packet)
    at = 12
    for _ in range(questions):
        at = _after_name(packet, at) + 4
    found = []
    for _ in range(answers):
        at = _after_name(packet, at)
        this, _, _, length = struct.unpack_from("!HHIH", packet, at)
        at += 10
        if this == kind:
            found.append(packet[at : at + length])
        at += length
    return found


def _after_name(packet: bytes, at: int) -> int:
    while packet[at]:
        if packet[at] & 0xC0:
            return at + 2
        at += packet[at] + 1
    return at + 1
