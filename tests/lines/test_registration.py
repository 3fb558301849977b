"""An external line's registration (RFC 3261 §10.2)."""

import pytest

from pbx.lines.link import FAREWELL_S
from pbx.lines.registration import LENGTHENINGS_LIMIT, REDIRECTS_LIMIT
from pbx.lines.state import Phase
from pbx.sip.digest import parse_credentials
from pbx.sip.flow import Address
from pbx.sip.message import Request, Response, response_to
from pbx.sip.timers import TRANSACTION_LIMIT_S
from tests.lines.carrier import (
    LINE,
    Carrier,
    Does,
    Machine,
    begun,
    carrier_flow,
    granted,
    in_turn,
    line,
    path,
    registrar,
    silent,
    strict,
    tells,
)


class TestRfc3261Section10_2:
    def test_the_request(self) -> None:
        machine, carrier = begun(registrar())
        request = carrier.take()
        assert request.uri == "sip:198.51.100.1"
        assert str(request.to.uri) == str(request.from_.uri) == "sip:100@198.51.100.1"
        assert request.to.tag is None
        assert request.from_.tag
        assert request.get("Contact") == "<sip:100@192.0.2.1:5060>"
        assert request.get("Expires") == "600"
        assert request.get("Route") is None
        # RFC 3327 §5.1
        assert request.get("Supported") == "path"
        state = machine.state()
        assert (state.phase, state.usable, state.trouble) == (Phase.UP, True, None)
        assert state.expires == machine.now + 600
        assert state.server == "udp 198.51.100.1:5060"

    def test_a_domain_apart_from_the_server(self) -> None:
        _, carrier = begun(registrar(), domain="ims.example", user="+8613800000000")
        request = carrier.take()
        assert request.uri == "sip:ims.example"
        assert str(request.to.uri) == "sip:+8613800000000@ims.example"

    def test_a_port_of_the_servers_own(self) -> None:
        machine = Machine(line(server="198.51.100.1:5070"))
        carrier = machine.carrier(registrar(), port=5070)
        machine.begin()
        request = carrier.take()
        assert (request.uri, str(request.to.uri)) == (
            "sip:198.51.100.1:5070",
            "sip:100@198.51.100.1",
        )
        assert machine.state().usable

    @pytest.mark.parametrize(
        ("transport", "port", "contact"),
        [
            ("tcp", 5060, "<sip:me@192.0.2.1:5060;transport=tcp>"),
            ("tls", 5061, "<sip:me@192.0.2.1:5061;transport=tls>"),
        ],
    )
    def test_a_transport_and_a_contact_of_its_own(
        self, transport: str, port: int, contact: str
    ) -> None:
        machine = Machine(line(transport=transport, contact_user="me"))
        carrier = machine.carrier(registrar(), port=port)
        machine.begin()
        request = carrier.take()
        assert request.get("Contact") == contact
        assert request.via.transport == transport.upper()
        # The connection that took the REGISTER is the INVITE's, too.
        assert path(machine).flow.connection == 1
        assert [flow.connection for flow in machine.lines.flows] == [1]

    def test_ipv6(self) -> None:
        machine = Machine(line(server="[2001:db8::5]", domain="[2001:db8::5]"))
        carrier = machine.carrier(registrar(), "2001:db8::5")
        machine.begin()
        request = carrier.take()
        assert request.uri == "sip:[2001:db8::5]"
        assert request.get("Contact") == "<sip:100@[2001:db8::1]:5060>"


