"""Calls that the phone makes: RFC 3261 §9, §13.2, §15, §22."""

import pytest

from hw.softphone.call import CallState
from hw.softphone.happenings import Alerting, Answered, Ended, MediaChanged, Reason, Why
from pbx.sip import digest
from pbx.sip.flow import Address
from tests.hw.softphone.stage import Stage, sdp


def ended(stage: Stage) -> Reason:
    happening = stage.told(Ended)
    assert isinstance(happening, Ended)
    return happening.reason


class TestRfc3261Section13_2:
    """UAC processing of an INVITE."""

    def test_a_whole_call(self) -> None:
        stage = Stage()
        call = stage.dial("101")
        invite = stage.hears("INVITE")
        assert invite.uri == "sip:101@192.0.2.1"
        assert b"m=audio 4000 RTP/AVP 0 8 101\r\n" in invite.body
        stage.respond(invite, 100)
        stage.respond(invite, 180)
        stage.told(Alerting)
        stage.respond(invite, 200, body=sdp("8 101"))
        ack = stage.hears("ACK")
        assert ack.cseq.number == invite.cseq.number
        stage.told(Answered)
        assert call.state is CallState.TALKING
        assert call.agreed is not None
        assert (call.agreed.law, call.agreed.payload_type, call.agreed.event_type) == (
            "PCMA",
            8,
            101,
        )
        assert call.agreed.remote == Address("192.0.2.9", 7000)
        stage.hang_up(call)
        stage.respond(stage.hears("BYE"), 200)
        assert ended(stage) == Reason(Why.WE_HUNG_UP)
        assert stage.quiet()
        stage.advance(100)
        assert stage.silent()

    def test_early_media_is_heard(self) -> None:
        stage = Stage()
        call = stage.dial()
        invite = stage.hears("INVITE")
        stage.respond(invite, 183, body=sdp())
        stage.told(Alerting)
        assert call.agreed is not None
        # A 200 without a description of its own means the same as the 183.
        stage.respond(invite, 200)
        stage.hears("ACK")
        stage.told(Answered)
        assert call.agreed.remote == Address("192.0.2.9", 7000)

    def test_a_183_that_cannot_be_read_costs_no_call(self) -> None:
        stage = Stage()
        call = stage.dial()
        invite = stage.hears("INVITE")
        stage.respond(invite, 183, body=b"rubbish")
        stage.told(Alerting)
        stage.respond(invite, 200, body=sdp())
        stage.hears("ACK")
        stage.told(Answered)
        assert call.agreed is not None

    @pytest.mark.parametrize("body", [b"", b"rubbish", sdp("9"), sdp("0").replace(b"7000", b"0")])
    def test_a_200_without_usable_sound_is_acknowledged_and_ended(self, body: bytes) -> None:
        stage = Stage()
        stage.dial()
        stage.respond(stage.hears("INVITE"), 200, body=body)
        stage.hears("ACK")
        stage.hears("BYE")
        assert ended(stage).why is Why.NO_COMMON_SOUND

    def test_a_repeated_200_is_acknowledged_again(self) -> None:
        stage = Stage()
        _, invite = stage.talking()
        stage.respond(invite, 200, body=sdp())
        stage.hears("ACK")
        assert stage.silent()

    def test_a_second_forks_200_is_ended(self) -> None:
        stage = Stage()
        call, invite = stage.talking()
        stage.respond(invite, 200, body=sdp(), tag="other")
        stage.hears("ACK")
        bye = stage.hears("BYE")
        assert bye.to.tag == "other"
        assert call.state is CallState.TALKING

    @pytest.mark.parametrize("status", [404, 480, 486, 503, 603])
    def test_a_refusal(self, status: int) -> None:
        stage = Stage()
        stage.dial()
        invite = stage.hears("INVITE")
        refusal = stage.respond(invite, status)
        stage.hears("ACK")
        assert ended(stage) == Reason(Why.REFUSED, status, "-")
        # Its ACK was lost.
        stage.deliver(refusal)
        stage.hears("ACK")
        assert stage.silent()
        assert stage.agent.call is None

    def test_a_server_that_is_silent(self) -> None:
        stage = Stage()
        stage.dial()
        stage.advance(33)
        # Timer A: at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s
        assert [stage.hears("INVITE").cseq.number for _ in range(7)] == [1] * 7
        assert ended(stage).why is Why.NO_RESPONSE

    def test_it_rings_for_as_long_as_it_likes(self) -> None:
        stage = Stage()
        call = stage.dial()
        stage.respond(stage.hears("INVITE"), 180)
        stage.advance(170)
        assert call.state is CallState.ALERTING

    def test_a_path_that_fails(self) -> None:
        stage = Stage()
        stage.dial()
        stage.agent.flow_failed(stage.flow, "Connection refused", stage.now)
        stage.settle()
        assert ended(stage) == Reason(Why.UNREACHABLE, phrase="Connection refused")


