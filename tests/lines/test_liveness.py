"""Whether a trunk is alive: OPTIONS (RFC 3261 §11), and trunks that aren't asked."""

import itertools
from typing import Any

import msgspec
import pytest

from pbx.config.line import Line
from pbx.lines.link import MOST_HEARD
from pbx.lines.liveness import DEAD_S, SILENCE_S, UNASKED_S
from pbx.lines.state import LinePath, Phase
from pbx.sip.flow import Address
from pbx.sip.message import Request, Response, response_to
from tests.lines.carrier import TRUNK, Carrier, Does, Machine, silent, tells


def trunk(**options: Any) -> Line:
    return msgspec.structs.replace(TRUNK, **options)


def begun(does: Does, **options: Any) -> tuple[Machine, Carrier]:
    machine = Machine(trunk(**options))
    carrier = machine.carrier(does, "198.51.100.2")
    machine.begin()
    return machine, carrier


def path(machine: Machine) -> LinePath:
    found = machine.lines.path("peer", machine.now)
    assert found is not None
    return found


def slug(machine: Machine) -> str:
    trouble = machine.state("peer").trouble
    return trouble.slug if trouble else ""


class TestRfc3261Section11:
    def test_the_request(self) -> None:
        machine, carrier = begun(tells(200))
        request = carrier.take("OPTIONS")
        assert request.uri == str(request.to.uri) == "sip:198.51.100.2"
        assert str(request.from_.uri) == "sip:peer@192.0.2.1"
        assert request.get("Contact") == "<sip:peer@192.0.2.1:5060>"
        assert request.get("Accept") == "application/sdp"
        state = machine.state("peer")
        assert (state.phase, state.usable, state.registers) == (Phase.UP, True, False)
        assert state.rtt_s == 0
        assert path(machine).flow.remote == carrier.address

    def test_through_a_proxy_with_names_of_its_own(self) -> None:
        machine = Machine(
            trunk(proxy="198.51.100.9", domain="b.example", from_domain="a.example", user="me")
        )
        proxy = machine.carrier(tells(200), "198.51.100.9")
        machine.begin()
        request = proxy.take("OPTIONS")
        assert (request.uri, str(request.from_.uri)) == ("sip:b.example", "sip:me@a.example")
        assert request.get("Route") == "<sip:198.51.100.9;lr>"
        assert path(machine).route == ("<sip:198.51.100.9;lr>",)

    @pytest.mark.parametrize("status", [200, 401, 403, 404, 405, 481, 500, 501, 603])
    def test_any_answer_is_one(self, status: int) -> None:
        machine, _ = begun(tells(status))
        assert machine.state("peer").phase is Phase.UP

    def test_it_is_asked_again_and_again(self) -> None:
        machine, carrier = begun(tells(200), keep_alive_s=20.0)
        machine.advance(100)
        assert len(carrier.all()) == 6


class TestDeadAndAlive:
    def test_nobody_is_there_within_four_seconds(self) -> None:
        machine, carrier = begun(silent)
        # Not asked yet: the benefit of the doubt
        assert machine.state("peer").usable
        machine.advance(SILENCE_S - 0.1)
        assert machine.state("peer").usable
        machine.advance(0.1)
        assert (slug(machine), machine.state("peer").usable) == ("silent", False)
        # For an emergency call
        assert path(machine).flow.remote == carrier.address

    def test_one_that_dies_and_lives_again(self) -> None:
        machine, carrier = begun(tells(200))
        carrier.does = silent
        machine.advance(30 + SILENCE_S)
        assert not machine.state("peer").usable
        assert machine.lines.take_changed() == ["peer"]
        carrier.does = tells(200)
        machine.advance(DEAD_S)
        assert machine.state("peer").usable
        assert machine.lines.take_changed() == ["peer"]

    def test_a_late_answer_is_one(self) -> None:
        machine, carrier = begun(silent)
        machine.advance(SILENCE_S)
        carrier.does = tells(200)
        machine.advance(4)
        assert machine.state("peer").usable

    def test_a_provisional_one_too(self) -> None:
        machine, _ = begun(tells(100))
        machine.advance(10)
        assert machine.state("peer").usable
        machine.advance(22)
        assert slug(machine) == "silent"

    def test_it_is_out_of_order(self) -> None:
        machine, carrier = begun(tells(503, ("Retry-After", "60")))
        assert slug(machine) == "unavailable"
        carrier.does = tells(200)
        machine.advance(59)
        assert not machine.state("peer").usable
        machine.advance(1)
        assert machine.state("peer").usable

    def test_nobody_listens(self) -> None:
        machine = Machine(trunk())
        machine.unreachable.add(Address("198.51.100.2", 5060))
        machine.begin()
        assert slug(machine) == "unreachable"

    def test_the_next_address_has_its_turn(self) -> None:
        machine = Machine(trunk(server="pool.example"))
        machine.knows("pool.example", "198.51.100.2", "198.51.100.3")
        machine.carrier(silent, "198.51.100.2")
        second = machine.carrier(tells(200), "198.51.100.3")
        machine.begin()
        assert [one.remote.host for one in path(machine).others] == ["198.51.100.3"]
        machine.advance(SILENCE_S)
        assert machine.state("peer").phase is Phase.UP
        assert path(machine).flow.remote == second.address
        assert machine.hears("peer", "198.51.100.2")

    def test_a_connection_that_ends_is_made_again(self) -> None:
        machine, carrier = begun(tells(200), transport="tcp")
        carrier.take("OPTIONS")
        assert carrier.flow is not None
        machine.closes(carrier.flow)
        carrier.take("OPTIONS")
        assert path(machine).flow.connection == 2

    def test_our_address_changes(self) -> None:
        machine, carrier = begun(tells(200))
        carrier.take("OPTIONS")
        machine.moves("192.0.2.66")
        request = carrier.take("OPTIONS")
        assert request.get("Contact") == "<sip:peer@192.0.2.66:5060>"
        assert path(machine).flow.local.host == "192.0.2.66"

    def test_a_call_that_found_nobody(self) -> None:
        machine, carrier = begun(tells(200))
        carrier.does = silent
        machine.lines.unanswered("peer", machine.now)
        machine.pump()
        assert not machine.lines.usable("peer")
        assert len(carrier.all()) == 2
        carrier.does = tells(200)
        machine.advance(1)
        assert machine.lines.usable("peer")

    def test_another_one_meanwhile_changes_nothing(self) -> None:
        machine, carrier = begun(silent)
        carrier.take("OPTIONS")
        machine.lines.unanswered("peer", machine.now)
        machine.pump()
        assert carrier.all() == []

    def test_it_ends_without_a_word(self) -> None:
        for does in (tells(200), silent):
            machine, carrier = begun(does)
            carrier.asked.clear()
            machine.stop()
            machine.advance(100)
            assert machine.state("peer").phase is Phase.OFF
            assert machine.lines.next_timer() is None
            # What was sent before is only repeated.
            assert len(carrier.all()) <= 1