class TestRfc3261Section10_2_4:
    def test_it_is_refreshed_before_it_ends(self) -> None:
        machine, carrier = begun(registrar())
        first = carrier.take()
        machine.advance(567)
        assert carrier.all() == []
        machine.advance(1)
        second = carrier.take()
        assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
        assert second.cseq.number == first.cseq.number + 1
        assert machine.state().expires == machine.now + 600

    def test_what_the_server_grants_counts(self) -> None:
        machine, carrier = begun(registrar(expires_s=60))
        assert machine.state().expires == machine.now + 60
        carrier.take()
        machine.advance(30)
        carrier.take()

    def test_of_many_contacts_ours(self) -> None:
        def other(carrier: Carrier, request: Request) -> Response:
            response = response_to(request, 200, to_tag="x")
            response.add("Contact", "<sip:100@192.0.2.99:5060>;expires=10")
            response.add("Contact", "<sip:100@192.0.2.1:5060>;expires=90")
            response.add("Expires", "20")
            return response

        machine, _ = begun(other)
        assert machine.state().expires == machine.now + 90

    @pytest.mark.parametrize(
        ("headers", "expires_s"),
        [
            # A registrar that writes the address that it sees
            ([("Contact", "<sip:100@203.0.113.9:41000>;expires=77")], 77),
            ([("Expires", "66")], 66),
            ([("Contact", "<sip:somebody@192.0.2.99>;expires=10"), ("Expires", "66")], 66),
            ([("Contact", "<tel:100>")], 600),
            ([], 600),
        ],
    )
    def test_where_ours_is_not_listed(self, headers: list[tuple[str, str]], expires_s: int) -> None:
        machine, _ = begun(tells(200, *headers))
        assert machine.state().expires == machine.now + expires_s

    @pytest.mark.parametrize(
        "broken",
        ["<sip:1@[x>", '"Ann <sip:100@192.0.2.99>', "<sip:100@192.0.2.98>;a=1;a=2", "<<>>", "*"],
    )
    def test_another_phones_contact_that_cannot_be_read(self, broken: str) -> None:
        ours = "<sip:100@192.0.2.1:5060>;expires=90"
        machine, _ = begun(tells(200, ("Contact", broken), ("Contact", ours)))
        assert machine.state().usable
        assert machine.state().expires == machine.now + 90

    def test_all_of_them_in_one_line(self) -> None:
        text = "<sip:1@[x>, <sip:100@192.0.2.1:5060>;expires=90"
        machine, _ = begun(tells(200, ("Contact", text)))
        assert machine.state().expires == machine.now + 90

    def test_ours_cannot_be_read(self) -> None:
        machine, _ = begun(tells(200, ("Contact", "<sip:100@>;expires=90"), ("Expires", "80")))
        assert machine.state().expires == machine.now + 80

    def test_nothing_is_granted(self) -> None:
        machine, _ = begun(tells(200, ("Expires", "0")))
        assert machine.slug == "nothing-granted"
        assert not machine.state().usable

    def test_rtt(self) -> None:
        machine, carrier = begun(silent)
        machine.advance(0.2)
        carrier.does = registrar()
        carrier.deliver(carrier.asked[0].encode(), carrier_flow(carrier))
        machine.pump()
        assert machine.state().rtt_s == pytest.approx(0.2)


class TestRfc3261Section10_2_8:
    def test_423_without_end(self) -> None:
        """Each REGISTER led to the next one, as fast as they could go."""

        def does(carrier: Carrier, request: Request) -> Response:
            if len(carrier.asked) > 10 * LENGTHENINGS_LIMIT:
                return granted(request)
            wanted = str(int(request.get("Expires") or 0) + 1)
            response = response_to(request, 423, to_tag="theirs")
            response.add("Min-Expires", wanted)
            return response

        machine, carrier = begun(does)
        assert len(carrier.all()) == 1 + LENGTHENINGS_LIMIT
        assert machine.slug == "refused"

    def test_423_asks_for_ages(self) -> None:
        machine, carrier = begun(in_turn(tells(423, ("Min-Expires", "4000000000")), registrar()))
        carrier.take()
        assert machine.slug == "refused"

    def test_423_asks_for_longer(self) -> None:
        machine, carrier = begun(in_turn(tells(423, ("Min-Expires", "1800")), registrar()))
        first, second = carrier.all()
        assert second.get("Expires") == "1800"
        assert second.cseq.number > first.cseq.number
        assert machine.state().expires == machine.now + 1800

    @pytest.mark.parametrize("headers", [[], [("Min-Expires", "x")], [("Min-Expires", "600")]])
    def test_423_without_sense(self, headers: list[tuple[str, str]]) -> None:
        machine, carrier = begun(tells(423, *headers))
        carrier.take()
        assert machine.slug == "refused"


class TestRfc3261Section10_2_2:
    def test_it_signs_off_at_the_end(self) -> None:
        machine, carrier = begun(strict())
        *_, last = carrier.all()
        machine.stop()
        assert machine.endpoint.pending_requests == 0
        first, second = carrier.all()
        assert (second.get("Expires"), second.get("Contact")) == ("0", "<sip:100@192.0.2.1:5060>")
        assert first.call_id == last.call_id
        assert first.cseq.number > last.cseq.number
        assert machine.state().phase is Phase.OFF
        machine.advance(3600)
        assert carrier.all() == []

    def test_and_where_it_is_removed_or_disabled(self) -> None:
        for rest in ((), (line(enabled=False),)):
            machine, carrier = begun(registrar())
            carrier.take()
            machine.configure(*rest)
            assert carrier.take().get("Expires") == "0"
            assert machine.lines.path("telco", machine.now) is None
            assert machine.lines.authorizer("telco") is None
            assert not machine.lines.usable("telco")

    def test_a_silent_server_is_not_waited_for(self) -> None:
        machine, carrier = begun(registrar())
        carrier.does = silent
        machine.configure()
        machine.advance(FAREWELL_S)
        machine.configure(line())
        carrier.does = registrar()
        carrier.asked.clear()
        machine.advance(60)
        assert machine.state().usable

    @pytest.mark.parametrize("does", [tells(403), tells(503), tells(302, ("Contact", "<sip:x>"))])
    def test_nor_one_that_says_no(self, does: Does) -> None:
        machine, carrier = begun(registrar())
        carrier.does = does
        carrier.asked.clear()
        machine.stop()
        carrier.take()
        assert machine.endpoint.pending_requests == 0
        machine.advance(600)
        assert carrier.all() == []

    def test_nothing_is_signed_off_that_never_was_on(self) -> None:
        machine, carrier = begun(tells(403))
        carrier.take()
        machine.stop()
        assert carrier.all() == []

    def test_what_is_just_being_asked_for_is(self) -> None:
        machine, carrier = begun(silent)
        machine.stop()
        assert [one.get("Expires") for one in carrier.all()] == ["600", "0"]

    def test_where_the_server_is_not_known_yet(self) -> None:
        machine = Machine(line(server="telco.example"))
        machine.dns_answers = False
        machine.begin()
        assert machine.state().phase is Phase.LOCATING
        machine.stop()
        assert machine.endpoint.pending_requests == 0


