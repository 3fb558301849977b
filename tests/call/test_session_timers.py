"""Session timers in calls (RFC 4028): each refresher, phones without the timer, lost refreshes."""

import itertools

import pytest

from pbx.config.settings import CallSettings
from pbx.sip.message import Request, Response
from tests.call.office import Invite, Office, Phone

TIMER = "Supported: timer"
ALL = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"


@pytest.fixture
def office() -> Office:
    return Office()


def answered(
    office: Office, callees: str = "", callers: str = ""
) -> tuple[Phone, Phone, Invite, Request, Response]:
    """Alice calls Bob, with headers of the callee's 200 and of the caller's INVITE."""
    alice, bob = office.phone("100"), office.phone("101")
    call = alice.invite("101", headers=callers)
    invite = bob.hears("INVITE")
    bob.respond(invite, 200, "OK", bob.sdp(), callees)
    bob.hears("ACK")
    answer = call.answered()
    call.ack()
    return alice, bob, call, invite, answer


def refreshing(seconds: int, refresher: str) -> str:
    return f"Require: timer\nSession-Expires: {seconds};refresher={refresher}\n{ALL}"


def next_of(office: Office, phone: Phone) -> tuple[Request, float]:
    """The next request that a phone hears, and after how many seconds."""
    begun = office.now
    while not phone.inbox:
        office.advance(0.1)
    request = phone.inbox.popleft()
    assert isinstance(request, Request)
    return request, office.now - begun


