"""Busy lamps: the dialog event package (RFC 4235)."""

from xml.etree import ElementTree

import pytest

from pbx.call.facts import CallFacts
from pbx.registrar.dialog_info import MOST_TOLD, DialogInfo
from pbx.sip.flow import Flow
from pbx.sip.message import Request
from tests.call.chat import Lamp, watch
from tests.call.office import HOME, Office, Phone, established, talking

NAMESPACE = "{urn:ietf:params:xml:ns:dialog-info}"


def shown(body: bytes) -> list[tuple[str, str]]:
    """State and direction of each dialog of a document."""
    root = ElementTree.fromstring(body)
    assert root.tag == f"{NAMESPACE}dialog-info"
    assert root.get("state") == "full"
    found = []
    for dialog in root:
        assert dialog.tag == f"{NAMESPACE}dialog"
        assert dialog.get("id")
        found.append((dialog.findtext(f"{NAMESPACE}state") or "", dialog.get("direction") or ""))
    return found


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def lamps(office: Office) -> tuple[Lamp, Lamp]:
    """A console's lamps of 100 and of 101."""
    console = office.phone("102")
    one, other = watch(console, "100"), watch(console, "101")
    for each in (one, other):
        assert shown(each.notified().body) == []
    return one, other


def lit(office: Office, *lamps: Lamp) -> list[list[tuple[str, str]]]:
    """What each lamp is told next, in their order."""
    office.advance(1.1)
    told: dict[str, list[tuple[str, str]]] = {}
    phone = lamps[0].phone
    while phone.inbox:
        (lamp,) = [one for one in lamps if one.call_id == phone.inbox[0].call_id]
        told[lamp.call_id] = shown(lamp.notified().body)
    return [told[lamp.call_id] for lamp in lamps]


