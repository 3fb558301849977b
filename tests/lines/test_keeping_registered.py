"""What an external line does when something goes wrong, or changes."""

import itertools
from dataclasses import replace

import pytest

from pbx.lines.liveness import SILENCE_S
from pbx.lines.state import Phase
from pbx.sip.flow import Address
from pbx.sip.message import Request, Response
from pbx.sip.timers import TRANSACTION_LIMIT_S
from tests.lines.carrier import (
    HOME,
    LINE,
    Carrier,
    Does,
    Machine,
    begun,
    carrier_flow,
    granted,
    in_turn,
    line,
    path,
    path_or_none,
    registrar,
    silent,
    strict,
    tells,
)


class TestBackOff:
    """403, 503, 404 and silence: each has its own sentence and its own time."""

    @pytest.mark.parametrize(
        ("does", "slug", "least_s", "longest_s"),
        [
            (tells(403), "forbidden", 150, 300),
            (tells(404), "unknown-account", 150, 300),
            (tells(503), "unavailable", 15, 30),
            (tells(500), "unavailable", 15, 30),
            (tells(408), "unavailable", 15, 30),
            (tells(400, reason="Bad Contact"), "refused", 60, 120),
            (tells(603), "unavailable", 15, 30),
        ],
    )
    def test_what_is_said(self, does: Does, slug: str, least_s: float, longest_s: float) -> None:
        machine, carrier = begun(does)
        carrier.take()
        state = machine.state()
        assert state.trouble is not None
        assert (state.phase, state.usable, state.trouble.slug) == (Phase.DOWN, False, slug)
        assert state.next_try is not None
        assert least_s <= state.next_try - machine.now <= longest_s
        machine.advance(least_s - 1)
        assert carrier.all() == []
        machine.advance(longest_s - least_s + 1)
        assert len(carrier.all()) == 1

    def test_silence(self) -> None:
        machine, carrier = begun(silent)
        machine.advance(TRANSACTION_LIMIT_S - 1)
        assert machine.slug == ""
        machine.advance(1)
        assert machine.slug == "silent"
        wait_s = (machine.state().next_try or 0) - machine.now
        assert 15 <= wait_s <= 30
        carrier.asked.clear()
        machine.advance(wait_s)
        assert len(carrier.all()) == 1

    def test_nobody_listens(self) -> None:
        machine = Machine(LINE)
        machine.unreachable.add(Address("198.51.100.1", 5060))
        machine.begin()
        assert machine.slug == "unreachable"
        assert 5 <= (machine.state().next_try or 0) - machine.now <= 10

    def test_its_certificate_is_another_s(self) -> None:
        machine = Machine(LINE)
        machine.unreachable.add(Address("198.51.100.1", 5060))
        machine.why_unreachable = "no TLS with it: its certificate is good for a, not for b"
        machine.begin()
        trouble = machine.state().trouble
        assert trouble is not None
        assert trouble.sentence("telco") == (
            "Line telco: there is no TLS with udp 198.51.100.1:5060: "
            "its certificate is good for a, not for b."
        )
        assert 5 <= (machine.state().next_try or 0) - machine.now <= 10

    def test_it_doubles_and_ends_at_a_bound(self) -> None:
        machine, _ = begun(tells(503))
        waits = []
        for _ in range(8):
            next_try = machine.state().next_try
            assert next_try is not None
            waits.append(next_try - machine.now)
            machine.advance(waits[-1])
        assert all(
            bound / 2 <= wait <= bound
            for wait, bound in zip(waits, (30, 60, 120, 240, 480, 600, 600, 600), strict=True)
        )
        # By chance: not all lines at once
        assert len({wait / bound for wait, bound in zip(waits[5:], (600,) * 3, strict=True)}) == 3

    @pytest.mark.parametrize(("asked", "wait_s"), [("120", 120), ("999999 (never)", 3600)])
    def test_retry_after(self, asked: str, wait_s: float) -> None:
        machine, _ = begun(tells(503, ("Retry-After", asked)))
        assert machine.state().next_try == machine.now + wait_s

    def test_success_forgives(self) -> None:
        machine, carrier = begun(in_turn(tells(503), tells(503), registrar()))
        machine.advance(100)
        assert machine.state().usable
        carrier.does = tells(503)
        machine.advance(568)
        assert 15 <= (machine.state().next_try or 0) - machine.now <= 30

    def test_a_refresh_that_fails(self) -> None:
        machine, carrier = begun(registrar())
        since = machine.state().since
        carrier.does = silent
        machine.advance(568 + TRANSACTION_LIMIT_S - 1)
        # As long as the server has it, and it hasn't been found to be silent
        assert machine.state().usable
        assert machine.state().since == since
        machine.advance(1)
        assert not machine.state().usable
        assert machine.state().since == machine.now
        assert machine.state().expires is None
        carrier.does = registrar()
        machine.advance(30)
        assert machine.state().usable