class TestRfc4028Section7:
    """We as UAC: the called phone's leg."""

    def test_the_invite_asks_for_it(self, office: Office) -> None:
        _, _, _, invite, _ = answered(office)
        assert "timer" in invite.all("Supported")
        assert invite.get("Session-Expires") == "1800"
        # §5: without the header 90 seconds are assumed
        assert invite.get("Min-SE") is None

    def test_nothing_is_asked_where_it_is_switched_off(self) -> None:
        office = Office(CallSettings(session_s=0))
        _, _, _, invite, _ = answered(office)
        assert "timer" in invite.all("Supported")
        assert invite.get("Session-Expires") is None

    def test_a_phone_without_the_timer(self, office: Office) -> None:
        """§7.2: without Session-Expires in the 2xx nothing expires."""
        alice, bob, _, _, _ = answered(office)
        office.advance(7200)
        assert office.ended == []
        assert not alice.inbox
        assert not bob.inbox

    def test_we_refresh_by_update(self, office: Office) -> None:
        alice, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        office.advance(44.9)
        assert not bob.inbox
        for _ in range(5):
            office.advance(0.2)
            update = bob.hears("UPDATE")
            assert update.get("Session-Expires") == "90;refresher=uac"
            assert "timer" in update.all("Supported")
            assert not update.body
            bob.respond(update, 200, "OK", headers="Session-Expires: 90;refresher=uac")
            office.advance(44.8)
        assert not alice.inbox
        assert office.ended == []

    def test_we_refresh_by_invite_where_update_is_unknown(self, office: Office) -> None:
        """§7.4: with the description that the peer has, so that nothing changes."""
        alice, bob, _, invite, _ = answered(
            office, "Require: timer\nSession-Expires: 90;refresher=uac"
        )
        office.advance(45)
        before = office.running()
        again = bob.hears("INVITE")
        assert again.body == invite.body
        assert again.get("Session-Expires") == "90;refresher=uac"
        bob.respond(
            again, 200, "OK", bob.sdp(), "Session-Expires: 90;refresher=uac\nRequire: timer"
        )
        bob.hears("ACK")
        office.advance(46)
        bob.hears("INVITE")
        assert office.running() == before
        assert not alice.inbox

    def test_a_phone_that_moves_its_sound_meanwhile(self, office: Office) -> None:
        _, bob, _, _, _ = answered(office, "Session-Expires: 90;refresher=uac")
        office.advance(45)
        bob.respond(
            bob.hears("INVITE"),
            200,
            "OK",
            bob.sdp(port=4800),
            "Session-Expires: 90;refresher=uac",
        )
        bob.hears("ACK")
        heard = {one.remote_rtp.port for one in office.running().values() if one.remote_rtp}
        assert 4800 in heard

    def test_update_that_is_refused_in_spite_of_allow(self, office: Office) -> None:
        _, bob, _, invite, _ = answered(office, refreshing(90, "uac"))
        office.advance(45)
        bob.respond(bob.hears("UPDATE"), 405)
        office.advance(5)
        assert bob.hears("INVITE").body == invite.body

    @pytest.mark.parametrize("status", [491, 488, 500, 503])
    def test_a_refresh_that_is_refused_is_tried_again(self, office: Office, status: int) -> None:
        _, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        office.advance(45)
        bob.respond(bob.hears("UPDATE"), status)
        office.advance(4.1)
        bob.respond(bob.hears("UPDATE"), 200, "OK", headers="Session-Expires: 90;refresher=uac")
        office.advance(30)
        assert office.ended == []

    def test_refreshes_that_are_never_accepted(self, office: Office) -> None:
        """§10: the session isn't refreshed by a refusal."""
        _, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        for _ in range(610):
            office.advance(0.1)
            while bob.inbox:
                message = bob.inbox.popleft()
                if isinstance(message, Request) and message.method == "UPDATE":
                    bob.respond(message, 491)
        assert office.cause() == ("SESSION_EXPIRED", 102)

    @pytest.mark.parametrize("status", [488, 491, 500, 503])
    def test_who_goes_on_refusing_is_left_alone(self, office: Office, status: int) -> None:
        """Not asked each second: many carriers take that for an attack, and block the line."""
        _, bob, _, _, _ = answered(office, refreshing(1800, "uac"))
        asked, waits = next_of(office, bob), []
        while asked[0].method == "UPDATE":
            bob.respond(asked[0], status)
            asked = next_of(office, bob)
            waits.append(asked[1])
        *between, last = waits
        assert office.cause()[0] == "SESSION_EXPIRED"
        assert 5 < len(between) < 15
        assert between[0] < 4.2
        assert max(between) < 1800 / 8 + 0.2
        assert all(later > sooner - 0.2 for sooner, later in itertools.pairwise(between))

    def test_who_asks_for_time_gets_it(self, office: Office) -> None:
        """RFC 3261 §20.33; and what was refused counts no more once a refresh was accepted."""
        _, bob, _, _, _ = answered(office, refreshing(1800, "uac"))
        for _ in range(2):
            update, _ = next_of(office, bob)
            bob.respond(update, 503, headers="Retry-After: 60 (busy)")
            update, waited = next_of(office, bob)
            assert 59.9 < waited < 60.3
            bob.respond(update, 500)
            update, waited = next_of(office, bob)
            assert waited < 8.3
            bob.respond(update, 200, headers="Session-Expires: 1800;refresher=uac")
        assert office.ended == []

    def test_nobody_gets_more_time_than_the_session_has(self, office: Office) -> None:
        _, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        bob.respond(next_of(office, bob)[0], 503, headers="Retry-After: 3600")
        update, waited = next_of(office, bob)
        assert 5 < waited < 14
        bob.respond(update, 200, headers="Session-Expires: 90;refresher=uac")
        office.advance(44)
        assert office.ended == []

    @pytest.mark.parametrize("status", [408, 481])
    def test_a_dialog_that_is_gone(self, office: Office, status: int) -> None:
        alice, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        office.advance(45)
        bob.respond(bob.hears("UPDATE"), status)
        bob.hears("BYE")
        alice.hears("BYE")
        assert office.ended

    def test_a_phone_that_has_died(self, office: Office) -> None:
        alice, bob, _, _, _ = answered(office, refreshing(90, "uac"))
        office.advance(45)
        bob.inbox.clear()
        office.advance(33)
        assert office.cause()[0] in ("SESSION_EXPIRED", "TRANSACTION_TIMED_OUT")
        alice.respond(alice.hears("BYE"), 200)
        office.advance(200)
        office.assert_empty()

    def test_an_interval_that_it_finds_too_small(self, office: Office) -> None:
        """§7.3: the same call again, with the next number."""
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        first = bob.hears("INVITE")
        bob.respond(first, 422, "-", headers="Min-SE: 3600")
        bob.hears("ACK")
        again = bob.hears("INVITE")
        assert (again.call_id, again.get("From"), again.get("To")) == (
            first.call_id,
            first.get("From"),
            first.get("To"),
        )
        assert again.cseq.number == first.cseq.number + 1
        assert again.get("Session-Expires") == again.get("Min-SE") == "3600"
        assert again.body == first.body
        bob.respond(
            again, 200, "OK", bob.sdp(), "Session-Expires: 3600;refresher=uac\nRequire: timer"
        )
        bob.hears("ACK")
        call.answered()
        call.ack()
        call.bye()
        assert bob.hears("BYE").cseq.number == 3
        office.advance(120)
        office.assert_empty()

    @pytest.mark.parametrize("headers", ["", "Min-SE: 90", "Min-SE: x", "Min-SE: 999999999"])
    def test_a_422_that_leads_nowhere(self, office: Office, headers: str) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 422, "-", headers=headers)
        bob.hears("ACK")
        assert not bob.inbox
        assert len(office.ended) == 1

    def test_a_peer_does_not_make_us_refresh_without_end(self, office: Office) -> None:
        _, bob, _, _, _ = answered(office, refreshing(1, "uac"))
        office.advance(44)
        assert not bob.inbox