class TestRfc4235Section3_7_1:
    def test_a_call(self, office: Office, lamps: tuple[Lamp, Lamp]) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        invite = bob.hears("INVITE")
        assert lit(office, lamps[0]) == [[("proceeding", "initiator")]]
        bob.respond(invite, 180)
        assert lit(office, *lamps) == [[("early", "initiator")], [("early", "recipient")]]
        alice.response(180)
        bob.respond(invite, 200, "OK", bob.sdp())
        call.answered()
        call.ack()
        assert lit(office, *lamps) == [[("confirmed", "initiator")], [("confirmed", "recipient")]]
        call.bye()
        office.advance(0.1)
        (bye,) = [one for one in bob.inbox if isinstance(one, Request) and one.method == "BYE"]
        bob.respond(bye, 200)
        ended = [[("terminated", "initiator")], [("terminated", "recipient")]]
        assert lit(office, *lamps) == ended

    def test_a_caller_who_gives_up(self, office: Office, lamps: tuple[Lamp, Lamp]) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        lit(office, *lamps)
        alice.inbox.clear()
        call.cancel()
        ended = [[("terminated", "initiator")], [("terminated", "recipient")]]
        assert lit(office, *lamps) == ended

    def test_a_phone_that_refuses_never_lit_its_lamp(
        self, office: Office, lamps: tuple[Lamp, Lamp]
    ) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        alice.invite("101")
        bob.respond(bob.hears("INVITE"), 486)
        office.advance(1.1)
        calls = {one.call_id for one in lamps[0].phone.inbox}
        assert calls == {lamps[0].call_id}

    def test_who_comes_later_sees_what_is(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        talking(alice, bob)
        lamp = watch(office.phone("102"), "101")
        assert shown(lamp.notified().body) == [("confirmed", "recipient")]

    def test_a_service(self, office: Office, lamps: tuple[Lamp, Lamp]) -> None:
        alice = office.phone("100")
        alice.invite("*43")
        assert lit(office, lamps[0]) == [[("confirmed", "initiator")]]


class TestDocument:
    def test_whose_it_is(self, office: Office) -> None:
        body = watch(office.phone("102"), "100").notified().body
        assert ElementTree.fromstring(body).get("entity") == f"sip:100@{HOME.host}"

    def test_the_version_rises_by_one(self, office: Office) -> None:
        lamp = watch(office.phone("102"), "100")
        versions = []
        for _ in range(3):
            versions.append(ElementTree.fromstring(lamp.notified().body).get("version"))
            lamp.refresh()
        assert versions == ["0", "1", "2"]

    def test_who_the_other_is_stays_private(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        talking(alice, bob)
        body = watch(office.phone("102"), "101").notified().body
        assert b"100" not in body.partition(b"<dialog ")[2].partition(b"<state>")[2]


class TestRfc3891:
    def test_who_watches_may_pick_up(self, office: Office) -> None:
        """The document says what the INVITE's Replaces has to name, while the call rings."""
        alice, bob, carol = (office.phone(number) for number in ("100", "101", "102"))
        lamp = watch(carol, "101")
        lamp.notified()
        call = alice.invite("101")
        bob.respond(bob.hears("INVITE"), 180)
        alice.response(180)
        office.advance(1.1)
        (dialog,) = ElementTree.fromstring(lamp.notified().body)
        names = [dialog.get(name) for name in ("call-id", "local-tag", "remote-tag")]
        replaces = "Replaces: {};to-tag={};from-tag={}".format(*names)
        taken = carol.invite("101", call_id="pick-up", headers=replaces)
        assert str(taken.answered().to.uri) == f"sip:101@{HOME.host}"
        taken.ack()
        call.answered()
        call.ack()
        office.assert_private()
        office.advance(1.1)
        (dialog,) = ElementTree.fromstring(lamp.notified().body)
        assert dialog.findtext(f"{NAMESPACE}state") == "terminated"
        assert dialog.get("call-id") is None


def facts(talk: float | None = None, release: float | None = None, called: str = "2") -> CallFacts:
    return CallFacts("c", "id", "1", called, 0.0, called, talk=talk, release=release)


class TestLines:
    def test_a_party_that_a_transfer_takes_out(self) -> None:
        calls = DialogInfo(lambda number: True)
        assert calls.call_changed(facts(talk=1.0)) == ["1", "2"]
        assert calls.call_changed(facts(talk=1.0, called="3")) == ["2", "3"]
        assert not calls.busy("2")
        assert calls.busy("3")
        assert calls.call_changed(facts(talk=1.0, release=2.0, called="3")) == ["1", "3"]
        assert not calls.busy("1")

    def test_a_call_to_oneself(self) -> None:
        calls = DialogInfo(lambda number: True)
        assert calls.call_changed(facts(talk=1.0, called="1")) == ["1"]
        assert calls.call_changed(facts(talk=1.0, called="1")) == []

    def test_numbers_of_nobody_have_no_lamp(self) -> None:
        calls = DialogInfo(lambda number: number == "1")
        assert calls.call_changed(facts(talk=1.0, called="*43")) == ["1"]


class TestTransfer:
    def test_lamps_follow_it(self, office: Office) -> None:
        alice, bob, call, _ = established(office)
        carol, console = office.phone("102"), office.phone("103")
        lamps = [watch(console, number) for number in ("100", "101", "102")]
        before = [shown(lamp.notified().body) for lamp in lamps]
        assert before == [[("confirmed", "initiator")], [("confirmed", "recipient")], []]
        office.advance(1.1)
        call.request("REFER", 3, headers=f"Refer-To: <sip:102@{HOME.host}>")
        carol.respond(carol.hears("INVITE"), 200, "OK", carol.sdp())
        told: dict[str, list[tuple[str, str]]] = {}
        for _ in range(3):
            office.advance(1.1)
            alice.inbox.clear()
            for message in list(console.inbox):
                console.inbox.remove(message)
                assert isinstance(message, Request)
                console.respond(message, 200)
                (lamp,) = [one for one in lamps if one.call_id == message.call_id]
                told[lamp.number] = shown(message.body)
        assert told["100"] == [("terminated", "initiator")]
        assert ("confirmed", "initiator") in told["101"]
        assert told["102"] == [("confirmed", "recipient")]


class TestSize:
    def test_a_document_fits_into_one_notify(self) -> None:
        """Of a number that is in a thousand calls, the newest are told of."""
        info = DialogInfo(lambda number: number == "100")
        for name in range(1000):
            facts = CallFacts(f"{name:016x}", "c", "55", "100", 0.0, called_number="100")
            facts.alert = 1.0
            assert info.call_changed(facts) == ["100"]
        octets = info.document("100", Flow("udp", HOME, HOME), 4_000_000_000, own=False)
        assert len(octets) < 32_768
        assert len(shown(octets)) == MOST_TOLD
        assert b'id="00000000000003e7-r"' in octets


class TestPhones:
    def test_the_lamp_of_a_phone_by_tcp(self, office: Office) -> None:
        console = office.phone("102", connection=3)
        lamp = watch(console, "100")
        assert isinstance(console, Phone)
        assert shown(lamp.notified().body) == []
