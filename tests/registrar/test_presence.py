"""Presence: the event package (RFC 3856), its documents (RFC 3863), and PUBLISH (RFC 3903)."""

from xml.etree import ElementTree

import pytest

from pbx.errors import PeerError
from pbx.registrar import pidf
from tests.call.chat import PIDF, Lamp, request, watch
from tests.call.office import HOME, Office, Phone, talking

NS = {
    "p": "urn:ietf:params:xml:ns:pidf",
    "dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "r": "urn:ietf:params:xml:ns:pidf:rpid",
}
AWAY = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:101@somewhere">'
    '<tuple id="a"><status><basic>{basic}</basic></status><note>{note}</note></tuple></presence>'
)


def published(basic: str = "closed", note: str = "lunch") -> bytes:
    return AWAY.format(basic=basic, note=note).encode()


def basics(body: bytes) -> list[str | None]:
    root = ElementTree.fromstring(body)
    return [one.text for one in root.findall("p:tuple/p:status/p:basic", NS)]


def notes(body: bytes) -> list[str | None]:
    return [one.text for one in ElementTree.fromstring(body).findall(".//p:note", NS)]


def calling(body: bytes) -> bool:
    root = ElementTree.fromstring(body)
    return root.find("dm:person/r:activities/r:on-the-phone", NS) is not None


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def friend(office: Office) -> Lamp:
    """Who watches 101, who has no phone yet."""
    lamp = watch(office.phone("102"), "101", "presence")
    notify = lamp.notified()
    assert notify.get("Content-Type") == PIDF
    assert basics(notify.body) == ["closed"]
    office.advance(5.2)
    return lamp


def publish(
    phone: Phone, body: bytes = b"", tag: str = "", expires: int = 600, kind: str = PIDF
) -> tuple[int, str]:
    """Publish; return the status and the new entity-tag."""
    headers = f"Event: presence\nExpires: {expires}"
    headers += f"\nContent-Type: {kind}" if body else ""
    headers += f"\nSIP-If-Match: {tag}" if tag else ""
    _, answer = request(phone, "PUBLISH", phone.number, body, headers, contact=False)
    return answer.status, answer.get("SIP-ETag") or ""


class TestSize:
    def test_ten_long_publications_fit_into_one_notify(self, office: Office, friend: Lamp) -> None:
        """The latest ones count; a shorter document of an earlier phone comes back in its place."""
        bob = office.phone("101")
        friend.phone.inbox.clear()
        long = published(note="x" * 16_000)
        tags = [publish(bob, published(note="first"))[1]]
        for number in range(9):
            status, tag = publish(bob, long.replace(b"xxxx", b"%04d" % number, 1))
            assert status == 200
            tags.append(tag)
        office.advance(5.2)
        while friend.phone.inbox:
            notify = friend.notified()
            assert len(notify.body) < 48_000
            office.advance(5.2)
        assert [(note or "")[:4] for note in notes(notify.body)] == ["0007", "0008"]
        for tag in tags[1:]:
            publish(bob, tag=tag, expires=0)
        office.advance(5.2)
        while friend.phone.inbox:
            notify = friend.notified()
            office.advance(5.2)
        assert notes(notify.body) == ["first"]


