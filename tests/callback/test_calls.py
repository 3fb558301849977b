"""The calls of a call-back, on a fake clock: who is rung when, what is told, what is recorded."""

import msgspec
import pytest

from pbx.call.facts import CallFacts
from pbx.cdr.record import entry_of, records_of
from pbx.config.callback import CallBackSettings
from pbx.config.dial_plan import AnalyzeCalled, DialPlan, PlanBasics, Route
from pbx.config.settings import CallSettings
from pbx.media.protocol import Record
from pbx.sip.message import Request
from tests.call.office import Office
from tests.call.phone import Phone
from tests.call.telco import LINE, OTHER, TRUNK, telco
from tests.call.transferring import answers, causes
from tests.callback.server import Server

Pair = tuple[tuple[Phone, Request], tuple[Phone, Request]]

REQUEST = "REQUEST: id=7,called1=100,called2=101"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def server(office: Office) -> Server:
    return Server(office)


def talks(office: Office, server: Server, request: str = REQUEST) -> Pair:
    """100 and 101 have been called back, and talk; each with the INVITE that it got."""
    alice, bob = office.phone("100"), office.phone("101")
    server.says(request)
    assert server.hears("ACK") == {"id": "7", "result": "0"}
    to_alice = alice.hears("INVITE")
    alice.respond(to_alice, 180, "Ringing")
    office.advance(2)
    assert not bob.inbox
    answers(alice, to_alice)
    to_bob = bob.hears("INVITE")
    bob.respond(to_bob, 180, "Ringing")
    office.advance(4)
    answers(bob, to_bob)
    answers(alice, alice.hears("INVITE"))
    return (alice, to_alice), (bob, to_bob)


def by_id(office: Office) -> tuple[CallFacts, CallFacts]:
    """The first and the second call, both of which have ended."""
    first, second = sorted(office.ended, key=lambda facts: facts.setup)
    return first, second


def nothing_left(office: Office, server: Server, *phones: Phone) -> None:
    for phone in phones:
        phone.inbox.clear()
    server.passes(200)
    office.assert_empty()
    assert server.service.open == 0
    assert server.service.next_timer() is None


