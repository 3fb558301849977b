"""The location service: REGISTER as RFC 3261 §10.3 wants it processed."""

from dataclasses import dataclass, replace

import pytest

from pbx.config.settings import SipSettings
from pbx.registrar.binding import Binding
from pbx.registrar.bindings import Bindings
from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request, Response

HOME = Address("192.0.2.1", 5060)
PHONE = Flow("udp", HOME, Address("192.0.2.7", 5060))


@dataclass
class Registrar:
    """A registrar under test, and the phone's counters."""

    bindings: Bindings
    cseq: int = 0

    def register(
        self,
        *contacts: str,
        expires: str | None = None,
        call_id: str = "c1",
        cseq: int | None = None,
        flow: Flow = PHONE,
        now: float = 0.0,
        headers: tuple[tuple[str, str], ...] = (),
        uri: str = "sip:192.0.2.1",
    ) -> Response:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        request = Request(
            "REGISTER",
            uri,
            [
                ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx"),
                ("From", "<sip:100@192.0.2.1>;tag=1"),
                ("To", "<sip:100@192.0.2.1>"),
                ("Call-ID", call_id),
                ("CSeq", f"{self.cseq} REGISTER"),
                *(("Contact", contact) for contact in contacts),
                *headers,
            ],
        )
        if expires is not None:
            request.add("Expires", expires)
        return self.bindings.register(request, flow, "100", now, "tag")

    def uris(self, now: float = 0.0) -> set[str]:
        return {binding.uri for binding in self.bindings.of("100", now)}


@pytest.fixture
def registrar() -> Registrar:
    return Registrar(Bindings(SipSettings(max_contacts=3)))


