"""Subscriptions, as their notifier has them (RFC 6665 §4.2)."""

import random
from xml.etree import ElementTree

import pytest

from pbx.call.facts import CallFacts
from pbx.registrar.watchers import ALIKE
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response
from tests.call.chat import Lamp, request, watch
from tests.call.office import HOME, Office, Phone, talking


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def carol(office: Office) -> Phone:
    return office.phone("102")


def again(office: Office) -> Office:
    """The exchange after a restart, on the same data, with the same phones."""
    fresh = Office(kept=office.kept)
    fresh.now = office.now
    fresh.phones = office.phones
    for phone in fresh.phones.values():
        assert isinstance(phone, Phone)
        phone.office = fresh
        fresh.bindings.restore(office.bindings.of(phone.number, office.now))
    fresh.restore()
    return fresh


def notified(lamp: Lamp) -> tuple[int, str]:
    notify = lamp.notified()
    return notify.cseq.number, notify.get("Subscription-State") or ""


class TestRfc6665Section4_2_1:
    """SUBSCRIBE."""

    def test_a_notify_follows_at_once(self, carol: Phone) -> None:
        lamp = watch(carol, "100")
        notify = lamp.notified()
        assert notify.get("Event") == "dialog"
        assert notify.get("Subscription-State") == "active;expires=600"
        assert notify.get("Content-Type") == "application/dialog-info+xml"
        assert notify.from_.tag == lamp.to.partition("tag=")[2]
        assert notify.to.tag == lamp.tag
        assert notify.uri == f"sip:102@{carol.address.host}:5060"
        assert notify.get("Contact") == f"<sip:100@{HOME.host}:5060>"

    def test_through_proxies(self, carol: Phone) -> None:
        route = "<sip:edge.example;lr>"
        _, answer = request(
            carol, "SUBSCRIBE", "100", headers=f"Event: dialog\nRecord-Route: {route}"
        )
        assert answer.all("Record-Route") == [route]
        notify = carol.hears("NOTIFY")
        assert notify.all("Route") == [route]

    def test_how_long(self, office: Office, carol: Phone) -> None:
        for asked, granted in (("", "3600"), ("Expires: 60", "60"), ("Expires: 99999", "3600")):
            headers = f"Event: dialog\n{asked}".strip()
            _, answer = request(carol, "SUBSCRIBE", "100", headers=headers)
            assert answer.get("Expires") == granted
            carol.respond(carol.hears("NOTIFY"), 200)

    def test_too_brief(self, carol: Phone) -> None:
        _, answer = request(carol, "SUBSCRIBE", "100", headers="Event: dialog\nExpires: 5")
        assert (answer.status, answer.get("Min-Expires")) == (423, "60")

    def test_nothing_but_the_state_now(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100", expires=0)
        assert lamp.state() == "terminated;reason=timeout"
        assert office.kept == {}
        office.advance(60)
        assert office.endpoint.transaction_count == 0

    @pytest.mark.parametrize("headers", ["", "Event: weather", "Event: dialog.winfo"])
    def test_what_cannot_be_watched(self, carol: Phone, headers: str) -> None:
        _, answer = request(carol, "SUBSCRIBE", "100", headers=headers)
        assert answer.status == 489
        assert answer.get("Allow-Events") == "dialog, presence, message-summary"

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ("Event: ;", 400),
            ("Event: dialog\nExpires: soon", 400),
            ("Event: dialog\nAccept: application/pidf+xml", 406),
        ],
    )
    def test_what_cannot_be_served(self, carol: Phone, headers: str, status: int) -> None:
        _, answer = request(carol, "SUBSCRIBE", "100", headers=headers)
        assert answer.status == status

    def test_a_user_that_is_not_there(self, carol: Phone) -> None:
        _, answer = request(carol, "SUBSCRIBE", "555", headers="Event: dialog")
        assert answer.status == 404

    def test_without_contact(self, carol: Phone) -> None:
        _, answer = request(carol, "SUBSCRIBE", "100", headers="Event: dialog", contact=False)
        assert answer.status == 400

    def test_only_users(self, office: Office, carol: Phone) -> None:
        carol.request(
            "SUBSCRIBE", f"sip:100@{HOME.host}", call_id="x", cseq=1, headers="Event: dialog"
        )
        carol.response(401)

    def test_a_refresh(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        office.advance(500)
        answer = lamp.refresh(300)
        assert (answer.status, answer.get("Expires")) == (200, "300")
        assert lamp.state() == "active;expires=300"
        office.advance(290)
        assert not carol.inbox

    def test_the_end_of_it(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        assert lamp.refresh(0).status == 200
        assert lamp.state() == "terminated;reason=timeout"
        assert lamp.refresh(600).status == 481
        assert office.kept == {}

    def test_out_of_order(self, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        assert lamp.refresh(cseq=9).status == 200
        lamp.notified()
        assert lamp.refresh(cseq=5).status == 500
        assert lamp.refresh(cseq=10).status == 200

    def test_another_event_in_the_dialog(self, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        lamp.event = "presence"
        assert lamp.refresh().status == 481
        lamp.event = "weather"
        assert lamp.refresh().status == 489

    def test_another_method_in_the_dialog(self, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        carol.request("INFO", lamp.uri, call_id=lamp.call_id, cseq=7, to=lamp.to, from_tag=lamp.tag)
        assert carol.response(405).get("Allow") == "SUBSCRIBE"

    def test_another_phone_in_the_dialog(self, carol: Phone) -> None:
        """RFC 3261 §12.2.2: both tags make the dialog."""
        lamp = watch(carol, "100")
        lamp.notified()
        tag, lamp.tag = lamp.tag, "another"
        assert lamp.refresh(0).status == 481
        lamp.tag = tag
        assert lamp.refresh().status == 200
        assert lamp.state() == "active;expires=600"

    def test_several_ids(self, carol: Phone) -> None:
        lamp = watch(carol, "100", "dialog;id=7")
        assert lamp.notified().get("Event") == "dialog;id=7"


class TestRfc6665Section4_2_2:
    """NOTIFY."""

    def test_when_the_time_is_over(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        office.advance(601)
        assert lamp.state() == "terminated;reason=timeout"
        assert office.kept == {}

    def test_no_notify_overtakes_another(self, office: Office, carol: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        lamp = watch(carol, "100")
        first = carol.hears("NOTIFY")
        call, _ = talking(alice, bob)
        office.advance(0.3)
        assert not carol.inbox
        carol.respond(first, 200)
        office.advance(1)
        assert b"<state>confirmed</state>" in lamp.notified().body
        call.bye()

    @pytest.mark.parametrize("status", [481, 404, 489, 500])
    def test_a_refusal_ends_it(self, office: Office, carol: Phone, status: int) -> None:
        lamp = watch(carol, "100")
        lamp.notified(status)
        assert office.kept == {}
        assert lamp.refresh().status == 481

    def test_unless_it_is_to_be_sent_again_later(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified(503, "Retry-After: 20 (starting)")
        office.advance(19)
        assert not carol.inbox
        office.advance(2)
        assert lamp.state() == "active;expires=580"

    def test_a_bad_time_of_later(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified(503, "Retry-After: soon")
        office.advance(599)
        assert not carol.inbox

    def test_silence_ends_it(self, office: Office, carol: Phone) -> None:
        watch(carol, "100")
        office.advance(33)
        assert all(not isinstance(one, Response) for one in carol.inbox)
        assert office.kept == {}

    def test_a_lost_notify_comes_again(self, office: Office, carol: Phone) -> None:
        office.wire = lambda data: 0 if data.startswith(b"NOTIFY") else 1
        lamp = watch(carol, "100")
        assert not carol.inbox
        office.wire = lambda data: 1
        office.advance(1)
        assert lamp.state() == "active;expires=600"

    def test_at_most_once_a_second(self, office: Office, carol: Phone) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        lamp = watch(carol, "100")
        lamp.notified()
        office.advance(2)
        call = alice.invite("101")
        assert b"proceeding" in lamp.notified().body
        bob.respond(bob.hears("INVITE"), 180)
        office.advance(0.5)
        call.cancel()
        assert not carol.inbox
        office.advance(0.6)
        assert b"terminated" in lamp.notified().body
        assert not carol.inbox


class Answering(Phone):
    """A phone that answers each NOTIFY, and keeps the newest by its CSeq."""

    newest: Request | None = None

    def deliver(self, data: bytes, flow: Flow) -> None:
        super().deliver(data, flow)
        last = self.inbox[-1]
        if isinstance(last, Request) and last.method == "NOTIFY":
            self.inbox.pop()
            self.respond(last, 200)
            if self.newest is None or last.cseq.number > self.newest.cseq.number:
                self.newest = last


class TestLoss:
    @pytest.mark.parametrize("seed", range(30))
    def test_a_lamp_shows_what_is_in_the_end(self, office: Office, seed: int) -> None:
        """A third of all messages is lost, each way, and a tenth comes twice."""
        address = Address("192.0.2.12", 5060)
        phone = office.phones[address] = Answering(office, "102", address)
        watch(phone, "100")
        draw = random.Random(seed)
        office.wire = lambda data: draw.choices((0, 1, 2), (33, 57, 10))[0]
        for turn in range(6):
            facts = CallFacts(f"c{turn}", "", "100", "1", 0.0)
            for _ in range(2):
                office.lamps.call_changed(facts)
                office.pump()
                office.advance(draw.random() * 8)
                facts.talk = office.now
            if turn < 5:
                facts.release = office.now
                office.lamps.call_changed(facts)
                office.pump()
                office.advance(draw.random() * 3)
        office.advance(30)
        assert phone.newest is not None
        assert phone.newest.body.count(b"<state>confirmed</state>") == 1
        assert b"terminated" not in phone.newest.body


class TestCarefully:
    def test_a_phone_that_forgets_its_subscriptions(self, office: Office, carol: Phone) -> None:
        for _ in range(20):
            watch(carol, "102", "message-summary").notified()
        assert len(office.kept) == ALIKE
        office.advance(600.1)
        assert len(carol.inbox) == ALIKE

    def test_a_users_subscriptions_have_a_bound(
        self, office: Office, carol: Phone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pbx.registrar.watchers.MOST", 2)
        watch(carol, "100").notified()
        watch(carol, "101").notified()
        _, answer = request(carol, "SUBSCRIBE", "103", headers="Event: dialog")
        assert answer.status == 403
        watch(office.phone("101"), "103").notified()

    def test_a_user_who_is_gone(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        office.remove_user("100")
        assert lamp.state() == "terminated;reason=noresource"
        assert office.kept == {}

    def test_whose_own_number_is_gone(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        office.remove_user("102")
        assert lamp.state() == "terminated;reason=noresource"

    def test_another_password(self, office: Office, carol: Phone) -> None:
        mine = watch(carol, "100")
        mine.notified()
        other = watch(office.phone("101"), "102")
        other.notified()
        office.set_password("102", "another")
        assert mine.state() == "terminated;reason=deactivated"
        assert not other.phone.inbox
        assert other.refresh().status == 200


class TestOverARestart:
    def test_it_goes_on(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        number, _ = notified(lamp)
        fresh = again(office)
        fresh.advance(0.1)
        later, state = notified(lamp)
        assert later > number
        assert state == "active;expires=600"
        assert lamp.refresh(300).status == 200
        assert notified(lamp) == (later + 1, "active;expires=300")

    def test_its_numbers_only_rise(self, office: Office, carol: Phone) -> None:
        """However many NOTIFYs there were since it was kept last."""
        lamp = watch(carol, "100")
        seen = [lamp.notified()]
        for _ in range(3):
            for turn in range(11):
                office.advance(1.1)
                office.lamps.call_changed(CallFacts(f"c{turn}", "", "100", "1", 0.0))
                office.pump()
                seen.append(lamp.notified())
            office = again(office)
            office.advance(0.1)
            seen.append(lamp.notified())
        assert len(seen) == 37
        numbers = [one.cseq.number for one in seen]
        versions = [int(ElementTree.fromstring(one.body).get("version") or "") for one in seen]
        for found in (numbers, versions):
            assert found == sorted(set(found))

    def test_one_that_has_run_out_meanwhile(self, office: Office, carol: Phone) -> None:
        lamp = watch(carol, "100")
        lamp.notified()
        office.now += 700
        fresh = again(office)
        fresh.advance(1)
        assert lamp.state() == "terminated;reason=timeout"
        assert fresh.kept == {}

    @pytest.mark.parametrize("octets", [b"{}", b"[]", b"\xff"])
    def test_what_another_version_wrote(self, office: Office, octets: bytes) -> None:
        office.kept[("subscription", "s")] = octets
        again(office)


class TestTcp:
    def test_by_the_phones_connection(self, office: Office) -> None:
        carol, alice = office.phone("102", connection=4), office.phone("100")
        lamp = watch(carol, "100")
        assert lamp.notified().via.transport == "TCP"
        carol.reconnect(5)
        office.advance(2)
        office.phone("101")
        alice.invite("101")
        # The old connection is gone: the phone's own address is tried.
        assert b"proceeding" in lamp.notified().body