class TestRestartOfTheServer:
    def test_by_udp_it_is_asked_again_in_time(self) -> None:
        machine, carrier = begun(registrar())
        machine.unreachable.add(carrier.address)
        machine.advance(568)
        assert machine.slug == "unreachable"
        machine.unreachable.clear()
        machine.advance(10)
        assert machine.state().usable

    def test_by_udp_at_once_where_a_sign_of_life_is_refused(self) -> None:
        """The server may come back without its registrations, long before the next refresh."""
        machine, carrier = begun(registrar(), keep_alive="crlf")
        carrier.take()
        machine.unreachable.add(carrier.address)
        machine.advance(30)
        assert machine.slug == "unreachable"
        machine.unreachable.clear()
        machine.advance(10)
        carrier.take()
        assert machine.state().usable

    def test_by_tcp_it_is_asked_at_once(self) -> None:
        machine, carrier = begun(registrar(), transport="tcp")
        carrier.take()
        machine.unreachable.add(carrier.address)
        machine.closes(carrier_flow(carrier))
        assert machine.slug == "unreachable"
        assert not machine.state().usable
        machine.unreachable.clear()
        machine.advance(10)
        carrier.take()
        assert machine.state().usable
        assert path(machine).flow.connection == 2

    def test_one_that_hangs_up_after_each_answer_is_asked_less_and_less(self) -> None:
        machine, carrier = begun(registrar(), transport="tcp")
        carrier.take()
        machine.closes(carrier_flow(carrier))
        carrier.take()  # Once, it may have been restarted
        waits = []
        for _ in range(8):
            machine.closes(carrier_flow(carrier))
            assert carrier.all() == []
            # It has registered us all the same, and takes calls by another connection.
            assert machine.state().usable
            waits.append((machine.state().next_try or 0) - machine.now)
            machine.advance(waits[-1])
            carrier.take()
        bounds = (10, 20, 40, 80, 160, 300, 300, 300)
        assert all(least / 2 <= wait <= least for wait, least in zip(waits, bounds, strict=True))

    def test_a_connection_that_lasts_forgives(self) -> None:
        machine, carrier = begun(registrar(), transport="tcp")
        for _ in range(3):
            machine.closes(carrier_flow(carrier))
        machine.advance(60)
        carrier.all()
        for _ in range(3):
            machine.advance(30)
            machine.closes(carrier_flow(carrier))
            carrier.take()

    def test_another_connection_is_no_matter(self) -> None:
        machine, carrier = begun(registrar(), transport="tcp")
        carrier.take()
        machine.closes(replace(carrier_flow(carrier), connection=99))
        assert carrier.all() == []


class TestAddresses:
    def test_a_new_one_is_registered_at_once_and_the_old_one_goes(self) -> None:
        machine, carrier = begun(registrar())
        carrier.take()
        machine.moves("192.0.2.66", "2001:db8::1")
        request = carrier.take()
        assert request.values("Contact") == [
            "<sip:100@192.0.2.66:5060>",
            "<sip:100@192.0.2.1:5060>;expires=0",
        ]
        assert request.via.host == "192.0.2.66"
        assert machine.state().usable
        machine.advance(568)
        assert carrier.take().values("Contact") == ["<sip:100@192.0.2.66:5060>"]

    def test_one_that_does_not_lead_to_the_server_changes_nothing(self) -> None:
        machine, carrier = begun(registrar())
        carrier.take()
        machine.moves(HOME, "192.0.2.67", "2001:db8::77")
        assert carrier.all() == []

    def test_no_network_and_then_one(self) -> None:
        machine, carrier = begun(registrar())
        carrier.take()
        machine.moves()
        assert machine.slug == "no-way"
        machine.moves(HOME)
        carrier.take()
        assert machine.state().usable

    def test_a_start_without_network(self) -> None:
        machine = Machine(LINE)
        machine.homes = []
        carrier = machine.carrier(registrar())
        machine.begin()
        assert machine.slug == "no-way"
        assert path_or_none(machine) is None
        machine.moves(HOME)
        carrier.take()

    def test_while_it_is_asked(self) -> None:
        machine, carrier = begun(silent)
        carrier.does = registrar()
        machine.moves("192.0.2.66")
        assert carrier.all()[-1].get("Contact") == "<sip:100@192.0.2.66:5060>"
        assert machine.state().usable