class TestRfc3261Section10_3:
    """Processing REGISTER requests."""

    def test_binds_and_lists_the_contact(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>", expires="600")
        assert response.status == 200
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=600"]

    def test_the_time_is_told(self) -> None:
        """Step 8: the answer has a Date."""
        registrar = Registrar(Bindings(SipSettings(), lambda: 784_111_000.0))
        response = registrar.register("<sip:100@192.0.2.7>", now=777.0)
        assert response.get("Date") == "Sun, 06 Nov 1994 08:49:37 GMT"

    @pytest.mark.parametrize(
        "contacts", [("*", "<sip:100@192.0.2.7>"), ("<sip:100@192.0.2.7>, *",)]
    )
    def test_all_contacts_and_one(self, registrar: Registrar, contacts: tuple[str, ...]) -> None:
        registrar.register("<sip:100@192.0.2.9>")
        assert registrar.register(*contacts, expires="0").status == 400
        assert len(registrar.uris()) == 1

    def test_several_phones_of_a_user_are_all_bound(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>")
        registrar.register("<sip:100@192.0.2.8>, <sip:100@192.0.2.9>", call_id="c2")
        assert len(registrar.uris()) == 3

    def test_too_many_phones_change_nothing(self, registrar: Registrar) -> None:
        for number in range(3):
            registrar.register(f"<sip:100@192.0.2.{number}>", call_id=str(number))
        assert registrar.register("<sip:100@192.0.2.9>", call_id="c9").status == 403
        assert "sip:100@192.0.2.9" not in registrar.uris()

    def test_query_without_contact_lists_and_changes_nothing(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>", expires="600")
        response = registrar.register(now=100.0)
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=500"]

    def test_the_contacts_own_expires_is_stronger_than_the_header(
        self, registrar: Registrar
    ) -> None:
        response = registrar.register("<sip:100@192.0.2.7>;expires=120", expires="600")
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=120"]

    def test_default_and_greatest_expires(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>")
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=3600"]
        response = registrar.register("<sip:100@192.0.2.7>", expires="86400")
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=3600"]

    def test_malformed_expires_counts_as_the_default(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>", expires="soon")
        assert response.all("Contact") == ["<sip:100@192.0.2.7>;expires=3600"]

    def test_too_brief_is_423_with_the_least_that_is_granted(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>", expires="5")
        assert (response.status, response.get("Min-Expires")) == (423, "60")
        assert registrar.uris() == set()

    def test_one_bad_contact_leaves_all_as_they_were(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>, <sip:100@192.0.2.8>;expires=5")
        assert response.status == 423
        assert registrar.uris() == set()

    def test_expires_0_removes_one_contact(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>, <sip:100@192.0.2.8>")
        registrar.register("<sip:100@192.0.2.7>;expires=0")
        assert registrar.uris() == {"sip:100@192.0.2.8"}

    def test_star_removes_all(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>, <sip:100@192.0.2.8>")
        assert registrar.register("*", expires="0").status == 200
        assert registrar.uris() == set()

    @pytest.mark.parametrize("expires", [None, "60"])
    def test_star_needs_expires_0(self, registrar: Registrar, expires: str | None) -> None:
        registrar.register("<sip:100@192.0.2.7>")
        assert registrar.register("*", expires=expires).status == 400
        assert len(registrar.uris()) == 1

    @pytest.mark.parametrize("contact", ["<sip:100@192.0.2.7>", "*"])
    def test_an_old_request_of_the_same_call_id_fails(
        self, registrar: Registrar, contact: str
    ) -> None:
        registrar.register("<sip:100@192.0.2.7>", cseq=5)
        response = registrar.register(contact, expires="0", cseq=5)
        assert response.status == 400
        assert registrar.uris() == {"sip:100@192.0.2.7"}

    def test_another_call_id_may_begin_lower(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>", cseq=5)
        response = registrar.register("<sip:100@192.0.2.7>", cseq=1, call_id="rebooted")
        assert response.status == 200
        assert len(registrar.uris()) == 1

    def test_equivalent_uris_are_one_binding(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@PHONE.example>")
        registrar.register("<sip:%3100@phone.EXAMPLE>")
        assert len(registrar.uris()) == 1

    def test_the_same_contact_twice_in_a_request_is_one_binding(self, registrar: Registrar) -> None:
        response = registrar.register("<sip:100@192.0.2.7>, <sip:100@192.0.2.7;ob>")
        assert response.status == 200
        assert len(registrar.uris()) == 1

    def test_thousands_of_contacts_are_not_even_compared(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>")
        many = ",".join(f"<sip:{number}@h>;expires=0" for number in range(3000))
        assert registrar.register(many).status == 403
        assert registrar.uris() == {"sip:100@192.0.2.7"}

    def test_all_may_be_replaced_at_once(self, registrar: Registrar) -> None:
        registrar.register("<sip:1@h>, <sip:2@h>, <sip:3@h>")
        old = ", ".join(f"<sip:{number}@h>;expires=0" for number in (1, 2, 3))
        assert registrar.register(f"{old}, <sip:4@h>, <sip:5@h>, <sip:6@h>").status == 200
        assert registrar.uris() == {"sip:4@h", "sip:5@h", "sip:6@h"}

    def test_what_a_console_could_not_show_is_not_kept(self, registrar: Registrar) -> None:
        registrar.register("<sip:a@192.0.2.7>", headers=(("User-Agent", "Yea\x1b[2Jlink\udcff"),))
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.user_agent == "Yea[2Jlink"

    def test_the_preferred_contact_comes_first(self, registrar: Registrar) -> None:
        registrar.register("<sip:a@192.0.2.7>;q=0.2, <sip:b@192.0.2.8>;q=0.9")
        assert [binding.uri for binding in registrar.bindings.of("100", 0)] == [
            "sip:b@192.0.2.8",
            "sip:a@192.0.2.7",
        ]

    @pytest.mark.parametrize("q", ["often", "2", "nan"])
    def test_a_preference_that_is_none_is_left_out(self, registrar: Registrar, q: str) -> None:
        response = registrar.register(f"<sip:a@192.0.2.7>;q={q}")
        assert response.all("Contact") == ["<sip:a@192.0.2.7>;expires=3600"]


SECURE = Flow("tls", HOME, Address("192.0.2.7", 40000), connection=7)


class TestRfc5630Section5_2:
    """A sips Contact is for a sips Request-URI by TLS, where every Path is sips, too."""

    def test_taken(self, registrar: Registrar) -> None:
        path = (("Path", "<sips:192.0.2.50;lr>"),)
        answer = registrar.register(
            "<sips:100@192.0.2.7>", flow=SECURE, uri="sips:192.0.2.1", headers=path
        )
        assert answer.status == 200
        assert answer.all("Contact") == ["<sips:100@192.0.2.7>;expires=3600"]

    @pytest.mark.parametrize("transport", ["tls", "wss"])
    def test_it_stands_for_sip_too(self, registrar: Registrar, transport: str) -> None:
        """§5.1.1.1: by sip over the same connection; by sips where the call is."""
        flow = replace(SECURE, transport=transport)
        registrar.register("<sips:100@192.0.2.7>", flow=flow, uri="sips:192.0.2.1")
        (binding,) = registrar.bindings.of("100", 0)
        target = binding.target
        assert (target.uri, target.flow, target.sips) == ("sip:100@192.0.2.7", flow, True)

    def test_a_sip_contact_stands_for_itself(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7;transport=tls>", flow=SECURE)
        (binding,) = registrar.bindings.of("100", 0)
        assert not binding.target.sips

    @pytest.mark.parametrize(
        ("contacts", "uri", "flow", "path"),
        [
            (["<sips:100@192.0.2.7>"], "sip:192.0.2.1", SECURE, ""),
            (["<sips:100@192.0.2.7>"], "sips:192.0.2.1", PHONE, ""),
            (["<sips:100@192.0.2.7>"], "sips:192.0.2.1", replace(SECURE, transport="tcp"), ""),
            (["<sips:100@192.0.2.7>"], "sips:192.0.2.1", SECURE, "<sip:192.0.2.50;lr>"),
            (["<sip:100@192.0.2.8>", "<sips:100@192.0.2.7>"], "sips:192.0.2.1", SECURE, ""),
        ],
        ids=["Request-URI", "UDP", "TCP", "Path", "another Contact"],
    )
    def test_refused_and_nothing_changes(
        self, registrar: Registrar, contacts: list[str], uri: str, flow: Flow, path: str
    ) -> None:
        registrar.register("<sip:100@192.0.2.9>")
        headers = (("Path", path),) if path else ()
        refused = registrar.register(*contacts, flow=flow, uri=uri, headers=headers)
        assert refused.status == 400
        assert registrar.uris() == {"sip:100@192.0.2.9"}


class TestExpiry:
    """What runs out is gone, and everybody who keeps a copy hears of it."""

    def test_an_expired_binding_is_gone(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>", expires="60", now=0.0)
        assert registrar.bindings.next_timer() == 60.0
        assert registrar.uris(now=59.9)
        assert not registrar.uris(now=60.0)
        list(registrar.bindings.take_changed())
        registrar.bindings.handle_timer(60.0)
        assert list(registrar.bindings.take_changed()) == [("100", [])]
        assert registrar.bindings.next_timer() is None

    def test_a_query_changes_nothing_for_others(self, registrar: Registrar) -> None:
        registrar.register()
        assert list(registrar.bindings.take_changed()) == []

    def test_expire_leaves_what_lives(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>")
        list(registrar.bindings.take_changed())
        registrar.bindings.handle_timer(1.0)
        assert list(registrar.bindings.take_changed()) == []

    def test_restored_bindings_count(self, registrar: Registrar) -> None:
        registrar.bindings.restore([Binding("100", "sip:100@192.0.2.7", PHONE, "c", 1, 50.0)])
        assert registrar.uris(now=10.0) == {"sip:100@192.0.2.7"}

    def test_a_removed_user_has_no_phones(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7>")
        registrar.bindings.forget("100")
        registrar.bindings.forget("nobody")
        assert registrar.uris() == set()


class TestTarget:
    """Where an INVITE for a binding is sent."""

    def test_a_phone_on_the_lan_is_reached_at_its_contact(self, registrar: Registrar) -> None:
        flow = Flow("udp", HOME, Address("192.0.2.7", 40000))
        registrar.register("<sip:100@192.0.2.7:5070>", flow=flow)
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow.remote == Address("192.0.2.7", 5070)
        assert binding.target.uri == "sip:100@192.0.2.7:5070"

    def test_a_phone_behind_a_nat_is_reached_where_it_comes_from(
        self, registrar: Registrar
    ) -> None:
        flow = Flow("udp", HOME, Address("203.0.113.5", 40000))
        registrar.register("<sip:100@10.0.0.7:5070>", flow=flow)
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow.remote == Address("203.0.113.5", 40000)

    def test_another_host_that_its_contact_names_is_followed(self, registrar: Registrar) -> None:
        """No NAT lies between: the Via names the packet's source."""
        registrar.register("<sip:100@192.0.2.77:5070>")
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == Flow("udp", HOME, Address("192.0.2.77", 5070))

    def test_the_transport_of_the_contact_is_followed(self, registrar: Registrar) -> None:
        registrar.register("<sip:100@192.0.2.7:5070;transport=tcp>")
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == Flow("tcp", HOME, Address("192.0.2.7", 5070))

    def test_a_connection_is_used_again(self, registrar: Registrar) -> None:
        flow = Flow("tcp", HOME, Address("192.0.2.7", 40000), connection=7)
        registrar.register("<sip:100@192.0.2.7:5070;transport=tcp>", flow=flow)
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == flow

    def test_a_connection_that_has_ended_is_not(self, registrar: Registrar) -> None:
        flow = Flow("tcp", HOME, Address("192.0.2.7", 40000), connection=7)
        other = Flow("tcp", HOME, Address("192.0.2.7", 40001), connection=8)
        registrar.register("<sip:100@192.0.2.7:5070;transport=tcp>", flow=flow)
        registrar.register("<sip:200@192.0.2.7:5080;transport=tcp>", flow=other)
        registrar.bindings.disconnected(flow, 0)
        one, two = registrar.bindings.of("100", 0)
        assert one.target.flow == Flow("tcp", HOME, Address("192.0.2.7", 5070))
        assert two.target.flow == other

    def test_a_contact_that_is_no_sip_uri_goes_where_it_came_from(
        self, registrar: Registrar
    ) -> None:
        registrar.register("<tel:+4930>")
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == PHONE
        assert binding.target.uri == "tel:+4930"

    def test_a_request_uri_has_no_header_components(self, registrar: Registrar) -> None:
        """§19.1.1, table 1."""
        registrar.register("<sip:100@192.0.2.7?Subject=x>")
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.uri == "sip:100@192.0.2.7"

    @pytest.mark.parametrize("path", ['"unbalanced', "<sip:x", '"\udcff" <sip:edge.example>'])
    @pytest.mark.parametrize("contacts", [(), ("<sip:100@192.0.2.7>",)])
    def test_a_path_that_cannot_be_followed_is_refused(
        self, registrar: Registrar, contacts: tuple[str, ...], path: str
    ) -> None:
        assert registrar.register(*contacts, headers=(("Path", path),)).status == 400
        assert registrar.uris() == set()

    def test_a_path_is_followed(self, registrar: Registrar) -> None:
        path = "<sip:edge.example;lr>"
        response = registrar.register("<sip:100@192.0.2.7:5070>", headers=(("Path", path),))
        assert response.all("Path") == [path]
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.route == (path,)
        assert binding.target.flow == PHONE

    @pytest.mark.parametrize("contact", ["10.0.0.7", "192.0.2.7"])
    def test_the_first_of_a_path_is_where_requests_go(
        self, registrar: Registrar, contact: str
    ) -> None:
        """RFC 3327 §5.1, §5.4: whatever the REGISTER came from."""
        headers = (("Path", "<sip:192.0.2.99:5070;lr>, <sip:192.0.2.98;lr>"),)
        registrar.register(f"<sip:100@{contact}>", headers=headers)
        (binding,) = registrar.bindings.of("100", 0)
        assert binding.target.flow == Flow("udp", HOME, Address("192.0.2.99", 5070))


class TestLost:
    """Whose phones have gone without signing off."""

    def test_a_phone_that_stops_renewing_is_missed_until_it_is_back(
        self, registrar: Registrar
    ) -> None:
        registrar.register("<sip:a@192.0.2.7>", expires="60")
        registrar.bindings.handle_timer(61)
        assert registrar.bindings.lost == {"100": 61}
        registrar.register("<sip:a@192.0.2.7>", expires="60", now=70)
        assert registrar.bindings.lost == {}

    def test_nobody_misses_one_that_signed_off(self, registrar: Registrar) -> None:
        registrar.register("<sip:a@192.0.2.7>", expires="60")
        registrar.register("<sip:a@192.0.2.7>", expires="0", now=1)
        registrar.bindings.handle_timer(100)
        assert registrar.bindings.lost == {}

    def test_nor_a_user_with_another_phone(self, registrar: Registrar) -> None:
        registrar.register("<sip:a@192.0.2.7>", expires="60")
        registrar.register("<sip:b@192.0.2.8>", expires="3600")
        registrar.bindings.handle_timer(61)
        assert registrar.bindings.lost == {}

    def test_nor_one_that_was_removed(self, registrar: Registrar) -> None:
        registrar.register("<sip:a@192.0.2.7>", expires="60")
        registrar.bindings.handle_timer(61)
        registrar.bindings.forget("100")
        assert registrar.bindings.lost == {}
