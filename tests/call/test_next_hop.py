"""Which host a call's requests go to: RFC 3261 §12.2.1.1, with NATs and proxies on the way."""

import msgspec
import pytest

from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Kind, Question
from pbx.sip.message import Request, Response
from tests.call.office import HOME, Invite, Office, Phone, established, talking
from tests.call.telco import TRUNK, Telco, telco
from tests.call.test_resume import reborn

OTHER_ACCOUNT = msgspec.structs.replace(TRUNK, name="another")
"""Another line by the same server, which names no peers."""
PROXY = Address("192.0.2.99", 5060)
THROUGH = "Record-Route: <sip:192.0.2.99;lr>"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def proxy(office: Office) -> Phone:
    """What is sent to the proxy's other address; its answers are not ours to see."""
    proxy = office.phones[PROXY] = Phone(office, "proxy", PROXY)
    return proxy


def behind_nat(office: Office, number: str) -> Phone:
    """A registered phone that takes a private address for its own."""
    phone = office.phone(number, register=False)
    phone.inner = "10.0.0.7"
    phone.register()
    return phone


class TestRouteSet:
    """A proxy with two addresses: one sends, the other one is named by Record-Route."""

    def test_of_the_callee(self, office: Office, proxy: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp(), headers=THROUGH)
        assert proxy.hears("ACK").uri == f"sip:101@{bob.address}"
        call.answered()
        call.ack()
        call.bye()
        assert proxy.hears("BYE").all("Route") == ["<sip:192.0.2.99;lr>"]
        assert not bob.inbox

    def test_of_the_caller(self, office: Office, proxy: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101", headers=THROUGH)
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        bob.hears("ACK")
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        proxy.hears("INVITE")
        bob.within(invite, "BYE", 2)
        proxy.hears("BYE")
        assert not alice.inbox

    def test_of_a_caller_behind_a_nat(self, office: Office, proxy: Phone) -> None:
        """The NAT lies between phone and proxy: what the proxy names is meant for us."""
        alice, bob = behind_nat(office, "100"), office.phone("101")
        call = alice.invite("101", headers=THROUGH)
        invite = bob.hears("INVITE")
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        bob.within(invite, "BYE", 1)
        proxy.hears("BYE")

    def test_a_path_is_followed(self, office: Office, proxy: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101", register=False)
        answer = bob.register(headers="Path: <sip:192.0.2.99;lr>\nSupported: path")
        assert answer.all("Path") == ["<sip:192.0.2.99;lr>"]
        alice.invite("101")
        invite = proxy.hears("INVITE")
        assert invite.all("Route") == ["<sip:192.0.2.99;lr>"]
        assert not bob.inbox


class TestRemoteTarget:
    """Without a route set the Contact decides, unless a NAT makes it useless."""

    def test_an_answer_that_names_another_host(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        other = office.phone("101", "192.0.2.77", register=False)
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp(), contact="<sip:x@192.0.2.77>")
        assert other.hears("ACK").uri == "sip:x@192.0.2.77"
        call.answered()
        call.ack()
        call.bye()
        other.hears("BYE")
        assert not bob.inbox

    def test_a_caller_that_moves_on(self, office: Office) -> None:
        """A re-INVITE's Contact is the new target (§12.2.2)."""
        alice, bob, call, invite = established(office)
        other = office.phone("100", "192.0.2.77", register=False)
        call.cseq += 1
        alice.request(
            "INVITE",
            call.uri,
            call_id=call.call_id,
            cseq=call.cseq,
            to=call.answer.get("To") if call.answer else None,
            body=alice.sdp("sendonly"),
            headers="Contact: <sip:100@192.0.2.77>",
            contact=False,
        )
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        bob.within(invite, "BYE", 1)
        assert other.hears("BYE").uri == "sip:100@192.0.2.77"

    def test_a_caller_behind_a_nat(self, office: Office) -> None:
        alice, bob = behind_nat(office, "100"), office.phone("101")
        _, invite = talking(alice, bob)
        bob.within(invite, "BYE", 1)
        assert alice.hears("BYE").uri == "sip:100@10.0.0.7:5060"

    def test_a_callee_behind_a_nat(self, office: Office) -> None:
        alice, bob = office.phone("100"), behind_nat(office, "101")
        call, _ = talking(alice, bob)
        call.bye()
        assert bob.hears("BYE").uri == "sip:101@10.0.0.7:5060"

    def test_a_nat_is_remembered_over_a_restart(self, office: Office) -> None:
        alice, bob = office.phone("100"), behind_nat(office, "101")
        call, _ = talking(alice, bob)
        reborn(office, alice, bob)
        call.bye()
        bob.hears("BYE")


class TestLargeInvites:
    """RFC 3261 §18.1.1: TCP for what is too large for a datagram."""

    def _ringing(self, office: Office) -> tuple[Phone, Phone, Invite, Request]:
        alice, bob = office.phone("100"), office.phone("101")
        long = alice.sdp() + b"a=x-long:" + b"y" * 1300 + b"\r\n"
        call = alice.invite("101", long)
        return alice, bob, call, bob.hears("INVITE")

    def test_a_phone_that_takes_it(self, office: Office) -> None:
        _, bob, call, invite = self._ringing(office)
        assert invite.via.transport == "TCP"
        bob.connection = 9
        bob.respond(invite, 200, "OK", bob.sdp(), contact="<sip:101@192.0.2.11>")
        assert bob.hears("ACK").via.transport == "TCP"
        call.answered()
        call.ack()
        call.bye()
        assert bob.hears("BYE").via.transport == "TCP"

    def test_a_phone_that_knows_udp_only(self, office: Office) -> None:
        _, bob, call, invite = self._ringing(office)
        office.endpoint.flow_failed(
            Flow("tcp", HOME, bob.address), "connection refused", office.now
        )
        office.pump()
        again = bob.hears("INVITE")
        assert again.via.transport == "UDP"
        assert again.call_id == invite.call_id
        bob.respond(again, 200, "OK", bob.sdp())
        assert bob.hears("ACK").via.transport == "UDP"
        call.answered()
        call.ack()
        call.bye()
        bob.respond(bob.hears("BYE"), 200)
        assert office.cause() == ("CALLER_HUNG_UP", 16)
        office.advance(120)
        office.assert_empty()


class TestNames:
    """RFC 3263: hosts by name, in Contact and Record-Route."""

    def test_a_phone_that_registers_a_name(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101", register=False)
        bob.inner = "phone.example"
        bob.register()
        office.names[Question(Kind.A, "phone.example")] = ("192.0.2.88", "192.0.2.11")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        assert invite.uri == "sip:101@phone.example:5060"
        bob.respond(invite, 200, "OK", bob.sdp())
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        bob.hears("BYE")

    def test_the_first_address_is_dead(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101", register=False)
        dead = office.phones[PROXY] = Phone(office, "dead", PROXY)
        other = office.phone("101", "192.0.2.88", register=False)
        bob.inner = "phone.example"
        bob.register()
        office.names[Question(Kind.A, "phone.example")] = ("192.0.2.99", "192.0.2.88")
        call = alice.invite("101")
        first = dead.hears("INVITE")
        office.endpoint.flow_failed(Flow("udp", HOME, PROXY), "no route to host", office.now)
        office.pump()
        second = other.hears("INVITE")
        assert second.call_id == first.call_id
        other.respond(second, 200, "OK", other.sdp())
        other.hears("ACK")
        call.answered()
        assert office.changed[-1] == "talking"

    def test_nobody_answers_at_any_address(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101", register=False)
        bob.inner = "phone.example"
        bob.register()
        office.names[Question(Kind.A, "phone.example")] = ("192.0.2.98", "192.0.2.99")
        alice.invite("101")
        office.advance(40)
        alice.response(480)
        assert office.cause()[0] == "CALLEE_UNREACHABLE"
        office.advance(120)
        office.assert_empty()

    def test_a_route_by_name(self, office: Office, proxy: Phone) -> None:
        office.names[Question(Kind.A, "proxy.example")] = ("192.0.2.99",)
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        route = "Record-Route: <sip:proxy.example;lr>"
        bob.respond(invite, 200, "OK", bob.sdp(), headers=route)
        proxy.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        assert proxy.hears("BYE").all("Route") == ["<sip:proxy.example;lr>"]

    @pytest.mark.parametrize("peers", ["203.0.113.9", "out.telco.example", "203.0.113.0/24"])
    def test_a_carrier_that_calls_from_another_address(self, office: Office, peers: str) -> None:
        """The name stands for the server that it registers us at."""
        office.names[Question(Kind.A, "out.telco.example")] = ("203.0.113.9",)
        office.names[Question(Kind.A, "sbc.telco.example")] = (TRUNK.server,)
        options = {"destination": "100", "peers": (peers,)}
        server = telco(office, msgspec.structs.replace(TRUNK, **options), others=(OTHER_ACCOUNT,))
        sender = Telco(office, "x", Address("203.0.113.9", 5060))
        office.phones[sender.address] = sender
        alice = office.phone("100")
        call = sender.calls("555", headers="Record-Route: <sip:sbc.telco.example;lr>")
        sender.trying()
        invite = alice.hears("INVITE")
        alice.respond(invite, 200, "OK", alice.sdp())
        call.answered()
        call.ack()
        alice.hears("ACK")
        alice.within(invite, "BYE", 1)
        alice.response(200)
        assert server.hears("BYE").all("Route") == ["<sip:sbc.telco.example;lr>"]


class TestRfc5626Section7:
    """Two flows of one phone: one rings, the other one is for when it fails."""

    INSTANCE = ';+sip.instance="<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'

    def _flows(self, office: Office) -> tuple[Phone, Phone, Phone]:
        """Alice, and the two flows of bob's phone, the older one first."""
        flows: list[Phone] = []
        for number in (1, 2):
            flow = office.phone("101", f"192.0.2.{20 + number}", register=False, connection=number)
            flow.features = f"{self.INSTANCE};reg-id={number}"
            assert "outbound" in (flow.register(headers="Supported: outbound").get("Require") or "")
            flows.append(flow)
        older, newer = flows
        return office.phone("100"), older, newer

    def test_only_the_newest_rings(self, office: Office) -> None:
        alice, older, newer = self._flows(office)
        alice.invite("101")
        newer.respond(newer.hears("INVITE"), 486)
        alice.response(486)
        assert not older.inbox

    @pytest.mark.parametrize("status", [408, 480, 500, 503, 603])
    def test_any_other_response_is_the_phones(self, office: Office, status: int) -> None:
        alice, older, newer = self._flows(office)
        alice.invite("101")
        newer.respond(newer.hears("INVITE"), status)
        newer.hears("ACK")
        assert isinstance(alice.inbox.popleft(), Response)
        assert not older.inbox
        assert len(office.ended) == 1

    def test_the_other_one_where_it_fails(self, office: Office) -> None:
        alice, older, newer = self._flows(office)
        call = alice.invite("101")
        newer.respond(newer.hears("INVITE"), 430)
        newer.hears("ACK")
        invite = older.hears("INVITE")
        older.respond(invite, 200, "OK", older.sdp())
        older.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        older.hears("BYE")
        assert not newer.inbox

    def test_the_other_one_where_its_connection_has_ended(self, office: Office) -> None:
        alice, older, newer = self._flows(office)
        alice.invite("101")
        newer.hears("INVITE")
        office.disconnect(newer)
        older.hears("INVITE")

    def test_both_gone(self, office: Office) -> None:
        alice, older, newer = self._flows(office)
        alice.invite("101")
        newer.respond(newer.hears("INVITE"), 430)
        newer.hears("ACK")
        older.respond(older.hears("INVITE"), 430)
        alice.response(480)
        assert office.cause() == ("CALLEE_UNREACHABLE", 18)
        office.advance(120)
        office.assert_empty()

    def test_different_ways_through_one_proxy(self, office: Office, proxy: Phone) -> None:
        """An edge proxy has lost one flow, and knows the other one by another token."""
        alice, bob = office.phone("100"), office.phone("101", register=False)
        for number in (1, 2):
            bob.features = f"{self.INSTANCE};reg-id={number}"
            path = f"Path: <sip:token{number}@192.0.2.99;lr;ob>"
            bob.register(headers=f"{path}\nSupported: outbound, path")
        alice.invite("101")
        first = proxy.hears("INVITE")
        assert first.all("Route") == ["<sip:token2@192.0.2.99;lr;ob>"]
        proxy.respond(first, 430)
        ack, second = proxy.inbox
        assert isinstance(ack, Request)
        assert ack.method == "ACK"
        assert second.all("Route") == ["<sip:token1@192.0.2.99;lr;ob>"]