class TestOtherOptions:
    def test_those_that_the_carrier_never_hears_of(self) -> None:
        machine, carrier = begun(registrar())
        carrier.take()
        machine.configure(line(most=3, description="ours", codecs=("PCMA",)))
        assert carrier.all() == []
        assert machine.state().usable

    def test_another_time(self) -> None:
        machine, carrier = begun(registrar())
        first = carrier.take()
        machine.configure(line(expires_s=120))
        second = carrier.take()
        assert (second.get("Expires"), second.call_id) == ("120", first.call_id)

    def test_another_account_comes_when_the_old_one_has_gone(self) -> None:
        """Its Contact may be the same: signing off the old one must not take it away."""
        machine, carrier = begun(registrar())
        carrier.take()
        carrier.does = silent
        machine.configure(line(user="101"))
        assert carrier.take().get("Expires") == "0"
        assert machine.state().phase is Phase.OFF
        carrier.does = registrar()
        machine.advance(0.5)
        request = [one for one in carrier.all() if one.get("Expires") != "0"][0]
        assert str(request.to.uri) == "sip:101@198.51.100.1"
        assert machine.state().usable

    def test_it_is_changed_twice(self) -> None:
        machine, carrier = begun(registrar())
        carrier.does = silent
        machine.configure(line(user="101"))
        machine.configure(line(user="102"))
        carrier.does = registrar()
        machine.advance(10)
        assert machine.state().usable
        assert str(carrier.all()[-1].to.uri) == "sip:102@198.51.100.1"

    def test_it_is_removed_before_the_change_is_done(self) -> None:
        machine, carrier = begun(registrar())
        carrier.does = silent
        machine.configure(line(user="101"))
        machine.configure()
        carrier.does = registrar()
        carrier.asked.clear()
        machine.advance(10)
        assert {one.get("Expires") for one in carrier.all()} == {"0"}

    def test_it_is_told_that_something_has_changed(self) -> None:
        machine, carrier = begun(registrar())
        assert machine.lines.take_changed() == ["telco"]
        assert machine.lines.take_changed() == []
        machine.advance(568)
        assert machine.lines.take_changed() == []
        carrier.does = tells(403)
        machine.advance(568)
        assert machine.lines.take_changed() == ["telco"]
        machine.configure()
        assert machine.lines.take_changed() == ["telco"]


class TestKeptAlive:
    def test_by_crlf(self) -> None:
        machine, carrier = begun(registrar(), keep_alive="crlf", keep_alive_s=20.0)
        machine.advance(100)
        assert carrier.pings == [1020.0, 1040.0, 1060.0, 1080.0, 1100.0]

    def test_by_crlf_on_its_connection_and_no_other(self) -> None:
        machine, carrier = begun(registrar(), keep_alive="crlf", transport="tcp")
        machine.advance(30)
        assert len(carrier.pings) == 1
        carrier.does = silent
        machine.closes(carrier_flow(carrier))
        machine.advance(60)
        assert len(carrier.pings) == 1

    def test_by_options_which_tells_the_time_that_it_takes(self) -> None:
        def later(carrier: Carrier, request: Request) -> Response | None:
            if request.method == "REGISTER":
                return granted(request)
            times = next(asked)
            return tells(200 if times else 100)(carrier, request) if times != 1 else None

        asked = itertools.count(0)
        machine, carrier = begun(later, keep_alive="options")
        carrier.take()
        machine.advance(30)
        options = carrier.take("OPTIONS")
        assert str(options.from_.uri) == "sip:100@198.51.100.1"
        machine.advance(10)
        assert machine.state().usable
        assert machine.state().rtt_s == pytest.approx(5.0, abs=1.0)

    @pytest.mark.parametrize("status", [200, 404, 405, 501, 401])
    def test_whatever_it_answers_it_is_there(self, status: int) -> None:
        def does(carrier: Carrier, request: Request) -> Response | None:
            register = request.method == "REGISTER"
            return granted(request) if register else tells(status)(carrier, request)

        machine, carrier = begun(does, keep_alive="options")
        machine.advance(300)
        assert len(carrier.all()) == 11
        assert machine.state().usable

    def test_silence_is_found_within_four_seconds(self) -> None:
        machine, carrier = begun(registrar(), keep_alive="options")
        machine.advance(29)
        carrier.does = silent
        machine.advance(5)
        assert not machine.state().usable
        assert machine.state().phase is Phase.ASKING
        carrier.does = registrar()
        machine.advance(1)
        assert machine.state().usable

    def test_so_is_a_path_that_has_gone(self) -> None:
        machine, carrier = begun(registrar(), keep_alive="options")
        machine.unreachable.add(carrier.address)
        machine.advance(30)
        assert machine.slug == "unreachable"

    def test_it_ends_with_the_line(self) -> None:
        machine, carrier = begun(registrar(), keep_alive="options", keep_alive_s=5.0)
        machine.advance(5)
        carrier.does = silent
        machine.advance(5)
        machine.configure()
        carrier.asked.clear()
        machine.advance(60)
        assert {one.method for one in carrier.all()} <= {"REGISTER", "OPTIONS"}
        assert machine.lines.next_timer() is None


