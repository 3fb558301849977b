"""The INVITE usage by itself, where a call can't lead to: RFC 3261 §13 to §15."""

import pytest

from pbx.errors import MisuseError
from pbx.sip.capabilities import Capabilities
from pbx.sip.dialog import Dialog
from pbx.sip.events import RequestReceived
from pbx.sip.flow import Flow
from pbx.sip.inspection import inspect_in_dialog, session_description
from pbx.sip.invite_uac import Outgoing
from pbx.sip.invite_uas import Incoming
from pbx.sip.invite_usage import Usage
from pbx.sip.message import Request
from pbx.sip.timers import TimerQueue
from pbx.sip.usage_events import (
    Accepted,
    CallerCancelled,
    Confirmed,
    DigitReceived,
    HungUp,
    Lost,
    Progressed,
    Rejected,
    ReofferAccepted,
    Reoffered,
    ReofferRefused,
    UsageEvent,
)
from pbx.sip.usage_state import State
from tests.sip.conftest import Agent, Clock, alone, pair

SDP = b"v=0\r\n"


class Party:
    """An agent with one INVITE usage."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.timers = TimerQueue()
        self.heard: list[UsageEvent] = []

    def contact(self, flow: Flow) -> str:
        return f"<sip:{self.agent.name}@{self.agent.address}>"

    def call(self) -> Outgoing:
        request = self.agent.request()
        request.body = SDP
        usage = Outgoing(
            self.agent.endpoint,
            self.timers,
            self.contact,
            lambda offer: SDP,
            request,
            self.agent.flow,
            self.agent.clock.now,
        )
        self.agent.flush()
        return usage

    def called(self) -> Incoming:
        """The usage of the INVITE that came; nothing else came."""
        return Incoming(
            self.agent.endpoint,
            self.timers,
            self.contact,
            lambda offer: SDP,
            self.agent.invited(),
            lambda: f"tag{self.agent.name}",
            self.agent.clock.now,
        )

    def take(self, usage: Usage) -> list[UsageEvent]:
        """Give the usage what came; return what it says."""
        said = []
        for event in self.agent.take():
            said += usage.receive(event, self.agent.clock.now)
        self.agent.flush()
        return said


@pytest.fixture
def alice(clock: Clock) -> Party:
    return Party(alone(clock))


def couple(clock: Clock) -> tuple[Party, Party, Outgoing, Incoming]:
    """Alice's call to bob, not yet answered."""
    one, other = (Party(agent) for agent in pair(clock))
    call = one.call()
    return one, other, call, other.called()


def talk(clock: Clock) -> tuple[Party, Party, Outgoing, Incoming]:
    """The same, answered."""
    one, other, call, called = couple(clock)
    called.answer(SDP, "", clock.now)
    other.agent.flush()
    assert one.take(call) == [Accepted(SDP, "tagbob")]
    call.acknowledge(b"", clock.now)
    one.agent.flush()
    assert other.take(called) == [Confirmed(b"")]
    return one, other, call, called


