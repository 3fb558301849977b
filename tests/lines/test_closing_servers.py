"""Servers that close their connection behind each answer, be it a challenge (RFC 3261 §22.2 over TCP)."""

from pbx.sip import digest
from pbx.sip.authorization import ROUNDS_LIMIT
from pbx.sip.message import Request
from tests.lines.carrier import (
    Carrier,
    Machine,
    begun,
    carrier_flow,
    in_turn,
    registrar,
    silent,
    strict,
    tells,
)

REALM = "telco.example"


def credentials(request: Request) -> digest.Credentials:
    found = digest.find_credentials(request.values("Authorization"), REALM)
    assert found is not None
    return found


def hang_up(machine: Machine, carrier: Carrier) -> Request:
    """Let the server close the connection; the line asks once more, by another one."""
    machine.closes(carrier_flow(carrier))
    return carrier.take()


class TestChallenge:
    def test_the_proof_goes_out_by_another_connection(self) -> None:
        asks = strict()
        machine, carrier = begun(in_turn(asks, silent, asks), transport="tcp")
        first, lost = carrier.all()
        again = hang_up(machine, carrier)
        numbers = [one.cseq.number for one in (first, lost, again)]
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
        assert credentials(again).nonce == credentials(lost).nonce
        assert (credentials(lost).nc, credentials(again).nc) == ("00000001", "00000002")
        assert machine.state().usable
        assert machine.slug == ""

    def test_also_where_it_is_registered_already(self) -> None:
        asks = strict()
        machine, carrier = begun(in_turn(registrar(), asks, silent, asks), transport="tcp")
        due = machine.state().next_try
        assert due is not None
        machine.advance(due - machine.now)
        carrier.all()
        hang_up(machine, carrier)
        assert machine.state().usable

    def test_a_wrong_password_is_told_as_such_and_not_tried_again_soon(self) -> None:
        asks = strict(password="another")
        machine, carrier = begun(in_turn(asks, silent, asks), transport="tcp")
        carrier.all()
        hang_up(machine, carrier)
        assert machine.slug == "password"
        assert (machine.state().next_try or 0) - machine.now >= 150

    def test_it_is_asked_less_and_less_where_the_proof_never_arrives(self) -> None:
        does = in_turn(*[strict(password="another"), silent, silent] * 8)
        machine, carrier = begun(does, transport="tcp")
        waits = []
        for _ in range(8):
            assert len(carrier.all()) == 2
            hang_up(machine, carrier)
            # By one other connection: not by a third
            machine.closes(carrier_flow(carrier))
            assert carrier.all() == []
            assert machine.slug == "unreachable"
            waits.append((machine.state().next_try or 0) - machine.now)
            machine.advance(waits[-1])
        bounds = (10, 20, 40, 80, 160, 300, 300, 300)
        assert all(least / 2 <= wait <= least for wait, least in zip(waits, bounds, strict=True))

    def test_stale_nonces_without_end_end(self) -> None:
        stale = [
            tells(401, ("WWW-Authenticate", f'Digest realm="{REALM}", nonce="n{one}", stale=true'))
            for one in range(50)
        ]
        does = [one for pair in zip(stale, [silent] * 50, strict=True) for one in pair]
        machine, carrier = begun(in_turn(*does), transport="tcp")
        for _ in range(50):
            machine.closes(carrier_flow(carrier))
        assert len(carrier.all()) == 2 * ROUNDS_LIMIT + 1
        assert machine.slug == "password"

    def test_signing_off_too(self) -> None:
        asks = strict()
        machine, carrier = begun(in_turn(registrar(), asks, silent, asks), transport="tcp")
        carrier.take()
        machine.stop()
        carrier.all()
        farewell = hang_up(machine, carrier)
        assert farewell.get("Expires") == "0"
        assert credentials(farewell).nc == "00000002"

    def test_by_udp_nothing_is_closed(self) -> None:
        machine, carrier = begun(in_turn(strict(), silent))
        carrier.all()
        machine.closes(carrier_flow(carrier), "Connection refused")
        assert carrier.all() == []
        assert machine.slug == "unreachable"
