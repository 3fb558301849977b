import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import PeerError
from pbx.sip.dialog import Dialog, dialog_id_of
from pbx.sip.message import Request, Response, response_to

INVITE = (
    ("Via", "SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1"),
    ("From", '"Bob, B." <sip:bob@example.org;user=phone>;tag=b'),
    ("To", "Alice <sip:alice@example.com>"),
    ("Call-ID", "c1"),
    ("CSeq", "314159 INVITE"),
    ("Contact", "<sip:bob@192.0.2.2:5070;transport=tcp>;expires=60"),
    ("Record-Route", "<sip:p2.example.com;lr;did=a%41>, <sip:p1.example.org;lr>"),
)


def invite(uri: str = "sip:alice@example.com", **changes: str | None) -> Request:
    values = {**dict(INVITE), **{name.replace("_", "-"): value for name, value in changes.items()}}
    headers = [(name, value) for name, value in values.items() if value is not None]
    return Request("INVITE", uri, headers)


def answer(status: int = 200, request: Request | None = None, **changes: str | None) -> Response:
    response = response_to(request or invite(), status, to_tag="a")
    values: dict[str, str | None] = {
        "Contact": "<sip:alice@192.0.2.1:5080>",
        "Record-Route": "<sip:p2.example.com;lr>, <sip:p1.example.org;lr>",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    for name, value in values.items():
        if value is not None:
            response.set(name, value)
    return response


def dialog(**changes: object) -> Dialog:
    state = {**Dialog.uas(invite(Record_Route=None), "a").to_dict(), **changes}
    return Dialog.from_dict(state)


class TestRfc3261Section12_1_1:
    """UAS behaviour."""

    def test_state(self) -> None:
        made = Dialog.uas(invite(), "a")
        assert made.id == ("c1", "a", "b")
        assert made.local_uri == "Alice <sip:alice@example.com>".replace("Alice", '"Alice"')
        assert made.remote_uri == '"Bob, B." <sip:bob@example.org;user=phone>'
        assert made.local_seq == 0
        assert made.remote_seq == 314159
        assert made.route_set == ["<sip:p2.example.com;lr;did=a%41>", "<sip:p1.example.org;lr>"]
        assert made.remote_target == "sip:bob@192.0.2.2:5070;transport=tcp"
        assert not made.secure
        early = made.confirmed
        made.confirm()
        assert (early, made.confirmed) == (False, True)

    def test_no_record_route(self) -> None:
        assert Dialog.uas(invite(Record_Route=None), "a").route_set == []

    def test_no_from_tag(self) -> None:
        made = Dialog.uas(invite(From="<sip:bob@example.org>"), "a")
        assert made.remote_tag == ""
        assert made.request("BYE").get("To") == "<sip:bob@example.org>"

    @pytest.mark.parametrize(
        ("uri", "secure"),
        [("sips:alice@example.com", True), ("sip:alice@x", False), ("tel:+1", False)],
    )
    def test_secure(self, uri: str, secure: bool) -> None:
        assert Dialog.uas(invite(uri), "a").secure is secure

    @pytest.mark.parametrize("contact", [None, "*", "<sip:a@b>, <sip:c@d>", "<sip:a@b"])
    def test_not_one_contact(self, contact: str | None) -> None:
        with pytest.raises(PeerError) as caught:
            Dialog.uas(invite(Contact=contact), "a")
        assert caught.value.status == 400

    @pytest.mark.parametrize("route", ["<sip:p1", '"open <sip:p1>', "<sip:a>, <x>"])
    def test_unreadable_record_route(self, route: str) -> None:
        with pytest.raises(PeerError) as caught:
            Dialog.uas(invite(Record_Route=route), "a")
        assert caught.value.status == 400

    def test_contact_becomes_a_request_uri(self) -> None:
        made = Dialog.uas(invite(Contact="<sip:b@h;method=INVITE;x=1?Subject=hi>"), "a")
        assert made.remote_target == "sip:b@h;x=1"


class TestRfc3261Section12_1_2:
    """UAC behaviour."""

    def test_state(self) -> None:
        made = Dialog.uac(invite(), answer())
        assert made.id == ("c1", "b", "a")
        assert made.local_uri == '"Bob, B." <sip:bob@example.org;user=phone>'
        assert made.remote_uri == '"Alice" <sip:alice@example.com>'
        assert made.local_seq == 314159
        assert made.remote_seq is None
        assert made.route_set == ["<sip:p1.example.org;lr>", "<sip:p2.example.com;lr>"]
        assert made.remote_target == "sip:alice@192.0.2.1:5080"
        assert made.confirmed

    def test_early_then_confirmed(self) -> None:
        """§13.2.2.4: route set and remote target are those of the 2xx."""
        made = Dialog.uac(invite(), answer(180, Contact=None, Record_Route="<sip:early;lr>"))
        assert made.remote_target == "sip:alice@example.com"
        assert made.route_set == ["<sip:early;lr>"]
        early = made.confirmed
        made.confirm(answer(200))
        assert (early, made.confirmed) == (False, True)
        assert made.remote_target == "sip:alice@192.0.2.1:5080"
        assert made.route_set == ["<sip:p1.example.org;lr>", "<sip:p2.example.com;lr>"]

    def test_no_to_tag(self) -> None:
        response = answer()
        response.set("To", "<sip:alice@example.com>")
        assert Dialog.uac(invite(), response).remote_tag == ""

    def test_no_from_tag(self) -> None:
        assert Dialog.uac(invite(From="<sip:b@h>"), answer()).local_tag == ""

    def test_secure(self) -> None:
        assert Dialog.uac(invite("sips:alice@example.com"), answer()).secure
        assert not Dialog.uac(invite(), answer()).secure

    @pytest.mark.parametrize(
        "bad", [answer(Contact="*"), answer(Record_Route="<sip:x")], ids=["Contact", "route"]
    )
    def test_an_unreadable_answer(self, bad: Response) -> None:
        with pytest.raises(PeerError) as caught:
            Dialog.uac(invite(), bad)
        assert caught.value.status == 502
        made = Dialog.uac(invite(), answer(180))
        with pytest.raises(PeerError) as caught:
            made.confirm(bad)
        assert caught.value.status == 502


class TestRfc3261Section12_2_1_1:
    """Requests within a dialog."""

    def test_header_fields(self) -> None:
        made = Dialog.uac(invite(), answer())
        request = made.request("INVITE", "<sip:bob@192.0.2.2>")
        assert request.method == "INVITE"
        assert request.get("From") == '"Bob, B." <sip:bob@example.org;user=phone>;tag=b'
        assert request.get("To") == '"Alice" <sip:alice@example.com>;tag=a'
        assert request.call_id == "c1"
        assert str(request.cseq) == "314160 INVITE"
        assert request.get("Contact") == "<sip:bob@192.0.2.2>"
        assert made.request("BYE").get("Contact") is None

    def test_the_number_grows_by_one_each(self) -> None:
        made = Dialog.uas(invite(), "a")
        numbers = [made.request(method).cseq.number for method in ("INVITE", "INFO", "BYE")]
        assert numbers == [1, 2, 3]

    def test_an_ack_takes_no_number(self) -> None:
        made = Dialog.uas(invite(), "a")
        assert str(made.request("INVITE").cseq) == "1 INVITE"
        assert str(made.request("ACK").cseq) == "1 ACK"
        assert str(made.request("BYE").cseq) == "2 BYE"

    def test_no_route_set(self) -> None:
        request = dialog().request("BYE")
        assert request.uri == "sip:bob@192.0.2.2:5070;transport=tcp"
        assert request.all("Route") == []

    def test_loose_routing(self) -> None:
        routes = ["<sip:p1.example.com;lr>", "<sip:p2.example.com>"]
        request = dialog(route_set=routes).request("BYE")
        assert request.uri == "sip:bob@192.0.2.2:5070;transport=tcp"
        assert request.all("Route") == routes

    def test_strict_routing(self) -> None:
        routes = ["<sip:p1@h:5090;maddr=1.2.3.4;method=BYE?Subject=x>", "<sip:p2;lr>"]
        request = dialog(route_set=routes).request("BYE")
        assert request.uri == "sip:p1@h:5090;maddr=1.2.3.4"
        assert request.all("Route") == [
            "<sip:p2;lr>",
            "<sip:bob@192.0.2.2:5070;transport=tcp>",
        ]

    def test_a_route_that_is_no_sip_uri(self) -> None:
        request = dialog(route_set=["<tel:+1>"]).request("BYE")
        assert request.uri == "sip:bob@192.0.2.2:5070;transport=tcp"

    @pytest.mark.parametrize(
        ("routes", "hop"),
        [
            ([], "sip:bob@192.0.2.2:5070;transport=tcp"),
            (["<sip:p1;lr>", "<sip:p2;lr>"], "sip:p1;lr"),
            (["<sip:p1>", "<sip:p2;lr>"], "sip:p1"),
        ],
    )
    def test_next_hop(self, routes: list[str], hop: str) -> None:
        assert str(dialog(route_set=routes).next_hop()) == hop


class TestRfc3261Section12_2_2:
    """Requests from the peer."""

    def request(self, number: int, method: str = "BYE") -> Request:
        return invite(CSeq=f"{number} {method}")

    def test_numbers(self) -> None:
        made = dialog(remote_seq=None)
        made.check_remote_seq(self.request(7))
        assert made.remote_seq == 7
        made.check_remote_seq(self.request(7))
        made.check_remote_seq(self.request(9))
        assert made.remote_seq == 9
        with pytest.raises(PeerError) as caught:
            made.check_remote_seq(self.request(8))
        assert caught.value.status == 500
        assert made.remote_seq == 9

    def test_target_refresh(self) -> None:
        made = dialog()
        made.refresh_target(invite(Contact="<sip:bob@198.51.100.7>"))
        assert made.remote_target == "sip:bob@198.51.100.7"
        made.refresh_target(invite(Contact=None))
        assert made.remote_target == "sip:bob@198.51.100.7"
        with pytest.raises(PeerError) as caught:
            made.refresh_target(invite(Contact="*"))
        assert caught.value.status == 400
        assert made.remote_target == "sip:bob@198.51.100.7"

    def test_its_identifier(self) -> None:
        made = Dialog.uac(invite(), answer())
        bye = Request(
            "BYE",
            "sip:bob@192.0.2.2",
            [("From", "<sip:alice@x>;tag=a"), ("To", "<sip:bob@x>;tag=b"), ("Call-ID", "c1")],
        )
        assert dialog_id_of(bye) == made.id
        assert dialog_id_of(invite(From="<sip:x@y>")) == ("c1", "", "")


class TestJournal:
    def test_there_and_back(self) -> None:
        made = Dialog.uac(invite("sips:alice@example.com"), answer())
        made.request("INFO")
        again = Dialog.from_dict(json.loads(json.dumps(made.to_dict())))
        assert again.to_dict() == made.to_dict()
        again.route_set.clear()
        assert made.route_set
        assert again.id == made.id

    @given(st.integers(0, 2**31 - 2), st.none() | st.integers(0, 2**31 - 1), st.booleans())
    def test_numbers(self, local: int, remote: int | None, confirmed: bool) -> None:
        made = dialog(local_seq=local, remote_seq=remote, confirmed=confirmed)
        again = Dialog.from_dict(made.to_dict())
        assert again.to_dict() == made.to_dict()
        assert again.request("BYE").cseq.number == local + 1
