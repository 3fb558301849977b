"""Where a line's server is (RFC 3263), and what DNS can do to it."""

from typing import Any

import msgspec
import pytest

from pbx.config.line import Line
from pbx.lines.server import hop_of
from pbx.lines.state import Phase
from pbx.sip.failover import PATIENCE_S
from pbx.sip.flow import Address
from pbx.sip.locate import Kind, Naptr, Question, Srv
from tests.lines.carrier import LINE, TRUNK, Machine, registrar, silent, tells

NAMED = msgspec.structs.replace(LINE, server="telco.example")


def named(**options: Any) -> Line:
    return msgspec.structs.replace(NAMED, **options)


def srv(machine: Machine, *targets: tuple[int, str], transport: str = "udp") -> None:
    """Let DNS know these servers of telco.example: priority and name."""
    prefix = "_sips._tcp" if transport == "tls" else f"_sip._{transport}"
    records = tuple(Srv(priority, 0, 5060, name) for priority, name in targets)
    machine.names[Question(Kind.SRV, f"{prefix}.telco.example")] = records


def two(machine: Machine, one: Any = None, other: Any = None) -> tuple[Any, ...]:
    """Two servers of telco.example, the first one preferred."""
    srv(machine, (1, "a.telco.example"), (2, "b.telco.example"))
    machine.knows("a.telco.example", "198.51.100.1")
    machine.knows("b.telco.example", "198.51.100.2")
    return (
        machine.carrier(one or registrar()),
        machine.carrier(other or registrar(), "198.51.100.2"),
    )


def where(machine: Machine) -> Address | None:
    path = machine.lines.path("telco", machine.now)
    return path.flow.remote if path is not None else None


