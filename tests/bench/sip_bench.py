"""What SIP costs in the exchange's process: splitting and reading a message, a whole REGISTER, a whole INVITE.

    ./build.sh bench            or: python tests/bench/sip_bench.py --rounds 5

Everything runs on the fake clock without a socket, so a figure is the exchange's own work: parser,
transactions, authentication, routing, call control, and the answers written; what the phones read and write is
not in it. Figures are microseconds of this process' CPU clock, the median of the rounds; in each round the
cases take turns.

- ``split``: an INVITE of 740 octets split into start line, header fields and body.
- ``read``: the same with everything checked that a request must be (what `parse_message` does).
- ``REGISTER``: a renewal with credentials until its 200 is written.
- ``INVITE``: one with credentials to a phone that rings: routed, the phone's INVITE written, its media set
  up, until the 180 has gone back.

The design's budget (15 us to split such an INVITE on the development machine; Python parsers known in 2026 take
84 to 132 us) is printed beside; exit code 1 where a figure is more than its bound.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

from pbx.sip.flow import Address, Flow
from pbx.sip.message import parse_message, split_message
from tests.call.office import HOME, Office, Phone

BOUNDS_US = {"split": 45.0, "read": 84.0, "REGISTER": 1200.0, "INVITE": 5000.0}
"""Far above what a quiet machine takes: a bound is missed by another order of work, not by a busy day."""
BUDGET_US = {"split": 15.0}

_LINES = (
    "INVITE sip:101@192.0.2.1 SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport",
    "Max-Forwards: 70",
    'From: "Alice Liddell" <sip:100@192.0.2.1>;tag=1928301774',
    "To: <sip:101@192.0.2.1>",
    "Call-ID: a84b4c76e66710@pc33.example.com",
    "CSeq: 314159 INVITE",
    "Contact: <sip:100@192.0.2.10:5060;transport=udp>",
    "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY",
    "Supported: replaces, timer, 100rel",
    "User-Agent: Telephone/1.0",
    "Content-Type: application/sdp",
)


def invite() -> bytes:
    """An INVITE of 740 octets."""
    head = "\r\n".join(_LINES)
    sdp = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    sdp += "m=audio 4000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    left = 740 - len(f"{head}\r\nContent-Length: 000\r\n\r\n{sdp}")
    sdp += "a=" + "x" * (left - 4) + "\r\n"
    return f"{head}\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}".encode()


def _timed(act: Callable[[], object]) -> float:
    begun = time.process_time_ns()
    act()
    return (time.process_time_ns() - begun) / 1000


def _each(read_one: Callable[[bytes], object], times: int) -> float:
    """Microseconds that an INVITE takes; no two are alike, so that nothing can be remembered."""
    one = invite()
    assert len(one) == 740
    messages = [one.replace(b"776asdhds", b"%09d" % number) for number in range(times)]

    def act() -> None:
        for data in messages:
            read_one(data)

    return _timed(act) / times


def split(times: int) -> float:
    """Microseconds to split an INVITE."""
    return _each(split_message, times)


def read(times: int) -> float:
    """Microseconds to read an INVITE."""
    return _each(parse_message, times)


@dataclass
class TimedPhone(Phone):
    """A phone that times what the exchange does with its messages, and reads the answers afterwards."""

    heard: list[bytes] = field(default_factory=list)
    spent_us: float = 0.0

    @classmethod
    def of(cls, office: Office, number: str) -> "TimedPhone":
        """A registered phone."""
        address = Address(f"192.0.2.{int(number) - 90}", 5060)
        office.phones[address] = phone = cls(office, number, address)
        phone.register()
        phone.spent_us = 0.0
        return phone

    def deliver(self, data: bytes, flow: Flow) -> None:
        """Put a message aside."""
        self.heard.append(data)

    def say(self, data: bytes) -> None:
        """Send a message; everybody then reads what the exchange has sent."""
        self.spent_us += _timed(lambda: self.office.hear(data, self.flow))
        for phone in self.office.phones.values():
            if isinstance(phone, TimedPhone):
                phone.inbox.extend(map(parse_message, phone.heard))
                phone.heard.clear()


def register(times: int) -> float:
    """Microseconds of a REGISTER with credentials."""
    office, uri = Office(), f"sip:{HOME.host}"
    phone = TimedPhone.of(office, "100")
    spent = 0.0
    for number in range(1, 2 * times, 2):
        to = f"<sip:{phone.number}@{HOME.host}>"
        phone.request("REGISTER", uri, call_id="reg-bench", cseq=number, to=to)
        auth = phone.authorized(phone.response(401), "REGISTER", uri)
        phone.spent_us = 0.0
        phone.request("REGISTER", uri, call_id="reg-bench", cseq=number + 1, to=to, headers=auth)
        spent += phone.spent_us
        phone.response(200)
        office.advance(60)
    return spent / times


def call(times: int) -> float:
    """Microseconds of an INVITE with credentials until its 180 is written."""
    uri = f"sip:101@{HOME.host}"
    spent = 0.0
    for _ in range(times):
        office = Office()
        alice, bob = TimedPhone.of(office, "100"), TimedPhone.of(office, "101")
        alice.request("INVITE", uri, call_id="bench", cseq=1, body=alice.sdp())
        auth = alice.authorized(alice.response(407), "INVITE", uri)
        alice.spent_us = bob.spent_us = 0.0
        alice.request("INVITE", uri, call_id="bench", cseq=2, body=alice.sdp(), headers=auth)
        bob.respond(bob.hears("INVITE"), 180)
        spent += alice.spent_us + bob.spent_us
        alice.trying()
        alice.response(180)
    return spent / times


CASES: dict[str, tuple[Callable[[int], float], int]] = {
    "split": (split, 3000),
    "read": (read, 3000),
    "REGISTER": (register, 100),
    "INVITE": (call, 40),
}


def main() -> int:
    """Measure, print a table, and return 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(rounds):
        for name, (measure, times) in CASES.items():
            found[name].append(measure(times))
    print("| us of CPU | median | least | most | budget | bound |\n|---|---|---|---|---|---|")
    missed = False
    for name, figures in found.items():
        middle = median(figures)
        missed |= middle > BOUNDS_US[name]
        budget = f"{BUDGET_US[name]:.0f}" if name in BUDGET_US else ""
        print(
            f"| {name} | {middle:.1f} | {min(figures):.1f} | {max(figures):.1f} "
            f"| {budget} | {BOUNDS_US[name]:.0f} |"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