class TestRfc3261Section22:
    def test_a_challenge(self) -> None:
        machine, carrier = begun(strict())
        first, second = carrier.all()
        assert second.cseq.number == first.cseq.number + 1
        assert second.call_id == first.call_id
        assert machine.state().usable
        machine.advance(568)
        # The nonce is tried once more; the carrier wants a fresh one, and gets its answer.
        third, _ = carrier.all()
        assert parse_credentials(third.get("Authorization") or "").nc == "00000002"
        assert machine.state().usable

    def test_by_a_proxy_with_sha_256(self) -> None:
        machine, _ = begun(strict(algorithm="SHA-256", status=407))
        assert machine.state().usable

    def test_an_empty_password(self) -> None:
        machine, _ = begun(strict(password=""), password="")
        assert machine.state().usable

    def test_a_whole_address_as_the_name(self) -> None:
        """As China Telecom wants it."""
        name = "+8675500000000@gd.ctcims.cn"
        machine, carrier = begun(
            strict(user=name, realm="gd.ctcims.cn"),
            user="+8675500000000",
            domain="gd.ctcims.cn",
            auth_name=name,
        )
        assert machine.state().usable
        assert carrier.all()[1].uri == "sip:gd.ctcims.cn"

    def test_a_wrong_password_is_not_tried_again_soon(self) -> None:
        machine, carrier = begun(strict(password="other"))
        assert len(carrier.all()) == 2
        assert machine.slug == "password"
        machine.advance(149)
        assert carrier.all() == []
        machine.advance(152)
        assert len(carrier.all()) == 2

    def test_but_at_once_with_another_password(self) -> None:
        machine, carrier = begun(strict(password="other"))
        machine.configure(line(password="other"))
        assert machine.state().usable
        # It is the same account: there is nothing to sign off.
        assert {one.get("Expires") for one in carrier.all()} == {"600"}


class TestRfc3261Section8_1_3_4:
    def test_a_redirection_is_followed(self) -> None:
        machine = Machine(LINE)
        contact = "<sip:x@198.51.100.7:5070;method=REGISTER>"
        carrier = machine.carrier(tells(302, ("Contact", contact)))
        other = machine.carrier(registrar(), "198.51.100.7", 5070)
        machine.begin()
        first, second = carrier.take(), other.take()
        assert second.uri == "sip:198.51.100.7:5070"
        assert (second.call_id, str(second.to)) == (first.call_id, str(first.to))
        assert machine.state().usable
        assert path(machine).flow.remote == other.address
        machine.advance(568)
        # Refreshed where it was taken
        assert (len(other.all()), carrier.all()) == (1, [])

    def test_and_forgotten_when_it_leads_nowhere(self) -> None:
        machine, carrier = begun(tells(302, ("Contact", "<sip:198.51.100.7>")))
        machine.advance(TRANSACTION_LIMIT_S)
        assert machine.slug == "silent"
        carrier.does = registrar()
        machine.advance(30)
        assert machine.state().usable
        assert carrier.all()[-1].uri == "sip:198.51.100.1"

    def test_through_the_proxy_where_there_is_one(self) -> None:
        machine = Machine(line(server="telco.example", proxy="198.51.100.9"))
        proxy = machine.carrier(
            in_turn(tells(301, ("Contact", "<sip:second.example>")), registrar()), "198.51.100.9"
        )
        machine.begin()
        assert [one.uri for one in proxy.all()] == ["sip:telco.example", "sip:second.example"]
        assert machine.state().usable

    @pytest.mark.parametrize("contact", ["<tel:100>", "*"])
    def test_to_nowhere(self, contact: str) -> None:
        machine, _ = begun(tells(302, ("Contact", contact)))
        assert machine.slug == "refused"

    def test_two_that_name_each_other(self) -> None:
        machine, carrier = begun(tells(302, ("Contact", "<sip:198.51.100.1>")))
        assert machine.slug == "refused"
        assert len(carrier.all()) == REDIRECTS_LIMIT + 1


