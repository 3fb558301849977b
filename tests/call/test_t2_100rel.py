"""T2: reliable provisional responses on lines, as miniSIPServer's users know them (RFC 3262)."""

import logging

import msgspec
import pytest

from pbx.config.line import Line
from pbx.config.settings import CallSettings
from pbx.sip.message import Request
from tests.call.office import Office
from tests.call.phone import Invite, Phone
from tests.call.telco import LINE, TRUNK, Telco, telco

RELIABLE = "Require: 100rel\nRSeq: {}"


def changed(line: Line, **options: object) -> Line:
    """A line with other options."""
    return msgspec.structs.replace(line, **options)


@pytest.fixture
def office() -> Office:
    return Office()


def called(office: Office, line: Line) -> tuple[Phone, Telco, Invite, Request]:
    """A call that rings at a line's peer."""
    alice, peer = office.phone("100"), telco(office, line)
    call = alice.invite("9030123")
    return alice, peer, call, peer.hears("INVITE")


class TestT2_1Offered:
    @pytest.mark.parametrize("line", [LINE, TRUNK])
    def test_t2_1_supported_by_default(self, office: Office, line: Line) -> None:
        _, _, _, invite = called(office, line)
        assert "100rel" in invite.all("Supported")
        assert invite.get("Require") is None

    def test_t2_1_it_can_be_required(self, office: Office) -> None:
        _, _, _, invite = called(office, changed(LINE, prack="required"))
        assert invite.all("Require") == ["100rel"]


class TestT2_2Acknowledged:
    def test_t2_2_by_a_prack_in_the_early_dialog(self, office: Office) -> None:
        alice, peer, _, invite = called(office, LINE)
        told = RELIABLE.format(7) + "\nRecord-Route: <sip:198.51.100.1;lr;x=1>"
        peer.respond(invite, 183, body=peer.sdp(), headers=told, contact="<sip:b@198.51.100.1>")
        prack = peer.hears("PRACK")
        assert prack.get("RAck") == f"7 {invite.cseq.number} INVITE"
        assert prack.uri == "sip:b@198.51.100.1"
        assert prack.all("Route") == ["<sip:198.51.100.1;lr;x=1>"]
        assert prack.to.tag == peer.tag
        peer.respond(prack, 200)
        assert alice.response(183).body

    def test_t2_2_one_for_each_rseq_in_its_order(self, office: Office) -> None:
        _, peer, _, invite = called(office, LINE)
        peer.respond(invite, 180, headers=RELIABLE.format(7))
        peer.respond(peer.hears("PRACK"), 200)
        # Repeated; then one that has come before its turn
        peer.respond(invite, 180, headers=RELIABLE.format(7))
        peer.respond(invite, 180, headers=RELIABLE.format(9))
        assert not peer.inbox
        peer.respond(invite, 180, headers=RELIABLE.format(8))
        assert peer.hears("PRACK").get("RAck") == f"8 {invite.cseq.number} INVITE"


def comes_in(office: Office, headers: str, line: Line = LINE) -> tuple[Phone, Telco, Invite]:
    """A call from a line that rings at a phone, which is heard early."""
    alice, peer = office.phone("100"), telco(office, changed(line, destination="100"))
    call = peer.calls("4930100", headers=headers)
    peer.trying()
    alice.respond(alice.hears("INVITE"), 183, body=alice.sdp())
    return alice, peer, call


class TestT2_3AsUas:
    @pytest.mark.parametrize("header", ["Supported: 100rel", "Require: 100rel"])
    def test_t2_3_sent_reliably_and_acknowledged(self, office: Office, header: str) -> None:
        _, peer, call = comes_in(office, header)
        told = peer.response(183)
        assert told.all("Require") == ["100rel"]
        call.answer = told
        call.request("PRACK", 3, headers=f"RAck: {told.get('RSeq')} 2 INVITE")
        peer.response(200)
        office.advance(5)
        assert not peer.inbox

    def test_t2_3_repeated_until_then_and_given_up_in_the_end(self, office: Office) -> None:
        _, peer, _ = comes_in(office, "Require: 100rel")
        office.advance(31)
        assert [one.status for one in peer.inbox] == [183] * 6  # type: ignore[union-attr]
        peer.inbox.clear()
        office.advance(2)
        assert peer.inbox[-1].status == 504  # type: ignore[union-attr]

    def test_t2_3_a_stray_prack(self, office: Office) -> None:
        _, peer, call = comes_in(office, "Supported: 100rel")
        told = call.answer = peer.response(183)
        rseq = int(told.get("RSeq") or 0)
        call.request("PRACK", 3, headers=f"RAck: {rseq + 1} 2 INVITE")
        peer.response(481)