class TestCalls:
    def test_the_last_one_that_came_is_the_proof(self) -> None:
        machine, _ = begun(registrar())
        assert machine.state().last_incoming is None
        machine.advance(10)
        machine.lines.called("telco", machine.now)
        machine.lines.called("nobody", machine.now)
        assert machine.state().last_incoming == 1010.0
        machine.configure(line(user="101"))
        assert machine.state().last_incoming == 1010.0

    def test_one_that_found_nobody_has_the_server_asked(self) -> None:
        machine, carrier = begun(registrar())
        carrier.take()
        carrier.does = silent
        machine.lines.unanswered("telco", machine.now)
        machine.lines.unanswered("nobody", machine.now)
        machine.pump()
        assert len(carrier.all()) == 1
        assert not machine.lines.usable("telco")
        # An emergency call would be tried all the same.
        assert path(machine).flow.remote == carrier.address
        carrier.does = registrar()
        machine.advance(1)
        assert machine.lines.usable("telco")

    def test_what_took_a_datagram_is_not_asked_by_tcp(self) -> None:
        machine, _ = begun(registrar())
        assert path(machine).flow.only_way


HOSTILE = [
    [("Contact", "<sip:100@192.0.2.1:5060>;expires=-1")],
    [("Contact", "<sip:100@192.0.2.1:5060>;expires=4294967295")],
    [("Contact", "<sip:100@192.0.2.1:5060>;expires=99999999999999999999")],
    [("Contact", "*")],
    [("Contact", "<mailto:a@b>, <tel:+1>"), ("Expires", "x")],
    [("Service-Route", "<tel:+1>")],
    [("Service-Route", "<sip:no-port.example:0;lr>")],
    [("Service-Route", ""), ("P-Associated-URI", "")],
    [("Service-Route", "<sip:[::1]:5060;lr>, <sip:192.0.2.0>, <mailto:x@y>")],
    [("P-Associated-URI", '"' + "<sip:a@b>" * 50)],
    [("WWW-Authenticate", "Digest"), ("Retry-After", "-5")],
    [("Retry-After", "9" * 400), ("Min-Expires", "9" * 400)],
]


@pytest.mark.parametrize("status", [200, 300, 302, 401, 407, 423, 430, 503, 699])
@pytest.mark.parametrize("headers", HOSTILE)
def test_whatever_a_server_says_the_line_goes_on(
    status: int, headers: list[tuple[str, str]]
) -> None:
    machine, carrier = begun(tells(status, *headers))
    path_or_none(machine)
    machine.advance(4000)
    assert len(carrier.all()) < 400
    carrier.does = registrar()
    machine.configure(line(expires_s=300))
    assert machine.state().usable


def test_a_password_stands_nowhere() -> None:
    machine, _ = begun(strict(password="other"), password="hidden")
    state = machine.state()
    assert state.trouble is not None
    assert "hidden" not in repr(state) + state.trouble.english("telco")


def test_off() -> None:
    machine = Machine(line(enabled=False))
    machine.begin()
    state = machine.state()
    assert (state.phase, state.usable) == (Phase.OFF, False)
    assert machine.lines.states() == [state]
    with pytest.raises(KeyError):
        machine.lines.state("nobody")


def test_silence_is_found_however_often_it_is_asked() -> None:
    """Each OPTIONS put off the end of the one before."""
    takes = registrar()

    def does(carrier: Carrier, request: Request) -> Response | None:
        return takes(carrier, request) if request.method == "REGISTER" else None

    machine, carrier = begun(does, keep_alive="options", keep_alive_s=2.0)
    carrier.take()
    machine.advance(2 + SILENCE_S)
    assert [one.method for one in carrier.all()] == ["OPTIONS", "REGISTER"]