class TestRfc3261Section22:
    """Challenges."""

    @pytest.mark.parametrize(
        ("status", "name"), [(401, "Authorization"), (407, "Proxy-Authorization")]
    )
    def test_one_is_answered(self, status: int, name: str) -> None:
        stage = Stage()
        call = stage.dial()
        first = stage.hears("INVITE")
        stage.challenge(first, status=status)
        stage.hears("ACK")
        second = stage.hears("INVITE")
        assert second.cseq.number == 2
        assert (second.call_id, second.from_.tag, second.body) == (
            first.call_id,
            first.from_.tag,
            first.body,
        )
        assert digest.parse_credentials(second.get(name) or "").uri == second.uri
        assert stage.silent()
        stage.respond(second, 200, body=sdp())
        ack = stage.hears("ACK")
        # §13.2.2.4: "The ACK MUST contain the same credentials as the INVITE."
        assert ack.get(name) == second.get(name)
        stage.told(Answered)
        assert call.state is CallState.TALKING

    def test_two_proxies_ask_for_two_sets(self) -> None:
        stage = Stage()
        stage.dial()
        stage.challenge(stage.hears("INVITE"), status=407)
        stage.hears("ACK")
        other = digest.challenge("elsewhere", "n9", "MD5")
        stage.respond(stage.hears("INVITE"), 407, ("Proxy-Authenticate", other))
        stage.hears("ACK")
        values = stage.hears("INVITE").all("Proxy-Authorization")
        realms = {digest.parse_credentials(value).realm for value in values}
        assert realms == {"test", "elsewhere"}

    def test_a_wrong_password(self) -> None:
        stage = Stage()
        stage.dial()
        stage.challenge(stage.hears("INVITE"), status=407)
        stage.hears("ACK")
        stage.challenge(stage.hears("INVITE"), status=407, nonce="n2")
        stage.hears("ACK")
        assert ended(stage).why is Why.WRONG_PASSWORD
        assert stage.silent()

    def test_a_challenge_that_nobody_can_answer(self) -> None:
        stage = Stage()
        stage.dial()
        stage.respond(stage.hears("INVITE"), 401, ("WWW-Authenticate", "Negotiate abc"))
        stage.hears("ACK")
        assert ended(stage).why is Why.WRONG_PASSWORD

    def test_a_bye_that_is_challenged(self) -> None:
        stage = Stage()
        call, _ = stage.talking()
        stage.hang_up(call)
        bye = stage.hears("BYE")
        stage.challenge(bye, status=407)
        again = stage.hears("BYE")
        assert again.cseq.number == bye.cseq.number + 1
        assert again.get("Proxy-Authorization")
        stage.respond(again, 200)
        assert stage.quiet()


class TestRfc3261Section9:
    """CANCEL."""

    def test_it_waits_for_a_provisional_response(self) -> None:
        stage = Stage()
        call = stage.dial()
        invite = stage.hears("INVITE")
        stage.hang_up(call)
        assert ended(stage) == Reason(Why.WE_HUNG_UP)
        assert not stage.sent
        stage.respond(invite, 180)
        cancel = stage.hears("CANCEL")
        stage.respond(cancel, 200)
        assert not stage.quiet()
        stage.respond(invite, 487)
        stage.hears("ACK")
        assert stage.silent()
        assert stage.quiet()

    def test_a_200_that_crosses_it_is_ended_by_bye(self) -> None:
        stage = Stage()
        call = stage.dial()
        invite = stage.hears("INVITE")
        stage.respond(invite, 180)
        stage.happenings.clear()
        stage.hang_up(call)
        stage.hears("CANCEL")
        stage.respond(invite, 200, body=sdp())
        stage.hears("ACK")
        stage.hears("BYE")
        assert ended(stage) == Reason(Why.WE_HUNG_UP)
        assert stage.silent()

    def test_a_challenge_that_crosses_it_is_not_answered(self) -> None:
        stage = Stage()
        call = stage.dial()
        invite = stage.hears("INVITE")
        stage.hang_up(call)
        stage.challenge(invite, status=407)
        stage.hears("ACK")
        assert not stage.sent


