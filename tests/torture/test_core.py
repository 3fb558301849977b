"""The torture messages against the exchange on its fake clock, by datagram and by stream."""

import re

import pytest

from pbx.errors import PeerError
from pbx.sip import digest
from pbx.sip.flow import Address, Flow
from pbx.sip.framing import KeepAlive, StreamFramer
from pbx.sip.message import Response, parse_message
from pbx.sip.uri import SipUri
from pbx.store.snapshot import Snapshot
from tests.call.office import HOME, Office
from tests.torture.expected import EXPECTED
from tests.torture.messages import NAMES, octets

STRANGER = Address("198.51.100.7", 5999)


class Wire(dict[Address, "Wire"]):
    """Every peer there is: keeps all that the exchange sends, to whomever."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, Flow]] = []

    def get(self, address: Address, default: object = None) -> "Wire":
        return self

    def deliver(self, data: bytes, flow: Flow) -> None:
        self.heard.append((data, flow))


class Torture:
    """An exchange that hears from a stranger."""

    def __init__(self, transport: str) -> None:
        self.office = Office()
        self.wire = Wire()
        self.office.phones = self.wire  # type: ignore[assignment]
        self.flow = Flow(transport, HOME, STRANGER, 1 if transport == "tcp" else 0)
        self._framer = StreamFramer()

    def say(self, data: bytes) -> None:
        """Send octets; what breaks a stream's framing ends it, as a connection would."""
        if self.flow.transport == "udp":
            self.office.hear(data, self.flow)
            return
        try:
            while items := self._framer.feed(data):
                data = b""
                for item in items:
                    if not isinstance(item, KeepAlive):
                        self.office.hear(item, self.flow)
        except PeerError as error:
            self.office.endpoint.reject(error, self.flow)

    def responses(self) -> list[Response]:
        """What was answered; nothing but responses was sent."""
        messages = [parse_message(data) for data, _ in self.wire.heard]
        assert all(isinstance(message, Response) for message in messages)
        return [message for message in messages if isinstance(message, Response)]


def statuses(torture: Torture) -> list[int]:
    """The statuses of the answers, whether they can be read whole or not (RFC 4475 §3.3.1)."""
    return [int(data[8:11]) for data, _ in torture.wire.heard]


def test_no_message_is_missing() -> None:
    assert sorted(EXPECTED) == NAMES
    assert len(NAMES) == 49 + 12


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("name", NAMES)
class TestEachMessage:
    def test_it_is_answered_as_its_rfc_wants(self, name: str, transport: str) -> None:
        torture = Torture(transport)
        torture.say(octets(name))
        assert statuses(torture) == EXPECTED[name].over(transport), EXPECTED[name].why

    def test_it_leaves_nothing_behind(self, name: str, transport: str) -> None:
        """Unanswered failures of INVITEs are repeated for 32 s (§17.2.1), and then given up."""
        torture = Torture(transport)
        torture.say(octets(name))
        torture.office.advance(200)
        torture.office.assert_empty()
        assert set(statuses(torture)) == set(EXPECTED[name].over(transport))


@pytest.mark.parametrize("name", NAMES)
def test_a_repetition_gets_the_same_answer(name: str) -> None:
    """RFC 3261 §17.2, §8.2.7: with the same tag; only a challenge's nonce is a new one."""
    torture = Torture("udp")
    for _ in range(2):
        torture.say(octets(name))
    answers = [re.sub(rb'nonce="[^"]*"', b"", data) for data, _ in torture.wire.heard]
    half = len(answers) // 2
    assert answers[:half] == answers[half:]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
class TestAnswers:
    """What the answers carry."""

    @pytest.mark.parametrize(
        ("name", "header", "value"),
        [
            ("bext01", "Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),
            ("intmeth", "Server", "office"),
            ("regaut01", "WWW-Authenticate", "Digest"),
            ("esc01", "Proxy-Authenticate", "Digest"),
            ("invut", "Accept", "application/sdp"),
        ],
    )
    def test_header(self, transport: str, name: str, header: str, value: str) -> None:
        torture = Torture(transport)
        torture.say(octets(name))
        (response,) = torture.responses()
        assert (response.get(header) or "").startswith(value)

    def test_what_is_missing_stays_missing(self, transport: str) -> None:
        """RFC 4475 §3.3.1: the answer is of that request, and says what it could read."""
        torture = Torture(transport)
        torture.say(octets("insuf"))
        ((data, flow),) = torture.wire.heard
        assert b"\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf;received=198" in data
        assert b"\r\nCSeq: 193942 INVITE\r\n" in data
        assert b"Call-ID" not in data
        assert flow.remote.host == STRANGER.host

    def test_the_rest_of_a_stream_is_waited_for(self, transport: str) -> None:
        """RFC 4475 §3.1.2.2: in a stream the message goes on until it is as long as it says."""
        torture = Torture(transport)
        data = octets("clerr")
        torture.say(data)
        torture.say(b" " * 9999)
        assert statuses(torture)[0] == (400 if transport == "udp" else 407)


class TestRegistrar:
    """The REGISTERs, with credentials: what the registrar keeps of them."""

    def _registered(self, name: str, user: str) -> Response:
        torture = Torture("udp")
        torture.office.snapshot = Snapshot.of(2, [torture.office._user(user)])
        data = octets(name)
        torture.say(data)
        (challenged,) = torture.responses()
        asked = digest.parse_challenge(challenged.get("WWW-Authenticate") or "")
        uri = data.split(b" ", 2)[1].decode()
        credentials = digest.answer_challenge(asked, "REGISTER", uri, user, f"pw{user}", cnonce="c")
        head, _, rest = data.partition(b"\r\n")
        data = head + f"\r\nAuthorization: {credentials}\r\nExpires: 600\r\n".encode() + rest
        torture.wire.heard.clear()
        torture.say(
            data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKagain").replace(b"T: 1", b"T: 2")
        )
        (response,) = torture.responses()
        return response

    def _kept(self, name: str, user: str) -> tuple[SipUri, tuple[tuple[str, str], ...]]:
        response = self._registered(name, user)
        assert response.status == 200
        assert isinstance(response.contacts, list)
        (contact,) = response.contacts
        assert isinstance(contact.uri, SipUri)
        return contact.uri, contact.params

    def test_cparam01(self) -> None:
        """RFC 4475 §3.3.12: the unknown parameter is the Contact's, not the URI's."""
        uri, _ = self._kept("cparam01", "watson")
        assert (uri.user, uri.params) == ("+19725552222", ())

    def test_cparam02(self) -> None:
        """RFC 4475 §3.3.13: the unknown parameter is the URI's, and returned with it."""
        uri, _ = self._kept("cparam02", "watson")
        assert uri.params == (("unknownparam", ""),)

    def test_regescrt(self) -> None:
        """RFC 4475 §3.3.14: the registrar leaves the escaped Route within the Contact's URI."""
        uri, _ = self._kept("regescrt", "user")
        assert uri.headers == (("Route", "<sip:sip.example.com>"),)

    @pytest.mark.parametrize("name", ["ipv6-good", "port-unambiguous", "port-ambiguous"])
    def test_ipv6(self, name: str) -> None:
        """RFC 5118 §4.1, §4.3, §4.4."""
        uri, _ = self._kept(name, "user")
        assert uri.host == "2001:db8::1"

    def test_dblreq(self) -> None:
        """RFC 4475 §3.1.1.8: the datagram's second message is none."""
        uri, _ = self._kept("dblreq", "j.user")
        assert (uri.user, uri.host) == ("j.user", "host.example.com")
