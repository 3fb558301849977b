"""REFER outside of calls (RFC 3515): click to dial (RFC 5359 §2.18), Target-Dialog (RFC 4538)."""

import pytest

from pbx.config.settings import CallSettings
from pbx.sip.message import Request, Response
from tests.call.chat import final, request
from tests.call.office import HOME, Office, Phone, established
from tests.call.telco import telco
from tests.call.transferring import answers, causes, connected, told

NO_SUBSCRIPTION = "Refer-Sub: false"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def screen(office: Office) -> Phone:
    """Alice's computer: it has her password, and no telephone."""
    return office.phone("100", "192.0.2.50", register=False)


def to(number: str) -> str:
    return f"Refer-To: <sip:{number}@{HOME.host}>"


def refers(screen: Phone, number: str, more: str = "", *, of: str = "100") -> Response:
    """Ask for a call; return the answer."""
    _, answer = request(screen, "REFER", of, headers=f"{to(number)}\n{more}".strip())
    return answer


class TestRfc5359Section2_18:
    def test_the_call(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        answer = refers(screen, "101", NO_SUBSCRIPTION)
        assert answer.status == 202
        assert answer.get("Refer-Sub") == "false"
        assert answer.contacts
        # Her own phone first; it shows whom the call is for
        own = alice.hears("INVITE")
        assert own.from_.display_name == "User 101"
        assert not bob.inbox
        alice.respond(own, 180, "Ringing")
        answers(alice, own)
        invite = bob.hears("INVITE")
        assert str(invite.from_.without_param("tag")) == '"User 100" <sip:100@192.0.2.1>'
        bob.respond(invite, 180, "Ringing")
        answers(bob, invite)
        again = alice.hears("INVITE")
        assert again.call_id == own.call_id
        answers(alice, again)
        connected(office, alice, bob)
        assert not screen.inbox
        bob.within(invite, "BYE", 2)
        alice.respond(alice.hears("BYE"), 200)
        (facts,) = office.ended
        assert (facts.caller_number, facts.dialed_number, facts.called_number) == (
            "100",
            "101",
            "101",
        )
        assert facts.transferred_by == ""
        assert facts.talk is not None
        assert causes(office) == ["CALLEE_HUNG_UP"]
        bob.inbox.clear()
        office.advance(80)
        office.assert_empty()

    def test_the_ringing_tone_meanwhile(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101", NO_SUBSCRIPTION)
        answers(alice, alice.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), 180, "Ringing")
        assert [type(one).__name__ for one in office.media].count("Play") == 1
        office.assert_private()

    def test_several_phones_of_one_s_own(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        mobile = office.phone("100", "192.0.2.110")
        refers(screen, "101", NO_SUBSCRIPTION)
        first, second = alice.hears("INVITE"), mobile.hears("INVITE")
        alice.respond(first, 180, "Ringing")
        answers(mobile, second)
        alice.respond(alice.hears("CANCEL"), 200)
        alice.respond(first, 487)
        answers(bob, bob.hears("INVITE"))
        answers(mobile, mobile.hears("INVITE"))
        connected(office, mobile, bob)

    def test_a_phone_that_is_to_answer_by_itself(self, office: Office, screen: Phone) -> None:
        """RFC 5373: it's one's own phone that answers at once, not the other party's."""
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101", "Answer-Mode: Auto")
        own = alice.hears("INVITE")
        assert own.get("Answer-Mode") == "Auto"
        answers(alice, own)
        assert bob.hears("INVITE").get("Answer-Mode") is None

    def test_a_service(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        refers(screen, "*43")
        told(screen, 100)
        answers(alice, alice.hears("INVITE"))
        told(screen, 200)
        # Our session, then one codec of it
        answers(alice, alice.hears("INVITE"))
        pcma = alice.sdp().replace(b"8 0 101", b"8 101")
        alice.respond(alice.hears("INVITE"), 200, "OK", pcma)
        alice.hears("ACK")
        (running,) = office.exchange.calls.values()
        assert running.facts.dialed_number == "*43"
        office.exchange.stop(office.now)
        office.pump()
        alice.respond(alice.hears("BYE"), 200)
        office.advance(80)
        office.assert_empty()


class TestRfc3515Section2_4:
    def test_what_becomes_of_it(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call_id, answer = request(screen, "REFER", "100", headers=to("101"))
        assert answer.status == 202
        assert answer.get("Refer-Sub") is None
        (trying,) = told(screen, 100)
        # "The dialog identifiers (To, From, and Call-ID) of each NOTIFY must match"
        assert (trying.call_id, trying.from_.tag, trying.to.tag) == (call_id, answer.to.tag, "ft")
        assert trying.get("Event") == "refer"
        assert trying.get("Subscription-State") == "active;expires=180"
        answers(alice, alice.hears("INVITE"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        told(screen, 180)
        answers(bob, invite)
        (last,) = told(screen, 200)
        assert last.get("Subscription-State") == "terminated;reason=noresource"
        assert last.cseq.number == trying.cseq.number + 2

    def test_one_notify_at_a_time(self, office: Office, screen: Phone) -> None:
        """What changes while one is under way goes into the next one, and the newest counts."""
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101")
        trying = screen.hears("NOTIFY")
        answers(alice, alice.hears("INVITE"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        answers(bob, invite)
        assert not screen.inbox
        screen.respond(trying, 200)
        told(screen, 200)

    @pytest.mark.parametrize(("status", "heard"), [(486, 486), (603, 603), (404, 404), (500, 500)])
    def test_the_other_party_refuses(
        self, office: Office, screen: Phone, status: int, heard: int
    ) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101")
        told(screen, 100)
        answers(alice, alice.hears("INVITE"))
        bob.respond(bob.hears("INVITE"), status, "No")
        bob.hears("ACK")
        told(screen, heard)
        alice.respond(alice.hears("BYE"), 200)
        assert causes(office) == ["CALLEE_REJECTED"] or status == 486
        office.advance(80)
        office.assert_empty()

    def test_one_s_own_phone_refuses(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        bob = office.phone("101")
        refers(screen, "101")
        told(screen, 100)
        alice.respond(alice.hears("INVITE"), 486, "Busy Here")
        alice.hears("ACK")
        told(screen, 486)
        assert not bob.inbox
        (facts,) = office.ended
        assert facts.caller_number == "100"
        office.advance(80)
        office.assert_empty()

    def test_nobody_picks_up_one_s_own_phone(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        office.phone("101")
        refers(screen, "101")
        told(screen, 100)
        invite = alice.hears("INVITE")
        alice.respond(invite, 180, "Ringing")
        office.advance(61)
        alice.respond(alice.hears("CANCEL"), 200)
        alice.respond(invite, 487)
        assert causes(office) == ["NO_ANSWER"]
        told(screen, 480)

    def test_one_hangs_up_before_the_answer(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101", NO_SUBSCRIPTION)
        own = alice.hears("INVITE")
        answers(alice, own)
        invite = bob.hears("INVITE")
        bob.respond(invite, 180, "Ringing")
        alice.within(own, "BYE", 2)
        alice.response(200)
        bob.respond(bob.hears("CANCEL"), 200)
        bob.respond(invite, 487)
        bob.hears("ACK")
        office.advance(80)
        office.assert_empty()

    @pytest.mark.parametrize(("number", "status"), [("999", 404), ("103", 480)])
    def test_who_is_not_there(
        self, office: Office, screen: Phone, number: str, status: int
    ) -> None:
        """One's own phone doesn't ring for nothing."""
        alice = office.phone("100")
        refers(screen, number)
        told(screen, 100, status)
        assert not alice.inbox
        assert [facts.dialed_number for facts in office.ended] == [number]
        office.advance(80)
        office.assert_empty()

    def test_no_phone_of_one_s_own(self, office: Office, screen: Phone) -> None:
        bob = office.phone("101")
        refers(screen, "101")
        told(screen, 100, 480)
        assert not bob.inbox

    def test_no_engine(self) -> None:
        office = Office(engine=False)
        screen = office.phone("100", "192.0.2.50", register=False)
        alice, _ = office.phone("100"), office.phone("101")
        refers(screen, "101")
        told(screen, 100)
        assert not alice.inbox
        assert len(office.ended) == 1

    def test_the_subscription_is_ended(self, office: Office, screen: Phone) -> None:
        """The call goes on (§2.4.4)."""
        alice, bob = office.phone("100"), office.phone("101")
        call_id, answer = request(screen, "REFER", "100", headers=to("101"))
        told(screen, 100)
        contacts = answer.contacts
        assert isinstance(contacts, list)
        screen.request(
            "SUBSCRIBE", str(contacts[0].uri), call_id=call_id, cseq=3, to=answer.get("To"),
            headers="Event: refer\nExpires: 0",
        )  # fmt: skip
        assert final(screen).status == 200
        notify = screen.hears("NOTIFY")
        assert notify.get("Subscription-State") == "terminated;reason=timeout"
        screen.respond(notify, 200)
        answers(alice, alice.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        assert not screen.inbox

    @pytest.mark.parametrize(
        ("method", "headers", "status"),
        [("INFO", "", 405), ("SUBSCRIBE", "Event: dialog", 481), ("SUBSCRIBE", "", 481)],
    )
    def test_what_has_no_business_there(
        self, office: Office, screen: Phone, method: str, headers: str, status: int
    ) -> None:
        office.phone("100")
        office.phone("101")
        call_id, answer = request(screen, "REFER", "100", headers=to("101"))
        told(screen, 100)
        screen.request(
            method, f"sip:100@{HOME.host}", call_id=call_id, cseq=3, to=answer.get("To"),
            headers=headers,
        )  # fmt: skip
        assert final(screen).status == status

    @pytest.mark.parametrize("status", [481, 500])
    def test_nobody_listens(self, office: Office, screen: Phone, status: int) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101")
        screen.respond(screen.hears("NOTIFY"), status, "No")
        answers(alice, alice.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        assert not screen.inbox
        assert len(office.exchange.calls) == 1

    def test_it_takes_too_long(self) -> None:
        """The subscription's time runs out; nobody has refreshed it."""
        office = Office(CallSettings(no_answer_s=0))
        screen = office.phone("100", "192.0.2.50", register=False)
        alice, bob = office.phone("100"), office.phone("101")
        refers(screen, "101")
        told(screen, 100)
        answers(alice, alice.hears("INVITE"))
        invite = bob.hears("INVITE")
        bob.respond(invite, 182, "Queued")
        told(screen, 182)
        office.advance(100)
        bob.respond(invite, 182, "Queued")
        office.advance(80.2)
        (last,) = screen.inbox
        assert isinstance(last, Request)
        assert last.get("Subscription-State") == "terminated;reason=timeout"
        assert last.body.startswith(b"SIP/2.0 182 ")


class TestWhoMay:
    def test_nobody_with_calls_enough(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        office.change_user("100", most_outgoing=0)
        refers(screen, "101", NO_SUBSCRIPTION)
        assert not alice.inbox
        assert not bob.inbox
        assert causes(office) == ["USER_FULL"]

    def test_a_call_asked_for_is_one_that_it_makes(self, office: Office, screen: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        office.change_user("100", most_outgoing=1)
        refers(screen, "101", NO_SUBSCRIPTION)
        answers(alice, alice.hears("INVITE"))
        answers(bob, bob.hears("INVITE"))
        answers(alice, alice.hears("INVITE"))
        office.phone("102")
        alice.invite("102", call_id="another")
        assert causes(office) == ["USER_FULL"]

    def test_an_emergency_call_all_the_same(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        telco(office)
        office.change_user("100", most_outgoing=0)
        refers(screen, "112", NO_SUBSCRIPTION)
        alice.hears("INVITE")

    def test_nobody_without_a_password(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        screen.request("REFER", f"sip:100@{HOME.host}", call_id="x", cseq=1, headers=to("101"))
        screen.response(407)
        assert not alice.inbox

    def test_nobody_in_another_one_s_name(self, office: Office, screen: Phone) -> None:
        bob = office.phone("101")
        office.phone("100")
        assert refers(screen, "100", of="101").status == 403
        assert not bob.inbox

    def test_the_server_alone(self, office: Office, screen: Phone) -> None:
        alice = office.phone("100")
        office.phone("101")
        assert refers(screen, "101", of="").status == 202
        assert alice.inbox

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ("", 400),
            (f"{to('101')}\n{to('102')}", 400),
            ("Refer-To: <mailto:a@b>", 416),
            (f"Refer-To: <sip:101@{HOME.host};method=BYE>", 403),
            (f"Refer-To: <sip:101@{HOME.host}?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>", 403),
            ("Refer-To: <sip:1%0D%0A02@x>", 400),
            (f"{to('101')}\nTarget-Dialog: a;local-tag=b;local-tag=c", 400),
            (f"{to('101')}\nRequire: nothing", 420),
        ],
    )
    def test_what_cannot_be_done(
        self, office: Office, screen: Phone, headers: str, status: int
    ) -> None:
        office.phone("100")
        _, answer = request(screen, "REFER", "100", headers=headers)
        assert answer.status == status
        assert office.exchange.calls == {}
        office.advance(80)
        office.assert_empty()

    def test_no_contact(self, office: Office, screen: Phone) -> None:
        office.phone("100")
        _, answer = request(screen, "REFER", "100", headers=to("101"), contact=False)
        assert answer.status == 400


class TestRfc4538:
    """A REFER that is about a call, outside its dialog: as in RFC 5589 §6, for phones with GRUUs."""

    @staticmethod
    def about(call_id: str, local: str | None, remote: str | None) -> str:
        return f"Require: tdialog\nTarget-Dialog: {call_id};local-tag={local};remote-tag={remote}"

    def test_blind(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        assert call.answer is not None
        about = self.about(call.call_id, call.answer.to.tag, call.answer.from_.tag)
        call_id, answer = request(alice, "REFER", "101", headers=f"{to('102')}\n{about}")
        assert answer.status == 202
        (trying,) = told(alice, 100)
        assert trying.call_id == call_id
        answers(carol, carol.hears("INVITE"))
        told(alice, 200)
        answers(bob, bob.hears("INVITE"))
        connected(office, bob, carol)

    def test_another_one_s_call(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol = office.phone("102")
        assert call.answer is not None
        about = self.about(call.call_id, call.answer.to.tag, call.answer.from_.tag)
        _, answer = request(carol, "REFER", "101", headers=f"{to('102')}\n{about}")
        assert answer.status == 403
        assert len(office.exchange.calls) == 1

    def test_a_dialog_that_is_not_there(self, office: Office) -> None:
        """§4: "the header field MUST be ignored"; what is left asks for another one's phone."""
        alice, bob, _, _ = established(office)
        _, answer = request(
            alice, "REFER", "101", headers=f"{to('102')}\n{self.about('no', 'a', 'b')}"
        )
        assert answer.status == 403

    def test_only_one_tag(self, office: Office) -> None:
        alice, _, call, _ = established(office)
        headers = f"{to('102')}\nTarget-Dialog: {call.call_id};local-tag=x"
        _, answer = request(alice, "REFER", "101", headers=headers)
        assert answer.status == 403


def test_who_subscribes_to_refer_is_refused(office: Office) -> None:
    """RFC 3515 §2.4.4: "If a SUBSCRIBE request for event refer is received for a subscription that
    does not already exist, it MUST be rejected with a 403."
    """
    alice = office.phone("100")
    _, answer = request(alice, "SUBSCRIBE", "101", headers="Event: refer")
    assert answer.status == 403
