"""What a refusal by the called phone becomes: T7 of miniSIPServer, RFC 3261 §16.7, §21, RFC 3398."""

import pytest

from pbx.call.cause import CallTag, by_hang_up, by_response, by_server, forgotten
from pbx.call.events import Ended
from pbx.call.facts import CallFacts
from tests.call.office import Office


class TestRfc3261Section21:
    """Only what speaks of the called party is passed on to the caller."""

    @pytest.mark.parametrize(
        ("status", "told", "q850"),
        [
            (404, 404, 1),
            (480, 480, 18),
            (486, 486, 17),
            (488, 488, 65),
            (600, 600, 17),
            (603, 603, 21),
            # Moved: nobody follows yet
            (302, 480, 23),
            (305, 480, 23),
            # It asks for our password, which we don't have
            (401, 403, 21),
            (407, 403, 21),
            # It speaks of the way to it, which a person may mend
            (482, 482, 25),
            (483, 483, 25),
            # It speaks of our request
            (400, 500, 41),
            (405, 500, 63),
            (415, 501, 79),
            (420, 500, 127),
            (481, 500, 41),
            (491, 480, 31),
            (487, 480, 16),
            # §16.7 step 6: it isn't the exchange that is overloaded
            (503, 500, 41),
            (502, 500, 38),
        ],
    )
    def test_status_and_cause(self, status: int, told: int, q850: int) -> None:
        cause = by_response(status, "Why", [])
        assert (cause.status, cause.q850, cause.heard) == (told, q850, status)
        assert cause.tag is CallTag.CALLEE_REJECTED

    @pytest.mark.parametrize(
        ("status", "reason", "told", "q850"),
        [
            (486, "Q.850;cause=34", 503, 34),
            (302, "Q.850;cause=17", 486, 17),
            (401, "SIP;cause=486", 486, 17),
            (603, "Q.850;cause=17", 603, 17),
            (482, "Q.850;cause=25", 482, 25),
            (482, "Q.850;cause=17", 486, 17),
        ],
    )
    def test_a_reason_decides(self, status: int, reason: str, told: int, q850: int) -> None:
        cause = by_response(status, "Why", [reason])
        assert (cause.status, cause.q850) == (told, q850)

    @pytest.mark.parametrize("phrase", ["\x1b[2J", "\udcff", "a\x00b"])
    def test_a_phrase_that_would_harm_a_console_is_replaced(self, phrase: str) -> None:
        assert by_response(486, phrase, []).reason == "Busy Here"
        assert by_response(699, phrase, []).reason == ""
        assert by_response(486, "Besetzt ☎", []).reason == "Besetzt ☎"

    @pytest.mark.parametrize("status", [302, 401, 407, 420])
    def test_a_caller_hears_no_header_less_challenge_or_redirection(self, status: int) -> None:
        office = Office()
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), status, headers="Contact: <sip:elsewhere.example>")
        bob.hears("ACK")
        response = alice.response(by_response(status, "", []).status)
        assert response.get("Contact") is None
        call.ack_failure(response)
        office.advance(120)
        office.assert_empty()


class TestCallTag:
    @pytest.mark.parametrize(
        ("tag", "who"),
        [
            (CallTag.CALLER_HUNG_UP, "caller"),
            (CallTag.CALLEE_REJECTED, "callee"),
            (CallTag.NO_ROUTE, "server"),
            (CallTag.TRANSPORT_FAILED, "network"),
        ],
    )
    def test_who_released(self, tag: CallTag, who: str) -> None:
        assert tag.released_by == who

    @pytest.mark.parametrize("tag", [tag for tag in CallTag if tag is not CallTag.CALLEE_REJECTED])
    def test_each_has_a_status_and_a_reason(self, tag: CallTag) -> None:
        """But for calls that nobody was left to end: their callers hear nothing."""
        cause = by_server(tag)
        assert 400 <= cause.status < 700 if tag is not CallTag.RESTART else cause.status == 0
        assert cause.header.startswith(f"Q.850;cause={cause.q850}")
        assert Ended(cause).cause is cause

    def test_a_hang_up_may_say_why(self) -> None:
        assert by_hang_up(CallTag.CALLER_HUNG_UP, ["Q.850;cause=31"]).q850 == 31
        assert by_hang_up(CallTag.CALLER_HUNG_UP, []).q850 == 16

    def test_a_peer_that_knows_of_no_call_has_not_said_why(self) -> None:
        cause = forgotten(CallTag.CALLEE_HUNG_UP)
        assert (cause.tag, cause.q850, cause.said) == (CallTag.CALLEE_HUNG_UP, 41, "")


class TestCallFacts:
    def test_state(self) -> None:
        facts = CallFacts("i", "c", "100", "101", setup=1.0)
        states = [facts.state]
        facts.alert = 2.0
        states.append(facts.state)
        facts.talk = 3.0
        states.append(facts.state)
        facts.release = 4.0
        states.append(facts.state)
        assert states == ["calling", "ringing", "talking", "ended"]