class TestRfc3261Section13:
    """Initiating a session."""

    def test_from_invite_to_bye(self, clock: Clock) -> None:
        one, other, call, called = couple(clock)
        called.progress(180, "Ringing", b"", "", clock.now)
        other.agent.flush()
        assert one.take(call) == [Progressed(180, b"", "tagbob", "Ringing")]
        called.answer(SDP, "", clock.now)
        other.agent.flush()
        assert one.take(call) == [Accepted(SDP, "tagbob")]
        call.acknowledge(b"", clock.now)
        one.agent.flush()
        assert other.take(called) == [Confirmed(b"")]
        called.bye(None, clock.now)
        other.agent.flush()
        assert one.take(call) == [HungUp([])]
        other.take(called)
        clock.advance(33)
        assert one.agent.alive == other.agent.alive == 0

    def test_nothing_to_acknowledge(self, clock: Clock) -> None:
        one, _, call, _ = talk(clock)
        sent = len(one.agent.sent)
        call.acknowledge(b"", clock.now)
        call.acknowledge_again(one.agent.call("OPTIONS"), one.agent.flow, clock.now)
        one.agent.flush()
        assert len(one.agent.sent) == sent + 1

    def test_giving_up_twice_is_giving_up_once(self, clock: Clock) -> None:
        one, other, call, called = couple(clock)
        called.progress(180, "Ringing", b"", "", clock.now)
        other.agent.flush()
        call.bye("SIP;cause=200", clock.now)
        call.bye(None, clock.now)
        one.agent.flush()
        assert len(one.agent.messages("CANCEL")) == 1
        assert other.take(called) == [CallerCancelled(["SIP;cause=200"])]
        assert one.take(call) == []
        call.bye(None, clock.now)
        assert call.state is State.ENDED

    def test_a_final_response_is_final(self, clock: Clock) -> None:
        one, other, call, called = couple(clock)
        called.bye("Q.850;cause=17", clock.now)
        called.progress(180, "Ringing", b"", "", clock.now)
        called.answer(SDP, "", clock.now)
        called.reject(486, "Busy Here", [], clock.now)
        called.bye(None, clock.now)
        other.agent.flush()
        assert one.take(call) == [Rejected(487, "Request Terminated", ["Q.850;cause=17"])]
        lines = [message.start_line() for message in other.agent.messages()]
        assert lines == ["SIP/2.0 100 Trying", "SIP/2.0 487 Request Terminated"]

    def test_an_invite_without_a_word_to_say_why(self, clock: Clock) -> None:
        one, other, call, called = couple(clock)
        called.bye(None, clock.now)
        other.agent.flush()
        assert one.take(call) == [Rejected(487, "Request Terminated", [])]

    def test_timers_that_come_too_late(self, clock: Clock) -> None:
        _, other, _, called = couple(clock)
        sent = len(other.agent.sent)
        assert called.timer_fired("1xx", clock.now) == []
        assert called.timer_fired("2xx", clock.now) == []
        other.agent.flush()
        assert len(other.agent.sent) == sent

    def test_the_path_fails_before_the_answer(self, clock: Clock) -> None:
        one, other, call, called = couple(clock)
        called.progress(180, "Ringing", b"", "", clock.now)
        other.agent.fail("no route")
        assert other.take(called) == [Lost("no route", timed_out=False)]
        assert other.timers.next_timer() is None
        one.agent.fail("no route")
        assert one.take(call)[-1] == Rejected(503, "no route", [], local=True)

    def test_a_request_before_the_dialog(self, alice: Party, clock: Clock) -> None:
        call = alice.call()
        request = alice.agent.request("ACK", To="<sip:a@b>;tag=x")
        assert call.receive(RequestReceived(None, request, alice.agent.flow), clock.now) == []


class TestRfc3261Section14:
    """Modifying a session."""

    def test_a_change(self, clock: Clock) -> None:
        one, other, call, called = talk(clock)
        assert call.reoffer(SDP, clock.now)
        assert not call.reoffer(SDP, clock.now)
        one.agent.flush()
        assert other.take(called) == [Reoffered(SDP)]
        assert not called.reoffer(SDP, clock.now)
        called.accept_reoffer(SDP, clock.now)
        other.agent.flush()
        assert one.take(call) == [ReofferAccepted(SDP)]
        call.acknowledge(b"", clock.now)
        one.agent.flush()
        assert other.take(called) == [Confirmed(b"")]
        assert not called.busy

    def test_nothing_to_answer(self, clock: Clock) -> None:
        _, _, call, called = talk(clock)
        with pytest.raises(MisuseError):
            called.accept_reoffer(SDP, clock.now)
        call.cancel_reoffer(clock.now)

    def test_no_change_before_or_after_the_call(self, clock: Clock) -> None:
        _, other, _, called = couple(clock)
        assert not called.reoffer(SDP, clock.now)
        called.bye(None, clock.now)
        assert not called.reoffer(SDP, clock.now)
        other.agent.flush()

    def test_a_lost_path_is_a_503(self, clock: Clock) -> None:
        one, _, call, _ = talk(clock)
        one.agent.loses = lambda data: True
        call.reoffer(SDP, clock.now)
        one.agent.flush()
        one.agent.fail("no route")
        assert one.take(call) == [ReofferRefused(503, "no route")]