class TestT8_6:
    """First the first party, then the second one, then both."""

    def test_both_talk_and_the_second_party_hangs_up(self, office: Office, server: Server) -> None:
        (alice, _), (bob, invited) = talks(office, server)
        first, second = office.exchange.calls.values()
        ports = {leg.number: leg.media.sound_port for leg in second.legs}
        assert office.running()[ports["100"]].sink == ports["101"]
        assert office.running()[ports["101"]].sink == ports["100"]
        assert (first.facts.state, second.facts.state) == ("talking", "talking")
        office.advance(60.7)
        bob.within(invited, "BYE", 2)
        alice.respond(alice.hears("BYE"), 200)
        told = server.hears("RESPONSE")
        assert (told["id"], told["result"], told["releasedby"]) == ("7", "0", "callee")
        assert (told["cause1"], told["cause2"]) == ("16", "16")
        # Whole seconds, of both and from the first one's answer
        assert (told["duration"], told["duration1"]) == ("60", "64")
        assert told["start"] < told["answer1"] < told["answer2"] < told["end"]
        assert told["reason"] == "callee-hung-up"
        nothing_left(office, server, bob)

    @pytest.mark.parametrize("number", ["100", "101"])
    def test_the_second_call_is_recorded_where_that_is_wanted(
        self, office: Office, server: Server, number: str
    ) -> None:
        office.change_user(number, record="all")
        (alice, invited), _ = talks(office, server)
        (record,) = (one for one in office.media if isinstance(one, Record))
        assert "_100_101_" in record.path
        alice.within(invited, "BYE", 2)
        first, second = by_id(office)
        assert first.recordings == ()
        assert second.recordings == (record.path.removeprefix("record/"),)

    def test_each_call_has_a_record(self, office: Office, server: Server) -> None:
        (alice, invited), _ = talks(office, server, f"{REQUEST},caller1=5551,caller2=5552")
        alice.within(invited, "BYE", 2)
        first, second = by_id(office)
        assert (first.caller_number, first.dialed_number, first.called_number) == (
            "5551",
            "100",
            "100",
        )
        assert (second.caller_number, second.dialed_number) == ("100", "101")
        assert first.route.startswith("call-back 7, first call; ")
        assert second.route.startswith("call-back 7, second call; ")
        assert None not in (first.alert, first.talk, second.alert, second.talk)
        assert (first.codec, second.codec) == ("PCMA", "PCMA")
        # Who hangs up is the first call's called party, and the second one's caller
        tags = [facts.cause.tag.name for facts in (first, second) if facts.cause is not None]
        assert tags == ["CALLEE_HUNG_UP", "CALLER_HUNG_UP"]
        sides = [
            record.cdr_type
            for facts in (first, second)
            if facts.cause is not None and facts.release is not None
            for record in records_of(entry_of(facts, 0.0), facts.cause, facts.release, ("LO", "OO"))
        ]
        assert sides == ["OO", "LO"]

    def test_what_each_party_is_shown(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        server.says(REQUEST)
        invite = alice.hears("INVITE")
        assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
        answers(alice, invite)
        # Whom it is going to talk with
        assert bob.hears("INVITE").from_.uri.user == "100"  # type: ignore[union-attr]

    def test_the_callers_numbers_of_the_request(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        server.settings = CallBackSettings(caller="999")
        server.says(REQUEST)
        assert alice.hears("INVITE").from_.uri.user == "999"  # type: ignore[union-attr]
        server.says("CANCEL: id=7")
        alice.inbox.clear()
        server.says("REQUEST: id=8,called1=100,called2=101,caller1=5551,caller2=anonymous")
        invite = alice.hears("INVITE")
        assert invite.from_.uri.user == "5551"  # type: ignore[union-attr]
        answers(alice, invite)
        assert str(bob.hears("INVITE").from_.uri) == "sip:anonymous@anonymous.invalid"

    def test_the_ringing_tone_meanwhile(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        server.says(REQUEST)
        answers(alice, alice.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), 180, "Ringing")
        assert [type(one).__name__ for one in office.media].count("Play") == 1
        office.assert_private()

    def test_several_phones_of_the_first_party(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        mobile = office.phone("100", "192.0.2.110")
        server.says(REQUEST)
        first, second = alice.hears("INVITE"), mobile.hears("INVITE")
        alice.respond(first, 180, "Ringing")
        answers(mobile, second)
        alice.respond(alice.hears("CANCEL"), 200)
        # A 6xx for a lost race is no end of the call
        alice.respond(first, 603)
        answers(bob, bob.hears("INVITE"))
        answers(mobile, mobile.hears("INVITE"))
        assert [call.facts.state for call in office.exchange.calls.values()] == ["talking"] * 2
        office.advance(60)
        mobile.within(second, "BYE", 2)
        assert server.hears("ACK")["result"] == "0"
        assert server.hears("RESPONSE")["releasedby"] == "caller"

    def test_a_service_as_the_second_party(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says("REQUEST: id=7,called1=100,called2=*43")
        answers(alice, alice.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        first, second = office.exchange.calls.values()
        assert second.facts.dialed_number == "*43"
        assert second.facts.state == "talking"
        office.advance(10)
        office.exchange.hang_up(first.facts.id, office.now)
        office.pump()
        assert server.hears("ACK")["result"] == "0"
        told = server.hears("RESPONSE")
        assert (told["result"], told["releasedby"]) == ("0", "server")
        alice.inbox.clear()
        nothing_left(office, server, alice)


class TestWhatGoesWrong:
    def test_the_first_party_is_busy(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says(REQUEST)
        assert server.hears("ACK")["result"] == "0"
        alice.respond(alice.hears("INVITE"), 486, "Busy Here")
        told = server.hears("RESPONSE")
        assert (told["result"], told["cause1"], told["releasedby"]) == ("11", "17", "caller")
        assert (told["duration"], told["duration1"]) == ("0", "0")
        assert "cause2" not in told
        assert "answer1" not in told
        assert causes(office) == ["CALLEE_REJECTED"]
        nothing_left(office, server, alice)

    def test_the_second_party_is_busy(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        server.says(REQUEST)
        answers(alice, alice.hears("INVITE"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        office.advance(4)
        bob.respond(invite, 486, "Busy Here")
        bye = alice.hears("BYE")
        assert "cause=17" in (bye.get("Reason") or "")
        alice.respond(bye, 200)
        server.hears("ACK")
        told = server.hears("RESPONSE")
        assert (told["result"], told["cause2"], told["releasedby"]) == ("12", "17", "callee")
        assert (told["duration"], told["duration1"]) == ("0", "4")
        assert causes(office) == ["CALLEE_REJECTED", "CALLER_HUNG_UP"]
        nothing_left(office, server, alice, bob)

    def test_the_first_party_gives_up(self, office: Office, server: Server) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        server.says(REQUEST)
        invited = alice.hears("INVITE")
        answers(alice, invited)
        bob.respond(bob.hears("INVITE"), 180, "Ringing")
        alice.within(invited, "BYE", 2)
        bob.respond(bob.hears("CANCEL"), 200)
        server.hears("ACK")
        told = server.hears("RESPONSE")
        assert (told["result"], told["releasedby"]) == ("12", "caller")

    def test_who_sends_the_call_elsewhere(self, office: Office, server: Server) -> None:
        """The second party is followed; the first one is the one that is wanted, and isn't."""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        contact = "Contact: <sip:102@192.0.2.1>"
        server.says(REQUEST)
        server.hears("ACK")
        answers(alice, alice.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), 302, headers=contact)
        answers(carol, carol.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        server.says("CANCEL: id=7")
        server.hears("ACK")
        assert server.hears("RESPONSE")["result"] == "0"
        alice.inbox.clear()
        carol.inbox.clear()
        server.says("REQUEST: id=8,called1=100,called2=101")
        server.hears("ACK")
        alice.respond(alice.hears("INVITE"), 302, headers=contact)
        assert server.hears("RESPONSE")["result"] == "11"
        assert not carol.inbox

    def test_nobody_answers(self, office: Office, server: Server) -> None:
        """By the request's own time, for each of both."""
        alice, bob = office.phone("100"), office.phone("101")
        server.says(f"{REQUEST},timeout=20")
        server.hears("ACK")
        invite = alice.hears("INVITE")
        alice.respond(invite, 180, "Ringing")
        server.passes(19)
        assert server.quiet()
        answers(alice, invite)
        bob.respond(bob.hears("INVITE"), 180, "Ringing")
        server.passes(19)
        assert server.quiet()
        server.passes(2)
        told = server.hears("RESPONSE")
        assert (told["result"], told["reason"], told["cause2"]) == ("12", "no-answer", "19")

    def test_the_first_party_doesn_t_answer(self, office: Office, server: Server) -> None:
        office.phone("100").inbox.clear()
        server.says(f"{REQUEST},timeout=20")
        server.hears("ACK")
        server.passes(21)
        assert server.hears("RESPONSE")["reason"] == "no-answer"

    def test_the_longest_time(self, office: Office, server: Server) -> None:
        """From the first party's answer, as miniSIPServer's manual has it."""
        talks(office, server, f"{REQUEST},maxduration=30")
        server.passes(25)
        assert server.quiet()
        server.passes(2)
        told = server.hears("RESPONSE")
        assert (told["result"], told["reason"], told["releasedby"]) == (
            "0",
            "max-duration",
            "server",
        )
        assert (told["duration"], told["duration1"]) == ("26", "30")

    def test_the_application_server_cancels_at_once(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says(REQUEST)
        invite = alice.hears("INVITE")
        alice.respond(invite, 180, "Ringing")
        server.hears("ACK")
        server.says("CANCEL: id=7")
        alice.respond(alice.hears("CANCEL"), 200)
        assert server.hears("ACK") == {"id": "7", "result": "0"}
        told = server.hears("RESPONSE")
        assert (told["result"], told["releasedby"]) == ("13", "as")
        assert causes(office) == ["APPLICATION_SERVER"]
        # Once more changes nothing
        server.says("CANCEL: id=7")
        assert server.hears("ACK")["result"] == "0"
        assert server.quiet()
        alice.respond(invite, 487)
        nothing_left(office, server, alice)

    def test_the_application_server_ends_the_talk(self, office: Office, server: Server) -> None:
        (alice, _), (bob, _) = talks(office, server)
        server.says("CANCEL: id=7")
        alice.hears("BYE")
        bob.hears("BYE")
        assert server.hears("ACK")["result"] == "0"
        told = server.hears("RESPONSE")
        assert (told["result"], told["releasedby"]) == ("0", "as")
        assert causes(office) == ["APPLICATION_SERVER"] * 2

    @pytest.mark.parametrize(
        ("called", "reason"),
        [("102", "not-registered"), ("777", "no-route"), ("*43", "no-route")],
    )
    def test_a_first_number_that_leads_nowhere(
        self, office: Office, server: Server, called: str, reason: str
    ) -> None:
        """That is told at once; there is no RESPONSE."""
        server.says(f"REQUEST: id=7,called1={called},called2=101")
        assert server.hears("ACK") == {"id": "7", "result": "4", "reason": reason}
        assert server.quiet()
        (facts,) = office.ended
        assert facts.dialed_number == called
        # A repeated one neither tries nor records again
        server.says(f"REQUEST: id=7,called1={called},called2=101")
        assert server.hears("ACK")["result"] == "4"
        assert len(office.ended) == 1
        nothing_left(office, server)

    def test_a_second_number_that_leads_nowhere(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says("REQUEST: id=7,called1=100,called2=777")
        server.hears("ACK")
        answers(alice, alice.hears("INVITE"))
        alice.hears("BYE")
        told = server.hears("RESPONSE")
        assert (told["result"], told["cause2"], told["reason"]) == ("12", "1", "no-route")
        assert causes(office) == ["NO_ROUTE", "NO_ROUTE"]

    def test_without_a_media_engine(self) -> None:
        office = Office(engine=False)
        server = Server(office)
        office.phone("100")
        server.says(REQUEST)
        assert server.hears("ACK")["reason"] == "limit"

    def test_the_exchange_stops(self, office: Office, server: Server) -> None:
        talks(office, server)
        office.exchange.stop(office.now)
        office.pump()
        assert server.hears("RESPONSE")["reason"] == "server-stopped"

    def test_a_first_party_without_a_session(self, office: Office, server: Server) -> None:
        alice = office.phone("100")
        server.says(REQUEST)
        server.hears("ACK")
        alice.respond(alice.hears("INVITE"), 200, "OK")
        office.advance(1)
        told = server.hears("RESPONSE")
        assert told["result"] == "11"
        alice.inbox.clear()
        nothing_left(office, server, alice)


class TestT8_5:
    """The normal dial plan, and no prefix of ours."""

    def test_both_kinds_in_one_request(self, office: Office, server: Server) -> None:
        carrier, bob = telco(office, LINE), office.phone("101")
        office.configure(LINE)
        carrier.inbox.clear()
        server.says("REQUEST: id=7,called1=9030123456,called2=101")
        invite = carrier.hears("INVITE")
        assert "030123456@" in invite.uri
        assert "9030123456" not in invite.uri
        answers(carrier, invite)
        answers(bob, bob.hears("INVITE"))
        answers(carrier, carrier.hears("INVITE"))
        first, second = office.exchange.calls.values()
        assert (first.facts.called_line, second.facts.caller_line) == ("telco", "telco")
        assert "by line telco" in first.facts.route

    def test_without_the_prefix_it_is_a_local_number(self, office: Office, server: Server) -> None:
        telco(office, LINE)
        office.configure(LINE, plan=DialPlan())
        server.says("REQUEST: id=7,called1=030123456,called2=101")
        assert server.hears("ACK")["reason"] == "no-route"

    def test_the_second_party_outside(self, office: Office, server: Server) -> None:
        carrier, alice = telco(office, LINE), office.phone("100")
        office.configure(LINE)
        carrier.inbox.clear()
        server.says("REQUEST: id=7,called1=100,called2=9030123456")
        answers(alice, alice.hears("INVITE"))
        answers(carrier, carrier.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        assert [call.facts.state for call in office.exchange.calls.values()] == [
            "talking",
            "talking",
        ]

    def test_call_levels_count(self, office: Office, server: Server) -> None:
        plan = DialPlan(analyze_called=(AnalyzeCalled(prefix="00", level=2),))
        carrier = telco(office, LINE)
        office.configure(LINE, plan=plan)
        carrier.inbox.clear()
        server.says("REQUEST: id=7,called1=900441234,called2=101")
        assert server.hears("ACK") == {"id": "7", "result": "4", "reason": "no-right"}
        server.settings = CallBackSettings(call_level=2)
        server.says("REQUEST: id=8,called1=900441234,called2=101")
        assert server.hears("ACK")["result"] == "0"
        carrier.hears("INVITE")

    def test_the_next_line_where_one_can_t(self, office: Office, server: Server) -> None:
        one, other, bob = telco(office, TRUNK), telco(office, OTHER), office.phone("101")
        plan = DialPlan(
            basics=PlanBasics(default_route="out"),
            routes=(Route(name="out", lines=("peer", "second")),),
        )
        office.configure(TRUNK, OTHER, plan=plan)
        server.says("REQUEST: id=7,called1=9030123456,called2=101")
        one.respond(one.hears("INVITE"), 503)
        answers(other, other.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        first, *_ = office.exchange.calls.values()
        assert first.facts.called_line == "second"
        assert "it says 503" in first.facts.route

    def test_a_full_line(self, office: Office, server: Server) -> None:
        """A first party outside counts as a call that has gone out, after its answer too."""
        peer = telco(office, msgspec.structs.replace(TRUNK, most_outgoing=1))
        office.phone("101")
        server.says("REQUEST: id=7,called1=9030123456,called2=101")
        server.hears("ACK")
        server.says("REQUEST: id=8,called1=9030123457,called2=101")
        assert server.hears("ACK")["reason"] == "line-full"
        answers(peer, peer.hears("INVITE"))
        assert office.exchange.capacity.of_line("peer") == (0, 1)
        server.says("REQUEST: id=9,called1=9030123457,called2=101")
        assert server.hears("ACK")["reason"] == "line-full"


class TestTheUsualLimits:
    def test_the_longest_call_of_all(self) -> None:
        office = Office(CallSettings(max_duration_s=10.0))
        server = Server(office)
        talks(office, server)
        server.passes(11)
        assert server.hears("RESPONSE")["reason"] == "max-duration"

    def test_who_has_calls_enough_isn_t_called(self, office: Office, server: Server) -> None:
        office.phone("100")
        office.change_user("100", most_calls=0)
        server.says(REQUEST)
        assert server.hears("ACK")["reason"] == "user-full"