class TestRfc3263Section4:
    def test_by_address_alone(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1")
        carrier = machine.carrier(registrar())
        machine.begin()
        assert carrier.take().uri == "sip:telco.example"
        assert machine.state().usable

    def test_by_naptr_and_srv_where_the_name_has_no_address(self) -> None:
        """As with Deutsche Telekom."""
        machine = Machine(NAMED)
        machine.names[Question(Kind.NAPTR, "telco.example")] = (
            Naptr(1, 1, "s", "SIP+D2T", "_sip._tcp.telco.example"),
            Naptr(2, 1, "s", "SIP+D2U", "_sip._udp.telco.example"),
        )
        srv(machine, (1, "b.telco.example"), transport="tcp")
        machine.knows("b.telco.example", "198.51.100.2")
        carrier = machine.carrier(registrar(), "198.51.100.2")
        machine.begin()
        assert carrier.take().via.transport == "TCP"

    def test_by_naptr_that_leads_to_tls_alone(self) -> None:
        machine = Machine(NAMED)
        machine.names[Question(Kind.NAPTR, "telco.example")] = (
            Naptr(1, 1, "s", "SIPS+D2T", "_sips._tcp.telco.example"),
        )
        srv(machine, (1, "b.telco.example"), transport="tls")
        machine.knows("b.telco.example", "198.51.100.2")
        carrier = machine.carrier(registrar(), "198.51.100.2")
        machine.begin()
        request = carrier.take()
        assert request.via.transport == "TLS"
        assert request.get("Contact") == "<sip:100@192.0.2.1:5061;transport=tls>"
        assert carrier.flow is not None
        # RFC 5922 §4: DNS must not say who the peer has to be
        assert carrier.flow.name == "telco.example"
        assert machine.state().usable

    def test_where_there_is_no_tls_the_rest_is_left(self) -> None:
        machine = Machine(NAMED)
        machine.names[Question(Kind.NAPTR, "telco.example")] = (
            Naptr(1, 1, "s", "SIPS+D2T", "_sips._tcp.telco.example"),
            Naptr(2, 1, "s", "SIP+D2U", "_sip._udp.telco.example"),
        )
        srv(machine, (1, "b.telco.example"), transport="tls")
        srv(machine, (1, "c.telco.example"))
        machine.knows("b.telco.example", "198.51.100.2")
        machine.knows("c.telco.example", "198.51.100.3")
        machine.unreachable.add(Address("198.51.100.2", 5060))
        carrier = machine.carrier(registrar(), "198.51.100.3")
        machine.begin()
        assert carrier.take().via.transport == "UDP"
        assert machine.state().usable

    def test_tls_by_its_own_srv_and_the_peer_proves_the_domain(self) -> None:
        machine = Machine(named(transport="tls"))
        srv(machine, (1, "b.telco.example"), transport="tls")
        machine.knows("b.telco.example", "198.51.100.2")
        carrier = machine.carrier(registrar(), "198.51.100.2")
        machine.begin()
        carrier.take()
        assert carrier.flow is not None
        # RFC 5922 §4
        assert (carrier.flow.transport, carrier.flow.name) == ("tls", "telco.example")

    def test_ipv6_where_there_is_nothing_else(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "2001:db8::5", kind=Kind.AAAA)
        machine.carrier(registrar(), "2001:db8::5")
        machine.begin()
        assert machine.state().usable


class TestStickiness:
    def test_calls_go_to_the_server_that_took_the_register(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine, tells(503))
        machine.begin()
        first.take()
        second.take()
        assert where(machine) == second.address
        # And so does the refresh, though the other one is preferred.
        first.does = registrar()
        machine.advance(568)
        assert (first.all(), len(second.all())) == ([], 1)

    def test_a_server_that_dns_no_longer_names_is_left(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1")
        first = machine.carrier(registrar())
        second = machine.carrier(registrar(), "198.51.100.2")
        machine.begin()
        first.take()
        machine.knows("telco.example", "198.51.100.2")
        machine.advance(568)
        second.take()
        assert (first.all(), where(machine)) == ([], second.address)

    def test_one_that_it_names_in_another_order_is_not(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1", "198.51.100.2")
        first = machine.carrier(registrar())
        second = machine.carrier(registrar(), "198.51.100.2")
        machine.begin()
        machine.knows("telco.example", "198.51.100.2", "198.51.100.1")
        machine.advance(568)
        assert (len(first.all()), second.all()) == (2, [])


class TestFailover:
    @pytest.mark.parametrize("does", [tells(503), tells(430)])
    def test_a_server_out_of_order(self, does: Any) -> None:
        machine = Machine(NAMED)
        two(machine, does)
        machine.begin()
        assert machine.state().usable

    def test_a_dead_one_costs_little_time(self) -> None:
        machine = Machine(NAMED)
        two(machine, silent)
        machine.begin()
        machine.advance(PATIENCE_S)
        assert machine.state().usable
        assert where(machine) == Address("198.51.100.2", 5060)

    def test_what_it_says_late_counts(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine, silent, silent)
        machine.begin()
        machine.advance(PATIENCE_S)
        assert len(second.all()) == 1
        first.does = registrar()
        machine.advance(4)
        assert machine.state().usable
        assert where(machine) == first.address

    def test_but_not_when_another_one_has_said_yes(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine, silent, registrar())
        machine.begin()
        machine.advance(PATIENCE_S)
        assert where(machine) == second.address
        first.does = registrar(expires_s=3600)
        machine.advance(10)
        assert where(machine) == second.address
        assert machine.state().expires == 1000.0 + PATIENCE_S + 600

    def test_unless_it_is_a_no(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine, silent, silent)
        machine.begin()
        machine.advance(PATIENCE_S)
        first.does = tells(403)
        machine.advance(4)
        assert machine.state().phase is Phase.ASKING
        second.does = registrar()
        machine.advance(4)
        assert where(machine) == second.address

    def test_nobody_is_there(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine, silent, silent)
        machine.begin()
        # Each has had its turn, and the next try is some time away, whatever the dice say
        machine.advance(2 * PATIENCE_S + 1)
        assert machine.slug == "silent"
        assert len(first.all()) == len(second.all()) == 1

    def test_a_refusal_is_the_same_everywhere(self) -> None:
        machine = Machine(NAMED)
        _, second = two(machine, tells(403))
        machine.begin()
        assert machine.slug == "forbidden"
        assert second.all() == []

    def test_both_refuse_connections(self) -> None:
        machine = Machine(NAMED)
        first, second = two(machine)
        machine.unreachable.update((first.address, second.address))
        machine.begin()
        assert machine.slug == "unreachable"


class TestDnsFails:
    def test_from_the_beginning(self) -> None:
        machine = Machine(NAMED)
        machine.begin()
        assert machine.slug == "name"
        state = machine.state()
        assert state.trouble is not None
        assert "telco.example" in state.trouble.english("telco")
        assert 5 <= (state.next_try or 0) - machine.now <= 10
        machine.knows("telco.example", "198.51.100.1")
        machine.carrier(registrar())
        machine.advance(40)
        assert machine.state().usable

    def test_later_the_known_address_will_do(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1")
        carrier = machine.carrier(registrar())
        machine.begin()
        carrier.take()
        machine.names.clear()
        machine.advance(568)
        carrier.take()
        assert machine.state().usable

    def test_but_not_without_a_network(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1")
        machine.carrier(registrar())
        machine.begin()
        machine.names.clear()
        machine.advance(60)
        machine.moves("2001:db8::1")
        assert machine.slug == "name"
        assert where(machine) is None

    def test_a_stall_touches_no_other_line(self) -> None:
        other = msgspec.structs.replace(LINE, name="other", server="198.51.100.2")
        machine = Machine(NAMED, other, msgspec.structs.replace(TRUNK, server="198.51.100.3"))
        machine.carrier(registrar(), "198.51.100.2")
        machine.carrier(tells(200), "198.51.100.3")
        machine.dns_answers = False
        machine.begin()
        machine.advance(3600)
        assert machine.state("telco").phase is Phase.LOCATING
        assert machine.state("other").usable
        assert machine.state("peer").usable
        # Asked once, as long as the answer is open
        assert len(set(machine.unanswered)) == len(machine.unanswered)
        machine.names.update({Question(Kind.A, "telco.example"): ("198.51.100.1",)})
        machine.carrier(registrar())
        machine.dns_answers = True
        machine.pump()
        assert machine.state("telco").usable

    def test_a_stall_of_the_refresh_keeps_the_registration(self) -> None:
        machine = Machine(NAMED)
        machine.knows("telco.example", "198.51.100.1")
        machine.carrier(registrar())
        machine.begin()
        machine.dns_answers = False
        machine.advance(570)
        assert machine.state().phase is Phase.LOCATING
        assert machine.state().usable

    def test_the_line_is_removed_meanwhile(self) -> None:
        machine = Machine(NAMED)
        machine.dns_answers = False
        machine.begin()
        machine.configure()
        machine.dns_answers = True
        machine.pump()
        assert machine.lines.next_timer() is None


class TestNames:
    @pytest.mark.parametrize("text", ["no host", "user@telco.example", "a..b", "host:99999", ""])
    def test_what_is_none(self, text: str) -> None:
        assert hop_of(text, "") is None

    def test_a_line_with_one_is_told_so(self) -> None:
        machine = Machine(named(server="no host"))
        machine.begin()
        assert machine.slug == "name"

    @pytest.mark.parametrize("text", ["a.example:5070", "[2001:db8::1]:5070", "192.0.2.1"])
    def test_what_is_one(self, text: str) -> None:
        assert str(hop_of(text, "tcp")) == f"sip:{text};transport=tcp"

    def test_ipv6_without_brackets(self) -> None:
        assert str(hop_of("2001:db8::1", "")) == "sip:[2001:db8::1]"


class TestPeers:
    def peers(self, *texts: str) -> Machine:
        machine = Machine(msgspec.structs.replace(TRUNK, peers=texts, keep_alive="none"))
        machine.knows("sbc.example", "203.0.113.5", "203.0.113.6")
        machine.names[Question(Kind.SRV, "_sip._udp.pool.example")] = (
            Srv(1, 1, 5060, "sbc.example"),
        )
        machine.knows("six.example", "2001:db8::77", kind=Kind.AAAA)
        machine.begin()
        return machine

    @pytest.mark.parametrize(
        ("text", "host", "is_one"),
        [
            ("", "198.51.100.2", True),
            ("", "198.51.100.3", False),
            ("203.0.113.0/24", "203.0.113.9", True),
            ("203.0.113.0/24", "203.0.114.9", False),
            ("203.0.113.9/24", "203.0.113.7", True),
            ("203.0.113.9", "203.0.113.9", True),
            ("[2001:db8::/32]", "2001:db8::9", True),
            ("sbc.example", "203.0.113.6", True),
            ("pool.example", "203.0.113.5", True),
            ("sbc.example", "203.0.113.7", False),
            ("six.example", "2001:db8::77", True),
            ("no host", "203.0.113.7", False),
            ("203.0.113.9", "not.numeric", False),
        ],
    )
    def test_whose_requests_are_its_own(self, text: str, host: str, is_one: bool) -> None:
        machine = self.peers(*filter(None, [text]))
        assert machine.hears("peer", host) is is_one

    def test_names_are_looked_up_again_and_what_dns_forgets_stays(self) -> None:
        machine = self.peers("sbc.example")
        machine.knows("sbc.example", "203.0.113.7")
        machine.advance(61)
        assert machine.hears("peer", "203.0.113.7")
        machine.names.clear()
        machine.advance(61)
        assert machine.hears("peer", "203.0.113.7")
        machine.configure()
        machine.advance(61)
        assert machine.lines.next_timer() is None

    def test_they_are_changed(self) -> None:
        machine = self.peers("sbc.example")
        machine.configure(msgspec.structs.replace(TRUNK, peers=("10.0.0.1",), keep_alive="none"))
        assert machine.hears("peer", "10.0.0.1")
        assert not machine.hears("peer", "203.0.113.5")
