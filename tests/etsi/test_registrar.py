"""What ETSI TS 102 027-2 asks of a registrar (RG_RR) and no other test shows."""

import pytest

from pbx.sip import digest
from pbx.sip.message import Response
from tests.call.office import HOME, Office, Phone

URI = f"sip:{HOME.host}"
AOR = f"<sip:100@{HOME.host}>"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def alice(office: Office) -> Phone:
    return office.phone("100", register=False)


def register(
    phone: Phone,
    headers: str = "",
    *,
    uri: str = URI,
    to: str = AOR,
    call_id: str = "r",
    contact: bool = True,
) -> Response:
    """Register with credentials; return the answer."""
    phone.cseq += 2
    phone.request(
        "REGISTER", uri, call_id=call_id, cseq=phone.cseq - 1, to=to, headers=headers,
        contact=contact,
    )  # fmt: skip
    auth = phone.authorized(phone.response(401), "REGISTER", uri)
    headers = f"{headers}\n{auth}".strip()
    phone.request(
        "REGISTER", uri, call_id=call_id, cseq=phone.cseq, to=to, headers=headers, contact=contact
    )
    answer = phone.inbox.popleft()
    assert isinstance(answer, Response)
    return answer


class TestRfc3261Section10_3:
    def test_the_answer_says_what_time_it_is(self, alice: Phone) -> None:
        # The office's clock begins 1000 s before the 14th of November 2023, 22:13:20
        assert register(alice).all("Date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]

    def test_record_route_means_nothing(self, office: Office, alice: Phone) -> None:
        answer = register(alice, "Record-Route: <sip:192.0.2.99;lr>")
        assert answer.status == 200
        assert answer.get("Record-Route") is None
        office.phone("101").invite("100")
        # It goes to the phone itself, by no route
        assert alice.hears("INVITE").get("Route") is None

    def test_what_is_required(self, office: Office, alice: Phone) -> None:
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=AOR, headers="Require: path, gin")
        assert alice.response(420).all("Unsupported") == ["gin"]
        assert office.bindings.of("100", office.now) == []

    @pytest.mark.parametrize(
        "uri", [URI, "sip:example.com", f"sip:{HOME.host}:5060;transport=udp", "sip:pbx.local"]
    )
    def test_any_name_of_the_exchange(self, office: Office, alice: Phone, uri: str) -> None:
        assert register(alice, uri=uri).status == 200
        assert len(office.bindings.of("100", office.now)) == 1

    @pytest.mark.parametrize(
        "to",
        [
            f"<sip:100@{HOME.host};user=phone>",
            f"<sip:100@{HOME.host};unknown=x;transport=udp>",
            f"<sip:%31%30%30@{HOME.host}>",
            f"sip:100@{HOME.host};whatever=1",
            f'"Alice" <SIP:100@{HOME.host}>;param',
            "<sip:100@EXAMPLE.com>",
        ],
    )
    def test_the_address_of_record(self, office: Office, alice: Phone, to: str) -> None:
        """In its canonical form: without parameters, without escapes."""
        assert register(alice, to=to).status == 200
        office.phone("101").invite("100")
        alice.hears("INVITE")

    @pytest.mark.parametrize(
        "contacts",
        ["Contact: *, <sip:100@192.0.2.10>", "Contact: *\nContact: <sip:100@192.0.2.10>"],
    )
    def test_star_and_another(self, office: Office, alice: Phone, contacts: str) -> None:
        alice.register()
        alice.request(
            "REGISTER", URI, call_id="r", cseq=9, to=AOR, contact=False,
            headers=f"{contacts}\nExpires: 0",
        )  # fmt: skip
        answer = alice.inbox.popleft()
        assert isinstance(answer, Response)
        if answer.status == 401:
            auth = alice.authorized(answer, "REGISTER", URI)
            alice.request(
                "REGISTER", URI, call_id="r", cseq=10, to=AOR, contact=False,
                headers=f"{contacts}\nExpires: 0\n{auth}",
            )  # fmt: skip
            answer = alice.response(400)
        assert answer.status == 400
        assert len(office.bindings.of("100", office.now)) == 1

    def test_a_late_star(self, office: Office, alice: Phone) -> None:
        """One whose number is lower than that of a binding removes none."""
        alice.cseq = 10
        assert register(alice).status == 200
        alice.cseq = 2
        late = register(alice, "Contact: *\nExpires: 0", contact=False)
        assert late.status in (400, 500)
        assert len(office.bindings.of("100", office.now)) == 1
        alice.cseq = 20
        assert register(alice, "Contact: *\nExpires: 0", contact=False).status == 200
        assert office.bindings.of("100", office.now) == []

    @pytest.mark.parametrize(
        "headers",
        [
            "Require: gin",
            "Expires: 1",
            "Contact: *",
            "Contact: <mailto:a@b>, *",
            "Path: <<",
            "Content-Type: text/plain",
            "Max-Forwards: 0",
        ],
    )
    def test_no_6xx(self, alice: Phone, headers: str) -> None:
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=AOR, headers=headers)
        answer = alice.inbox.popleft()
        assert isinstance(answer, Response)
        if answer.status == 401:
            auth = alice.authorized(answer, "REGISTER", URI)
            alice.request(
                "REGISTER", URI, call_id="r", cseq=2, to=AOR, headers=f"{headers}\n{auth}"
            )
            answer = alice.inbox.popleft()
            assert isinstance(answer, Response)
        assert 200 <= answer.status < 600
        assert not alice.inbox

    def test_each_repetition_gets_the_same_answer(self, office: Office, alice: Phone) -> None:
        register(alice)
        data: list[bytes] = []
        office.wire = lambda message: data.append(message) or 1  # type: ignore[func-returns-value]
        first = register(alice)
        office.hear(data[2], alice.flow)
        assert alice.response(200) == first
        assert len(office.bindings.of("100", office.now)) == 1