class TestRfc4028Section9:
    """We as UAS: the caller's leg, and what a phone asks for within the call."""

    @pytest.mark.parametrize(
        ("asked", "told", "requires"),
        [
            ("Session-Expires: 300;refresher=uac\nSupported: timer", "300;refresher=uac", True),
            ("Session-Expires: 300;refresher=uas\nSupported: timer", "300;refresher=uas", True),
            ("x: 300\nSupported: timer", "300;refresher=uas", True),
            ("Require: timer\nSession-Expires: 300", "300;refresher=uas", True),
            ("Supported: timer", "1800;refresher=uas", True),
            ("Supported: timer\nMin-SE: 2000", "2000;refresher=uas", True),
            # A proxy has put it in (Table 2)
            ("Session-Expires: 300", "300;refresher=uas", False),
            ("Session-Expires: 60", "90;refresher=uas", False),
            ("", None, False),
        ],
    )
    def test_what_a_caller_is_told(
        self, office: Office, asked: str, told: str | None, requires: bool
    ) -> None:
        _, _, _, _, answer = answered(office, callers=asked)
        assert answer.get("Session-Expires") == told
        assert answer.all("Require") == (["timer"] if requires else [])
        assert "timer" in answer.all("Supported")

    def test_too_small(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        uri = "sip:101@192.0.2.1"
        alice.request(
            "INVITE", uri, call_id="x", cseq=1, body=alice.sdp(), headers=f"{TIMER}\nx: 60"
        )
        assert alice.response(422).get("Min-SE") == "90"
        assert not bob.inbox

    def test_nonsense(self, office: Office) -> None:
        alice = office.phone("100")
        alice.request(
            "INVITE",
            "sip:101@192.0.2.1",
            call_id="x",
            cseq=1,
            body=alice.sdp(),
            headers=f"{TIMER}\nSession-Expires: soon",
        )
        alice.response(400)

    @pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
    def test_within_the_call(self, office: Office, method: str) -> None:
        alice, _, call, _, _ = answered(office)
        body = alice.sdp() if method == "INVITE" else b""
        call.request(method, 3, body, f"{TIMER}\nSession-Expires: 60")
        assert alice.response(422).get("Min-SE") == "90"
        call.request("UPDATE", 4, headers="Session-Expires: soon")
        alice.response(400)
        assert office.ended == []

    def test_the_caller_refreshes(self, office: Office) -> None:
        alice, bob, call, _, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uac"
        )
        cseq = 2
        for _ in range(3):
            office.advance(50)
            cseq += 1
            call.request("UPDATE", cseq, headers=f"{TIMER}\nSession-Expires: 90;refresher=uac")
            response = alice.response(200)
            assert response.get("Session-Expires") == "90;refresher=uac"
        assert not bob.inbox
        assert office.ended == []
        # And then it dies: a third of the interval before its end
        office.advance(59)
        assert office.ended == []
        office.advance(2)
        assert office.cause() == ("SESSION_EXPIRED", 102)
        alice.hears("BYE")
        bob.hears("BYE")

    def test_a_long_interval_ends_half_a_minute_early(self, office: Office) -> None:
        answered(office, callers=f"{TIMER}\nSession-Expires: 600;refresher=uac")
        office.advance(600 - 33)
        assert office.ended == []
        office.advance(2)
        assert office.cause()[0] == "SESSION_EXPIRED"

    def test_the_caller_refreshes_by_invite(self, office: Office) -> None:
        alice, bob, call, _, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uac"
        )
        office.advance(50)
        call.reinvite(alice.sdp(), f"{TIMER}\nSession-Expires: 90;refresher=uac")
        bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
        bob.hears("ACK")
        assert alice.response(200).get("Session-Expires") == "90;refresher=uac"
        call.ack()
        office.advance(50)
        assert office.ended == []

    @pytest.mark.parametrize("version", [1, 2])
    @pytest.mark.parametrize("status", [403, 405, 480, 488, 491, 500, 501, 503, 606])
    def test_a_refresh_is_no_matter_of_the_other_partys(
        self, office: Office, status: int, version: int
    ) -> None:
        """Who takes no re-INVITE lets the other one's session live; also where phones count versions."""
        alice, bob, call, _, answer = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uac"
        )
        said = alice.sdp().replace(b"o=- 1 1 ", f"o=- 1 {version} ".encode())
        before = office.running()
        for _ in range(3):
            office.advance(50)
            call.reinvite(said, f"{TIMER}\nSession-Expires: 90;refresher=uac")
            bob.respond(bob.hears("INVITE"), status)
            bob.hears("ACK")
            again = call.answered()
            assert again.get("Session-Expires") == "90;refresher=uac"
            assert again.body == answer.body
            call.ack()
        assert office.running() == before
        assert not bob.inbox
        assert office.ended == []

    def test_a_refresh_brings_nothing_back(self, office: Office) -> None:
        """What bob has offered and alice refused stays refused."""
        alice, bob, call, invite, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uac"
        )
        video = b"m=video %d RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
        bob.within(invite, "INVITE", 1, bob.sdp() + video % 5000)
        bob.response(100)
        said = alice.sdp() + video % 0
        alice.respond(alice.hears("INVITE"), 200, "OK", said)
        alice.hears("ACK")
        bob.response(200)
        bob.within(invite, "ACK", 1)
        call.reinvite(said, f"{TIMER}\nSession-Expires: 90;refresher=uac")
        bob.respond(bob.hears("INVITE"), 488)
        bob.hears("ACK")
        assert b"\r\nm=video 0 " in call.answered().body

    def test_a_refresh_that_meets_the_other_partys_change(self, office: Office) -> None:
        """Bob's 491 is for his own change, which alice hears of when her refresh is done."""
        alice, bob, call, invite, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uac"
        )
        call.reinvite(alice.sdp(), f"{TIMER}\nSession-Expires: 90;refresher=uac")
        bob.respond(bob.hears("INVITE"), 491)
        bob.hears("ACK")
        call.answered()
        bob.within(invite, "INVITE", 1, bob.sdp("sendonly"))
        bob.response(100)
        assert not alice.inbox
        call.ack()
        assert b"sendonly" in alice.hears("INVITE").body

    def test_we_refresh_the_caller(self, office: Office) -> None:
        alice, bob, call, _, answer = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uas"
        )
        office.advance(45)
        again = alice.hears("INVITE")
        assert again.body == answer.body
        alice.respond(
            again, 200, "OK", alice.sdp(), "Require: timer\nSession-Expires: 90;refresher=uac"
        )
        alice.hears("ACK")
        assert not bob.inbox
        call.bye()
        bob.hears("BYE")
        office.advance(120)
        assert office.cause()[0] == "CALLER_HUNG_UP"
        office.assert_empty()

    def test_a_sign_of_life_keeps_our_duty(self, office: Office) -> None:
        """An UPDATE that says nothing of timers leaves the session to us, and doesn't end it."""
        alice, _, call, _, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uas"
        )
        office.advance(20)
        call.request("UPDATE", 3)
        assert alice.response(200).get("Session-Expires") == "90;refresher=uas"
        office.advance(44)
        assert not alice.inbox
        office.advance(2)
        alice.hears("INVITE")

    def test_a_refresh_waits_for_a_change_that_is_under_way(self, office: Office) -> None:
        alice, bob, call, _, _ = answered(
            office, callers=f"{TIMER}\nSession-Expires: 90;refresher=uas"
        )
        office.advance(44)
        call.reinvite(alice.sdp("sendonly"), f"{TIMER}\nSession-Expires: 90;refresher=uas")
        change = bob.hears("INVITE")
        bob.respond(change, 180)
        office.advance(2)
        assert not alice.inbox
        bob.respond(change, 200, "OK", bob.sdp("recvonly"))
        bob.hears("ACK")
        alice.response(200)
        call.ack()
        office.advance(44)
        assert not alice.inbox
        office.advance(2)
        assert b"recvonly" in alice.hears("INVITE").body

    def test_a_call_to_a_service(self, office: Office) -> None:
        alice = office.phone("100")
        call = alice.invite("*43", headers=f"{TIMER}\nSession-Expires: 90;refresher=uas")
        answer = call.answered()
        assert answer.get("Session-Expires") == "90;refresher=uas"
        call.ack()
        office.advance(45)
        assert alice.hears("INVITE").body == answer.body


def test_a_short_interval_for_trials() -> None:
    """`min_se_s` may be less than the RFC's 90 seconds; the peer is told so."""
    office = Office(CallSettings(session_s=6, min_se_s=3))
    _, bob, _, invite, _ = answered(office, refreshing(4, "uac"))
    assert (invite.get("Session-Expires"), invite.get("Min-SE")) == ("6", "3")
    office.advance(2)
    bob.hears("UPDATE")
