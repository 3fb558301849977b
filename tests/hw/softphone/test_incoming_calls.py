"""Calls to the phone, and what else it is asked: RFC 3261 §8.2, §9.2, §11, §13.3."""

import pytest

from hw.softphone.call import CallState
from hw.softphone.happenings import Answered, Ended, Invited, MediaChanged, Reason, Why
from pbx.sip.message import Request, Response
from tests.hw.softphone.stage import Stage, sdp


def ended(stage: Stage) -> Reason:
    happening = stage.told(Ended)
    assert isinstance(happening, Ended)
    return happening.reason


def ack(stage: Stage, final: Response, body: bytes = b"") -> None:
    stage.request("ACK", to_tag=final.to.tag or "", body=body)


def bye(stage: Stage, final: Response) -> None:
    stage.request("BYE", to_tag=final.to.tag or "", cseq=2)


class TestRfc3261Section13_3:
    """UAS processing of an INVITE."""

    def test_a_whole_call(self) -> None:
        stage = Stage()
        stage.request("INVITE", body=sdp("8 0 101"))
        stage.response(180)
        invited = stage.told(Invited)
        assert isinstance(invited, Invited)
        call = invited.call
        assert (call.peer, call.name, call.state) == ("101", "Bob", CallState.RINGING)
        stage.answer(call)
        final = stage.response(200)
        assert b"m=audio 4000 RTP/AVP 8 101\r\n" in final.body
        stage.told(Answered)
        ack(stage, final)
        bye(stage, final)
        stage.response(200)
        assert ended(stage) == Reason(Why.PEER_HUNG_UP)

    def test_the_200_is_repeated_until_its_ack_comes(self) -> None:
        stage = Stage()
        call, _, _ = stage.called()
        stage.answer(call)
        final = stage.response(200)
        stage.advance(1.6)
        stage.response(200)
        stage.response(200)
        ack(stage, final)
        stage.advance(10)
        assert not stage.sent

    def test_without_an_ack_it_is_ended_after_32_seconds(self) -> None:
        stage = Stage()
        call, _, _ = stage.called()
        stage.answer(call)
        stage.told(Answered)
        stage.advance(32.1)
        assert isinstance(stage.sent[-1], Request)
        assert stage.sent[-1].method == "BYE"
        assert ended(stage).why is Why.LOST

    def test_hanging_up_waits_for_the_ack(self) -> None:
        stage = Stage()
        call, _, _ = stage.called()
        stage.answer(call)
        final = stage.response(200)
        stage.told(Answered)
        stage.hang_up(call)
        assert not stage.sent
        assert not stage.quiet()
        ack(stage, final)
        stage.respond(stage.hears("BYE"), 200)
        assert stage.quiet()

    def test_an_invitation_without_an_offer_gets_ours(self) -> None:
        stage = Stage()
        call, _, _ = stage.called(body=b"")
        stage.answer(call)
        final = stage.response(200)
        assert b"m=audio 4000 RTP/AVP 0 8 101" in final.body
        stage.told(Answered)
        ack(stage, final, sdp("0 101"))
        stage.told(MediaChanged)
        assert call.agreed is not None
        assert call.agreed.law == "PCMU"

    @pytest.mark.parametrize("body", [b"", sdp("9")])
    def test_an_ack_without_a_usable_answer_ends_the_call(self, body: bytes) -> None:
        stage = Stage()
        call, _, _ = stage.called(body=b"")
        stage.answer(call)
        final = stage.response(200)
        stage.told(Answered)
        ack(stage, final, body)
        stage.hears("BYE")
        assert ended(stage).why is Why.NO_COMMON_SOUND

    def test_who_calls_meanwhile_hears_busy(self) -> None:
        stage = Stage()
        stage.called()
        stage.request("INVITE", call_id="second", body=sdp())
        stage.response(486)
        assert stage.silent()

    def test_refusing(self) -> None:
        stage = Stage()
        call, _, _ = stage.called()
        stage.hang_up(call)
        stage.response(486)
        assert ended(stage) == Reason(Why.WE_HUNG_UP)

    @pytest.mark.parametrize("body", [sdp("9 3"), sdp().replace(b"m=audio", b"m=video")])
    def test_a_caller_without_a_common_codec_does_not_ring(self, body: bytes) -> None:
        stage = Stage()
        stage.request("INVITE", body=body)
        stage.response(488)
        assert stage.silent()

    def test_media_that_this_phone_has_not_are_refused_one_by_one(self) -> None:
        stage = Stage()
        video = b"m=video 7002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        call, _, _ = stage.called(body=sdp() + video)
        stage.answer(call)
        final = stage.response(200)
        assert b"m=audio 4000 " in final.body
        assert b"m=video 0 " in final.body


class TestRfc3261Section9_2:
    """CANCEL, as the one who is called sees it."""

    def test_the_caller_gives_up(self) -> None:
        stage = Stage()
        call, invite, _ = stage.called()
        branch = (invite.get("Via") or "").partition("branch=")[2].partition(";")[0]
        stage.request("CANCEL", branch=branch)
        stage.response(200)
        stage.response(487)
        assert ended(stage) == Reason(Why.CALLER_GAVE_UP)
        assert call.ended
        assert stage.agent.call is None

    def test_answering_then_comes_too_late(self) -> None:
        stage = Stage()
        call, invite, _ = stage.called()
        branch = (invite.get("Via") or "").partition("branch=")[2].partition(";")[0]
        stage.request("CANCEL", branch=branch)
        stage.sent.clear()
        stage.happenings.clear()
        stage.answer(call)
        assert stage.silent()


class TestRfc3261Section8_2:
    """What is common to all requests."""

    def test_options_tells_what_this_phone_can_do(self) -> None:
        stage = Stage()
        stage.request("OPTIONS")
        response = stage.response(200)
        assert response.get("Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"
        assert response.get("Accept") == "application/sdp"

    def test_options_in_a_call_gets_what_an_invitation_would_get(self) -> None:
        stage = Stage()
        stage.called()
        stage.request("OPTIONS", call_id="second")
        stage.response(486)

    @pytest.mark.parametrize(
        ("method", "status"), [("MESSAGE", 405), ("NOTIFY", 405), ("WHATEVER", 501), ("BYE", 481)]
    )
    def test_what_it_does_not_serve(self, method: str, status: int) -> None:
        stage = Stage()
        stage.request(method)
        stage.response(status)

    def test_an_extension_that_must_be_known(self) -> None:
        stage = Stage()
        stage.request("INVITE", ("Require", "100rel"), body=sdp())
        assert stage.response(420).get("Unsupported") == "100rel"

    def test_rubbish_is_no_call(self) -> None:
        stage = Stage()
        for data in (b"", b"\r\n\r\n", b"\x00\x01\x00\x00", b"INVITE sip:x SIP/2.0\r\n\r\n"):
            stage.agent.receive(data, stage.flow, stage.now)
        stage.settle()
        assert stage.silent()