class TestOutboundProxy:
    def test_every_request_goes_there(self) -> None:
        """The registrar's domain needs no address: all messages go to the carrier's SBC."""
        machine = Machine(
            line(server="gd.ctcims.cn", proxy="198.51.100.9:5070", keep_alive="options")
        )
        proxy = machine.carrier(registrar(), "198.51.100.9", 5070)
        machine.begin()
        request = proxy.take()
        assert request.uri == "sip:gd.ctcims.cn"
        assert request.get("Route") == "<sip:198.51.100.9:5070;lr>"
        assert not machine.unanswered
        found = path(machine)
        assert found.flow.remote == proxy.address
        assert found.route == ("<sip:198.51.100.9:5070;lr>",)
        machine.advance(30)
        options = proxy.take("OPTIONS")
        assert (options.uri, options.get("Route")) == (
            "sip:gd.ctcims.cn",
            "<sip:198.51.100.9:5070;lr>",
        )

    def test_with_a_transport(self) -> None:
        machine = Machine(line(server="telco.example", proxy="198.51.100.9", transport="tcp"))
        proxy = machine.carrier(registrar(), "198.51.100.9")
        machine.begin()
        assert proxy.take().get("Route") == "<sip:198.51.100.9;transport=tcp;lr>"


class TestRfc3608Section6_1:
    ROUTES = (("Service-Route", "<sip:orig@198.51.100.8:5090;lr>, <sip:scscf.example;lr>"),)

    def test_the_service_route_is_the_calls_route(self) -> None:
        machine, _ = begun(registrar(*self.ROUTES))
        found = path(machine)
        assert found.route == ("<sip:orig@198.51.100.8:5090;lr>", "<sip:scscf.example;lr>")
        assert (found.flow.transport, found.flow.remote) == ("udp", Address("198.51.100.8", 5090))

    def test_behind_the_outbound_proxy(self) -> None:
        machine = Machine(line(server="telco.example", proxy="198.51.100.9"))
        proxy = machine.carrier(registrar(*self.ROUTES), "198.51.100.9")
        machine.begin()
        found = path(machine)
        assert found.flow.remote == proxy.address
        assert found.route == (
            "<sip:198.51.100.9;lr>",
            "<sip:orig@198.51.100.8:5090;lr>",
            "<sip:scscf.example;lr>",
        )

    def test_a_name_is_looked_up_and_else_the_server_will_do(self) -> None:
        machine, carrier = begun(registrar(("Service-Route", "<sip:scscf.example;lr>")))
        flow = path(machine).flow
        assert flow.named is not None
        assert flow.named.host == "scscf.example"
        assert flow.remote == carrier.address

    def test_the_latest_one_holds(self) -> None:
        machine, carrier = begun(registrar(*self.ROUTES))
        carrier.does = registrar()
        machine.advance(568)
        assert path(machine).route == ()

    def test_a_refusal_voids_it(self) -> None:
        machine, carrier = begun(registrar(*self.ROUTES))
        carrier.does = tells(403)
        machine.advance(568)
        assert path(machine).route == ()

    def test_one_that_cannot_be_read_is_none(self) -> None:
        machine, _ = begun(registrar(("Service-Route", "<sip:a;lr>, what is this")))
        assert machine.state().usable
        assert path(machine).route == ()


def test_the_carriers_names_for_us() -> None:
    """P-Associated-URI (RFC 7315 §4.1)."""
    machine, _ = begun(
        registrar(("P-Associated-URI", '"Me" <sip:+86755@ims.example>, <tel:+86755>, what is this'))
    )
    assert machine.state().identities == ("sip:+86755@ims.example", "tel:+86755")


class TestAnswers:
    def test_from_another_address(self) -> None:
        """A REGISTER's answer is known by its branch (RFC 3261 §17.1.3); calls may come from there."""
        machine = Machine(LINE)
        carrier = machine.carrier(registrar())
        carrier.answers_from = Address("203.0.113.77", 5088)
        machine.begin()
        assert machine.state().usable
        assert path(machine).flow.remote == carrier.address
        for host in ("198.51.100.1", "203.0.113.77"):
            assert machine.hears("telco", host)
        assert not machine.hears("telco", "203.0.113.78")
        assert not machine.hears("nobody", "203.0.113.77")

    def test_a_provisional_one_is_none(self) -> None:
        machine, carrier = begun(in_turn(tells(100), registrar()))
        assert machine.state().phase is Phase.ASKING
        machine.advance(1)
        assert machine.state().usable
        assert len(carrier.all()) == 1
