"""Calls over connections: RFC 3261 §18, RFC 5626 §5.3 in spirit."""

from dataclasses import replace

import msgspec
import pytest

from pbx.sip.flow import Address, Flow
from pbx.sip.locate import Kind, Question
from tests.call.office import Invite, Office, Phone, talking
from tests.call.telco import HOST, LINE, PLAN, Telco
from tests.call.test_resume import reborn


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100", connection=1)


@pytest.fixture
def bob(office: Office) -> Phone:
    return office.phone("101", connection=2)


class TestBasicCall:
    def test_it_goes_the_same_way(self, office: Office, alice: Phone, bob: Phone) -> None:
        call, invite = talking(alice, bob)
        assert "transport=tcp" in (invite.get("Contact") or "")
        assert invite.via.transport == "TCP"
        call.bye()
        alice.response(200)
        bob.respond(bob.hears("BYE"), 200)
        office.advance(40)
        office.assert_empty()
        assert office.ended[0].caller_addr == "tcp 192.0.2.10:5060"

    def test_between_tcp_and_udp(self, office: Office, alice: Phone) -> None:
        carol = office.phone("102")
        call, invite = talking(alice, carol)
        assert invite.via.transport == "UDP"
        call.bye()
        alice.response(200)
        carol.hears("BYE")

    def test_a_connection_repeats_by_itself(self, office: Office, alice: Phone, bob: Phone) -> None:
        """§17.1.1.2: no Timer A over a reliable transport; Timer B is the same."""
        alice.invite("101")
        bob.hears("INVITE")
        office.advance(31)
        assert not bob.inbox
        office.advance(2)
        assert not bob.inbox
        alice.response(480)
        assert office.cause() == ("CALLEE_UNREACHABLE", 18)

    def test_a_200_is_repeated_all_the_same(self, office: Office, alice: Phone, bob: Phone) -> None:
        """§13.3.1.4: "even if the transport at the UAS is reliable"."""
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        call.answered()
        office.advance(0.6)
        alice.response(200)

    def test_an_invite_is_cancelled(self, office: Office, alice: Phone, bob: Phone) -> None:
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        call.cancel()
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 487)
        bob.hears("ACK")
        assert alice.response(200).cseq.method == "CANCEL"
        call.ack_failure(alice.response(487))
        office.advance(40)
        office.assert_empty()