class TestRfc3261Section15:
    """BYE."""

    def test_the_other_side_hangs_up(self) -> None:
        stage = Stage()
        call, invite = stage.talking()
        tag = invite.from_.tag or ""
        stage.request("BYE", call_id=invite.call_id, to_tag=tag)
        stage.response(200)
        assert ended(stage) == Reason(Why.PEER_HUNG_UP)
        assert call.ended

    def test_after_that_there_is_no_such_dialog(self) -> None:
        stage = Stage()
        call, invite = stage.talking()
        stage.hang_up(call)
        stage.respond(stage.hears("BYE"), 200)
        stage.advance(100)
        stage.request("BYE", call_id=invite.call_id, to_tag=invite.from_.tag or "")
        stage.response(481)


class TestRfc3261Section14:
    """Re-INVITE."""

    def reinvite(self, stage: Stage, cseq: int, body: bytes) -> None:
        _, invite = self._call
        stage.request(
            "INVITE",
            call_id=invite.call_id,
            to_tag=invite.from_.tag or "",
            cseq=cseq,
            body=body,
        )

    @pytest.fixture
    def stage(self) -> Stage:
        stage = Stage()
        self._call = stage.talking()
        return stage

    @pytest.mark.parametrize(
        ("offered", "answered"), [("sendonly", "recvonly"), ("inactive", "inactive")]
    )
    def test_hold_and_resume(self, stage: Stage, offered: str, answered: str) -> None:
        call, _ = self._call
        self.reinvite(stage, 1, sdp(direction=offered, version=2))
        assert f"a={answered}".encode() in stage.response(200).body
        stage.told(MediaChanged)
        assert call.held
        self.ack(stage, 1)
        self.reinvite(stage, 2, sdp(version=3))
        assert b"a=sendrecv" in stage.response(200).body
        self.ack(stage, 2)
        assert not call.held

    def test_hold_by_the_null_address(self, stage: Stage) -> None:
        call, _ = self._call
        self.reinvite(stage, 1, sdp(host="0.0.0.0", version=2))
        assert b"a=recvonly" in stage.response(200).body
        assert call.held
        assert call.agreed is not None
        assert call.agreed.remote is None

    def test_another_codec(self, stage: Stage) -> None:
        call, _ = self._call
        self.reinvite(stage, 1, sdp("0 101", version=2))
        answer = stage.response(200).body
        assert b"m=audio 4000 RTP/AVP 0 101\r\n" in answer
        assert call.agreed is not None
        assert call.agreed.law == "PCMU"

    def test_one_that_asks_us_for_an_offer(self, stage: Stage) -> None:
        call, _ = self._call
        self.reinvite(stage, 1, b"")
        assert b"m=audio 4000 RTP/AVP 0 8 101" in stage.response(200).body
        self.ack(stage, 1, sdp("0", direction="recvonly", version=2))
        stage.told(MediaChanged)
        assert call.agreed is not None
        assert (call.agreed.law, call.agreed.sends, call.agreed.receives) == ("PCMU", True, False)

    def test_one_that_nobody_can_serve_changes_nothing(self, stage: Stage) -> None:
        call, _ = self._call
        before = call.agreed
        self.reinvite(stage, 1, sdp("9", version=2))
        stage.response(488)
        assert call.agreed == before
        assert call.state is CallState.TALKING

    def ack(self, stage: Stage, cseq: int, body: bytes = b"") -> None:
        _, invite = self._call
        stage.request(
            "ACK", call_id=invite.call_id, to_tag=invite.from_.tag or "", cseq=cseq, body=body
        )