class TestUsage:
    def test_before_there_is_a_dialog(self, alice: Party, clock: Clock) -> None:
        usage = Usage(
            alice.agent.endpoint, alice.timers, alice.contact, alice.agent.flow, lambda offer: SDP
        )
        with pytest.raises(MisuseError):
            _ = usage.key
        call = alice.call()
        assert call.key == ("call-of-alice", "from")

    def test_resumed(self, clock: Clock) -> None:
        """After a restart the dialog goes on (§12)."""
        one, other, call, called = talk(clock)
        assert called.dialog is not None
        again = Usage.resumed(
            other.agent.endpoint,
            other.timers,
            other.contact,
            other.agent.flow,
            lambda offer: SDP,
            Dialog.from_dict(called.dialog.to_dict()),
        )
        assert again.key == called.key
        again.bye(None, clock.now)
        other.agent.flush()
        assert one.take(call) == [HungUp([])]


class TestRfc6086Section2:
    """Digits in INFO: what it calls legacy use."""

    def info(self, party: Party, call: Outgoing, body: bytes, kind: str) -> None:
        assert call.dialog is not None
        request = call.dialog.request("INFO", None)
        if body:
            request.set("Content-Type", kind)
            request.body = body
        party.agent.endpoint.send_request(request, party.agent.flow, party.agent.clock.now)
        party.agent.flush()

    @pytest.mark.parametrize(
        ("body", "kind", "status", "said"),
        [
            (b"Signal=5", "application/dtmf-relay", 200, [DigitReceived("5", 160)]),
            (b"", "", 200, []),
            (b"5", "text/plain", 415, []),
            (b"?", "application/dtmf", 400, []),
        ],
    )
    def test_a_digit(
        self, clock: Clock, body: bytes, kind: str, status: int, said: list[UsageEvent]
    ) -> None:
        one, other, call, called = talk(clock)
        self.info(one, call, body, kind)
        assert other.take(called) == said
        answer = other.agent.response_sent(status)
        assert ("application/dtmf" in answer.all("Accept")) == (status >= 400)
        assert called.state is State.CONFIRMED

    def test_the_answer_says_so(self, clock: Clock) -> None:
        _, other, _, called = couple(clock)
        called.answer(SDP, "", clock.now)
        other.agent.flush()
        assert "INFO" in other.agent.response_sent(200).all("Allow")

    def test_the_invitation_says_so(self, clock: Clock) -> None:
        one, _, call, _ = couple(clock)
        assert "INFO" in call.transaction.request.all("Allow")


class TestRfc3261Section8_2:
    """What is looked at in every request."""

    @pytest.mark.parametrize(
        ("headers", "read"),
        [
            ([], True),
            ([("Content-Type", "application/sdp")], True),
            ([("Content-Type", "Application/SDP; charset=utf-8")], True),
            ([("Content-Type", "application/sdp"), ("Content-Disposition", "Session")], True),
            ([("Content-Type", "application/sdp"), ("Content-Disposition", "icon")], False),
            ([("Content-Encoding", "Identity")], True),
            ([("Content-Encoding", "gzip")], False),
            ([("Content-Type", "text/html")], False),
        ],
    )
    def test_which_body_is_a_session(self, headers: list[tuple[str, str]], read: bool) -> None:
        message = Request("INVITE", "sip:a@b", headers, SDP)
        assert session_description(message) == (SDP if read else b"")

    def test_within_a_dialog_nothing_may_be_required(self, alice: Party) -> None:
        request = alice.agent.request("BYE", Require="path")
        request.add("Via", "SIP/2.0/UDP a;branch=z9hG4bKx")
        refusal = inspect_in_dialog(request, Capabilities(("BYE",), options=("path",)))
        assert refusal is not None
        assert (refusal.status, refusal.get("Unsupported")) == (420, "path")