class TestLostConnection:
    """A connection that ends: the phone may be reached by a new one at its Contact."""

    def test_of_a_caller_before_the_answer(self, office: Office, alice: Phone, bob: Phone) -> None:
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        flow = alice.flow
        office.disconnect(alice)
        # RFC 3261 §18.2.2: by a new connection to where she listens; if there is none, it's over
        alice.response(180)
        assert not bob.inbox
        office.endpoint.flow_failed(replace(flow, connection=0), "refused", office.now)
        office.pump()
        bob.hears("CANCEL")
        assert office.cause() == ("TRANSPORT_FAILED", 41)

    def test_of_a_caller_who_listens(self, office: Office, alice: Phone, bob: Phone) -> None:
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        bob.respond(invite, 180)
        alice.response(180)
        office.disconnect(alice)
        alice.response(180)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        bob.hears("ACK")
        bob.within(invite, "BYE", 1)
        bob.response(200)
        alice.hears("BYE")

    def test_of_a_phone_that_rings(self, office: Office, alice: Phone, bob: Phone) -> None:
        alice.invite("101")
        bob.hears("INVITE")
        office.disconnect(bob)
        # 503 would say that the exchange itself is overloaded (§21.5.4)
        alice.response(480)
        assert office.cause() == ("TRANSPORT_FAILED", 41)
        office.advance(120)
        office.assert_empty()

    def test_in_a_call_costs_nothing(self, office: Office, alice: Phone, bob: Phone) -> None:
        call, _ = talking(alice, bob)
        alice.reconnect(11)
        bob.reconnect(12)
        assert office.ended == []
        call.bye()
        alice.response(200)
        # Bob's old connection is known to be gone
        bye = bob.hears("BYE")
        assert bye.get("Reason") is not None
        bob.respond(bye, 200)
        office.advance(120)
        office.assert_empty()

    def test_the_bye_goes_to_the_contact(self, office: Office, bob: Phone) -> None:
        """Not to the port that the lost connection came from."""
        address = Address("192.0.2.10", 40001)
        alice = office.phones[address] = Phone(office, "100", address, 1)
        listening = Phone(office, "100", Address("192.0.2.10", 5060), 0)
        office.phones[listening.address] = listening
        _, invite = talking(alice, bob)
        bob.within(invite, "BYE", 1)
        office.disconnect(alice)
        bye = listening.hears("BYE")
        assert bye.uri == "sip:100@192.0.2.10:5060;transport=tcp"

    def test_a_bye_is_tried_again_once(self, office: Office, alice: Phone, bob: Phone) -> None:
        _, invite = talking(alice, bob)
        bob.within(invite, "BYE", 1)
        bob.response(200)
        alice.hears("BYE")
        flow = alice.flow
        office.disconnect(alice)
        alice.hears("BYE")
        office.endpoint.flow_failed(replace(flow, connection=0), "refused", office.now)
        office.pump()
        assert not alice.inbox
        office.advance(120)
        office.assert_empty()

    def test_a_change_is_refused_and_the_next_one_gets_through(
        self, office: Office, alice: Phone, bob: Phone
    ) -> None:
        call, _ = talking(alice, bob)
        call.reinvite(alice.sdp("sendonly"))
        bob.hears("INVITE")
        bob.reconnect(5)
        alice.response(488)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        assert b"recvonly" in call.answered().body
        assert office.ended == []

    def test_while_a_change_is_open(self, office: Office, alice: Phone, bob: Phone) -> None:
        call, _ = talking(alice, bob)
        call.reinvite(alice.sdp("sendonly"))
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        flow = alice.flow
        alice.reconnect(21)
        office.endpoint.flow_failed(replace(flow, connection=0), "refused", office.now)
        office.pump()
        bob.hears("CANCEL")
        bob.respond(change, 487)
        assert office.ended == []

    def test_a_binding_falls_back_to_the_contact(self, office: Office, bob: Phone) -> None:
        alice = office.phone("100")
        office.disconnect(bob)
        (binding,) = office.bindings.of("101", office.now)
        assert binding.target.flow.connection == 0
        alice.invite("101")
        assert bob.hears("INVITE")

    def test_an_answer_repeated_on_another_connection_is_acknowledged_there(
        self, office: Office, alice: Phone, bob: Phone
    ) -> None:
        """RFC 3261 §13.2.2.4: each repetition wants its ACK."""
        _, invite = talking(alice, bob)
        bob.reconnect(5)
        bob.respond(invite, 200, "OK", bob.sdp())
        assert bob.hears("ACK").cseq.number == 1


NAME = "sip.telco.example"
BY_TLS = msgspec.structs.replace(LINE, server=f"{NAME}:5061", transport="tls")


class TlsServer(Telco):
    """A line's server with a certificate for `NAME`, which has no use for other connections."""

    @property
    def flow(self) -> Flow:
        return replace(super().flow, name=NAME)

    def deliver(self, data: bytes, flow: Flow) -> None:
        if flow.name == NAME:
            super().deliver(data, flow)


class TestAServerByTls:
    """RFC 5922 §4: it proves the name that the line has for it, whatever address its Contact has."""

    @pytest.fixture
    def server(self, office: Office) -> TlsServer:
        server = TlsServer(office, "telco", Address(HOST, 5061), 7, stream="tls")
        office.phones[server.address] = server
        office.names[Question(Kind.A, NAME)] = (HOST,)
        office.configure(BY_TLS, plan=PLAN)
        return server

    @staticmethod
    def talks(alice: Phone, server: TlsServer) -> Invite:
        call = alice.invite("9030123")
        contact = f"<sip:gw@{HOST}:5061;transport=tls>"
        server.respond(server.hears("INVITE"), 200, "OK", server.sdp(), contact=contact)
        server.hears("ACK")
        call.answered()
        call.ack()
        return call

    def test_whose_connection_has_ended(
        self, office: Office, alice: Phone, server: TlsServer
    ) -> None:
        call = self.talks(alice, server)
        server.reconnect(8)
        call.bye()
        alice.response(200)
        server.respond(server.hears("BYE"), 200)

    def test_after_a_restart_of_ours(self, office: Office, alice: Phone, server: TlsServer) -> None:
        self.talks(alice, server)
        after = reborn(office, alice, server, line=BY_TLS)
        after.exchange.stop(after.now)
        after.pump()
        server.hears("BYE")