class TestRfc3261Section22:
    def test_a_challenge(self, alice: Phone) -> None:
        alice.request("REGISTER", URI, call_id="r", cseq=1, to=AOR)
        asked = digest.parse_challenge(alice.response(401).get("WWW-Authenticate") or "")
        assert (asked.realm, asked.qop) == ("minisipserver", ("auth",))

    def test_basic_is_nothing(self, office: Office, alice: Phone) -> None:
        alice.request(
            "REGISTER", URI, call_id="r", cseq=1, to=AOR,
            headers="Authorization: Basic MTAwOnB3MTAw",
        )  # fmt: skip
        (challenge,) = alice.response(401).all("WWW-Authenticate")
        assert challenge.startswith("Digest ")
        assert office.bindings.of("100", office.now) == []


class TestMessageForms:
    """MG_RR: what a REGISTER may look like, and what it may not."""

    @pytest.mark.parametrize(
        "contact",
        [
            "Contact: sip:100@192.0.2.10:5060;expires=300",
            "m: <sip:100@192.0.2.10:5060;transport=udp;x=y>;q=0.5;expires=300",
            'CONTACT : "Alice, of 100" <sip:100@192.0.2.10:5060> ; expires = 300',
            "Contact: <sip:100@192.0.2.10:5060>\n ;expires=300",
            "Contact: <sip:100@192.0.2.10:5060>;expires=300,\n <sip:100@192.0.2.10:5070>",
            "m: <sip:100@192.0.2.10:5060>\ncontact: <sip:100@192.0.2.10:5070>",
            "Contact: <sip:%31%30%30@192.0.2.10:5060>",
            "Contact: <SIP:100@[2001:DB8::1]:5060>",
        ],
    )
    def test_every_form_is_taken(self, office: Office, alice: Phone, contact: str) -> None:
        answer = register(alice, f"{contact}\nX-Unknown: a,b;c", contact=False)
        assert answer.status == 200
        listed = answer.all("Contact")
        assert len(listed) == contact.lower().count("sip:")
        assert all(";expires=" in one for one in listed)

    @pytest.mark.parametrize(
        "header", ["Min-Expires: x", "Unsupported: path", "Retry-After: never", "Warning: ?"]
    )
    def test_what_does_not_belong_is_ignored(self, alice: Phone, header: str) -> None:
        assert register(alice, header).status == 200

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            ("REGISTER <sip:192.0.2.1> SIP/2.0", 400),
            ("REGISTER sip:192.0. 2.1 SIP/2.0", 400),
            ("REGISTER sip: SIP/2.0", 400),
            ("REGISTER sip:@192.0.2.1 SIP/2.0", 400),
            ("REGISTER sip:192.0.2.1;lr;lr SIP/2.0", 400),
            ("REGISTER sip:192.0.2.1 SIP/3.0", 505),
        ],
    )
    def test_what_is_none_is_refused(
        self, office: Office, alice: Phone, line: str, status: int
    ) -> None:
        alice.send(
            f"{line}\nVia: SIP/2.0/UDP {alice.host};branch=z9hG4bKw\nMax-Forwards: 70\n"
            f"From: {AOR};tag=1\nTo: {AOR}\nCall-ID: w\nCSeq: 1 REGISTER\n"
            f"Contact: {alice.contact}"
        )
        alice.response(status)
        assert office.bindings.of("100", office.now) == []