class TestT2_4PlainForOthers:
    def test_t2_4_without_100rel(self, office: Office) -> None:
        _, peer, _ = comes_in(office, "")
        told = peer.response(183)
        assert told.get("RSeq") is None
        assert told.get("Require") is None


class TestT2_5SwitchedOff:
    @pytest.mark.parametrize("line", [LINE, TRUNK])
    def test_t2_5_not_offered_and_never_acknowledged(self, office: Office, line: Line) -> None:
        alice, peer, _, invite = called(office, changed(line, prack="off"))
        assert "100rel" not in [*invite.all("Supported"), *invite.all("Require")]
        peer.respond(invite, 183, body=peer.sdp(), headers=RELIABLE.format(1))
        alice.response(183)
        assert not peer.inbox

    def test_t2_5_nor_is_a_caller_told_anything_reliably(self, office: Office) -> None:
        _, peer, _ = comes_in(office, "Supported: 100rel", changed(LINE, prack="off"))
        assert peer.response(183).get("RSeq") is None


class TestT2_6ACarrierThatDoesNotMeanIt:
    @pytest.mark.parametrize("status", [405, 501])
    def test_t2_6_the_call_goes_on_and_the_line_is_remembered(
        self, office: Office, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        alice, peer, call, invite = called(office, LINE)
        peer.respond(invite, 183, body=peer.sdp(), headers=RELIABLE.format(1))
        alice.response(183)
        with caplog.at_level(logging.WARNING):
            peer.respond(peer.hears("PRACK"), status)
        assert "line telco asks for PRACK and refuses it" in caplog.text
        assert "set its prack to off" in caplog.text
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        alice.response(200)
        peer.respond(peer.hears("BYE"), 200)
        assert list(office.exchange.without_prack.lines) == ["telco"]
        alice.invite("9030124", call_id="call-2")
        assert "100rel" not in peer.hears("INVITE").all("Supported")

    def test_t2_6_other_lines_are_offered_it_as_before(self, office: Office) -> None:
        alice, peer, _, invite = called(office, LINE)
        peer.respond(invite, 180, headers=RELIABLE.format(1))
        peer.respond(peer.hears("PRACK"), 405)
        other = telco(office, TRUNK)
        alice.inbox.clear()
        alice.invite("9030124", call_id="call-2")
        assert "100rel" in other.hears("INVITE").all("Supported")


class TestT2_8Interworking:
    def test_t2_8_only_the_line_knows_it(self, office: Office) -> None:
        alice, peer, call, invite = called(office, LINE)
        peer.respond(invite, 183, body=peer.sdp(), headers=RELIABLE.format(1))
        peer.respond(peer.hears("PRACK"), 200)
        told = alice.response(183)
        assert (told.get("RSeq"), bool(told.body)) == (None, True)
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        call.answered()

    def test_t2_8_only_the_caller_knows_it(self, office: Office) -> None:
        alice, peer = office.phone("100"), telco(office, changed(LINE, prack="off"))
        call = alice.invite("9030123", headers="Supported: 100rel")
        invite = peer.hears("INVITE")
        peer.respond(invite, 183, body=peer.sdp())
        told = call.answer = alice.response(183)
        assert told.body
        call.request("PRACK", 3, headers=f"RAck: {told.get('RSeq')} 2 INVITE")
        alice.response(200)
        peer.respond(invite, 200, "OK", peer.sdp())
        peer.hears("ACK")
        call.answered()


class TestT2_7NotForLinesAlone:
    def test_t2_7_a_trunk_can_be_without(self, office: Office) -> None:
        _, _, _, invite = called(office, changed(TRUNK, prack="off"))
        assert "100rel" not in invite.all("Supported")

    def test_t2_7_so_can_the_local_users(self) -> None:
        office = Office(CallSettings(prack=False))
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101", headers="Supported: 100rel")
        invite = bob.hears("INVITE")
        assert "100rel" not in invite.all("Supported")
        bob.respond(invite, 183, body=bob.sdp())
        assert alice.response(183).get("RSeq") is None