class TestNotAsked:
    @pytest.mark.parametrize("keep_alive", ["none", "crlf"])
    def test_it_is_usable_at_once(self, keep_alive: str) -> None:
        machine, carrier = begun(silent, keep_alive=keep_alive)
        machine.advance(3600)
        assert machine.state("peer").usable
        assert carrier.asked == []
        assert bool(carrier.pings) is (keep_alive == "crlf")

    def test_a_name_is_followed(self) -> None:
        machine = Machine(trunk(server="pool.example", keep_alive="none"))
        machine.knows("pool.example", "198.51.100.2")
        machine.begin()
        machine.knows("pool.example", "198.51.100.3")
        machine.advance(UNASKED_S)
        assert path(machine).flow.remote.host == "198.51.100.3"

    def test_a_call_that_found_nobody_keeps_the_others_away_for_a_while(self) -> None:
        machine, _ = begun(silent, keep_alive="none")
        machine.lines.unanswered("peer", machine.now)
        assert (slug(machine), machine.lines.usable("peer")) == ("silent", False)
        # Twice is no more.
        machine.lines.unanswered("peer", machine.now)
        machine.advance(UNASKED_S - 1)
        assert not machine.lines.usable("peer")
        machine.advance(1)
        assert machine.lines.usable("peer")
        assert slug(machine) == ""

    def test_no_such_name(self) -> None:
        machine = Machine(trunk(server="pool.example", keep_alive="none"))
        machine.begin()
        assert slug(machine) == "name"
        assert machine.lines.path("peer", machine.now) is None


class TestOtherOptions:
    def test_how_it_is_kept_alive(self) -> None:
        machine, carrier = begun(tells(200), keep_alive="none")
        machine.configure(trunk(keep_alive="options"))
        carrier.take("OPTIONS")
        machine.configure(trunk(keep_alive="crlf"))
        machine.advance(60)
        assert (len(carrier.pings), carrier.all()) == (2, [])
        machine.configure(trunk(keep_alive="none"))
        machine.advance(60)
        assert len(carrier.pings) == 2

    def test_it_becomes_an_external_line(self) -> None:
        machine, carrier = begun(tells(200))
        carrier.take("OPTIONS")
        machine.configure(trunk(kind="external-line", user="100"))
        carrier.take()
        assert machine.state("peer").registers


def test_a_server_that_answers_from_everywhere_is_not_remembered_for_ever() -> None:
    addresses = (f"10.0.{number // 256}.{number % 256}" for number in itertools.count())

    def does(carrier: Carrier, request: Request) -> Response:
        carrier.answers_from = Address(next(addresses), 5060)
        return response_to(request, 200, to_tag="theirs")

    machine, _ = begun(does, keep_alive_s=1.0)
    machine.advance(2 * MOST_HEARD)
    assert machine.hears("peer", "10.0.0.0")
    assert not machine.hears("peer", "10.0.0.150")