class TestRfc3856:
    def test_registered_or_not(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        notify = friend.notified()
        assert basics(notify.body) == ["open"]
        assert ElementTree.fromstring(notify.body).get("entity") == f"sip:101@{HOME.host}"
        office.advance(5.2)
        bob.register()
        assert not friend.phone.inbox
        bob.register(expires=0)
        assert basics(friend.notified().body) == ["closed"]

    def test_a_phone_that_does_not_come_back(self, office: Office, friend: Lamp) -> None:
        office.phone("101", register=False).register(expires=120)
        friend.notified()
        office.advance(121)
        assert basics(friend.notified().body) == ["closed"]

    def test_in_a_call(self, office: Office, friend: Lamp) -> None:
        alice, bob = office.phone("100"), office.phone("101")
        friend.notified()
        office.advance(5.2)
        call, _ = talking(alice, bob)
        body = friend.notified().body
        assert basics(body) == ["open"]
        assert calling(body)
        assert b"<rpid:on-the-phone" in body
        office.advance(5.2)
        call.bye()
        assert not calling(friend.notified().body)

    def test_at_most_every_five_seconds(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        bob.register(expires=0)
        office.advance(4.9)
        assert not friend.phone.inbox
        office.advance(0.2)
        assert basics(friend.notified().body) == ["closed"]


class TestRfc3903Section6:
    def test_published(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        office.advance(5.2)
        status, tag = publish(bob, published())
        assert (status, bool(tag)) == (200, True)
        body = friend.notified().body
        assert (basics(body), notes(body)) == (["closed"], ["lunch"])
        assert ElementTree.fromstring(body).get("entity") == f"sip:101@{HOME.host}"

    def test_a_refresh_tells_nobody(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        _, tag = publish(bob, published())
        office.advance(5.2)
        friend.notified()
        office.advance(500)
        status, fresh = publish(bob, tag=tag)
        assert status == 200
        assert fresh != tag
        office.advance(80)
        friend.refresh(3000)
        assert notes(friend.notified().body) == ["lunch"]
        office.advance(300)
        assert not friend.phone.inbox

    def test_modified(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        _, tag = publish(bob, published())
        office.advance(5.2)
        friend.notified()
        assert publish(bob, published(note="back soon"), tag)[0] == 200
        office.advance(5.2)
        assert notes(friend.notified().body) == ["back soon"]

    def test_removed(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        _, tag = publish(bob, published())
        office.advance(5.2)
        friend.notified()
        office.advance(5.2)
        assert publish(bob, tag=tag, expires=0)[0] == 200
        assert basics(friend.notified().body) == ["open"]
        assert office.of_kind("publication") == []
        assert publish(bob, tag=tag)[0] == 412

    def test_run_out(self, office: Office, friend: Lamp) -> None:
        bob = office.phone("101")
        friend.notified()
        office.advance(5.2)
        publish(bob, published(), expires=60)
        assert basics(friend.notified().body) == ["closed"]
        office.advance(60)
        assert basics(friend.notified().body) == ["open"]
        assert office.of_kind("publication") == []

    def test_of_two_phones(self, office: Office) -> None:
        desk, mobile = office.phone("101"), office.phone("101", "192.0.2.50")
        publish(desk, published(note="desk"))
        publish(mobile, published("open", "mobile"))
        body = watch(office.phone("102"), "101", "presence").notified().body
        assert sorted(str(one) for one in basics(body)) == ["closed", "open"]
        assert sorted(str(one) for one in notes(body)) == ["desk", "mobile"]
        ids = [one.get("id") for one in ElementTree.fromstring(body)]
        assert len(set(ids)) == 2

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"", "", 400),
            (b"<presence/>", PIDF, 400),
            (b"<presence", PIDF, 400),
            (b"\xff\xfe", PIDF, 400),
            (b'<?xml version="1.0" encoding="klingon"?><p/>', PIDF, 400),
            (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', PIDF, 400),
            (b"x" * 20_000, PIDF, 413),
            (published(), "application/xpidf+xml", 415),
        ],
    )
    def test_refused(self, office: Office, body: bytes, kind: str, status: int) -> None:
        assert publish(office.phone("101"), body, kind=kind) == (status, "")

    def test_an_unknown_tag(self, office: Office) -> None:
        assert publish(office.phone("101"), published(), "nonsense")[0] == 412

    def test_too_brief(self, office: Office) -> None:
        assert publish(office.phone("101"), published(), expires=3)[0] == 423

    def test_another_event(self, office: Office) -> None:
        headers = f"Event: dialog\nContent-Type: {PIDF}"
        _, answer = request(office.phone("101"), "PUBLISH", "101", published(), headers)
        assert (answer.status, answer.get("Allow-Events")) == (489, "presence")

    def test_of_another(self, office: Office) -> None:
        headers = f"Event: presence\nContent-Type: {PIDF}"
        _, answer = request(office.phone("101"), "PUBLISH", "100", published(), headers)
        assert answer.status == 403

    def test_not_too_many(self, office: Office) -> None:
        bob = office.phone("101")
        answers = [publish(bob, published())[0] for _ in range(11)]
        assert answers == [200] * 10 + [403]

    def test_over_a_restart(self, office: Office) -> None:
        _, tag = publish(office.phone("101"), published())
        fresh = Office(kept=office.kept)
        fresh.now = office.now
        fresh.restore()
        body = watch(fresh.phone("102"), "101", "presence").notified().body
        assert notes(body) == ["lunch"]
        assert publish(fresh.phone("101"), tag=tag)[0] == 200

    @pytest.mark.parametrize(
        "octets",
        [b"{}", b'{"number":"101","tag":"t","body":"eA==","expires_wall_s":9e9}'],
    )
    def test_what_another_version_wrote(self, octets: bytes) -> None:
        fresh = Office(kept={("publication", "t"): octets})
        fresh.restore()
        body = watch(fresh.phone("102"), "101", "presence").notified().body
        assert basics(body) == ["closed"]

    def test_a_user_who_is_gone(self, office: Office) -> None:
        publish(office.phone("101"), published())
        office.remove_user("101")
        assert office.of_kind("publication") == []


class TestPidf:
    """RFC 3863."""

    def test_the_order_of_its_parts(self) -> None:
        parts = [pidf.on_the_phone(), *pidf.own(reachable=True)]
        root = ElementTree.fromstring(pidf.document("sip:1@a", parts))
        assert [one.tag.partition("}")[2] for one in root] == ["tuple", "person"]

    def test_what_is_unknown_stays(self) -> None:
        text = (
            b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="a"><tuple id="x">'
            b'<status><basic>open</basic><mood xmlns="urn:mood">fine</mood></status></tuple>'
            b"</presence>"
        )
        again = ElementTree.fromstring(pidf.document("sip:1@a", pidf.read(text)))
        assert again.findtext("p:tuple/p:status/{urn:mood}mood", namespaces=NS) == "fine"

    def test_many_alike(self) -> None:
        parts = [part for _ in range(4) for part in pidf.own(reachable=True)]
        root = ElementTree.fromstring(pidf.document("sip:1@a", parts))
        assert [one.get("id") for one in root] == ["phones", "phones-2", "phones-3", "phones-4"]
        assert all(one.find("p:status/p:basic", NS) is not None for one in root)

    def test_too_deep(self) -> None:
        with pytest.raises(PeerError) as raised:
            pidf.read(b"<a>" * 1000)
        assert raised.value.status == 400
