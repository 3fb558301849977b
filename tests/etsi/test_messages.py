"""What ETSI TS 102 027-2 asks of messages (MG) and no other test shows."""

import pytest

from tests.call.office import HOME, Office


@pytest.fixture
def office() -> Office:
    return Office()


def reaches(office: Office, uri: str, headers: str = "") -> bool:
    """Whether a call to a URI, with these header fields, has phone 101 ring and be answered."""
    alice, bob = office.phone("100"), office.phone("101")
    alice.request("INVITE", uri, call_id="c", cseq=1, body=alice.sdp(), headers=headers)
    auth = alice.authorized(alice.response(407), "INVITE", uri)
    alice.request(
        "INVITE", uri, call_id="c", cseq=2, body=alice.sdp(), headers=f"{headers}\n{auth}".strip()
    )
    alice.response(100)
    bob.respond(bob.hears("INVITE"), 200, "OK", bob.sdp())
    bob.hears("ACK")
    return alice.response(200).status == 200


@pytest.mark.parametrize(
    "header",
    [
        "Unsupported: 100rel",
        "Min-Expires: 5",
        "Retry-After: soon",
        "Server: somebody",
        "Warning: this is none",
        "WWW-Authenticate: Digest",
        "Proxy-Authenticate: nothing at all",
        "Authentication-Info: x",
        "Error-Info: <<",
        "RSeq: 1",
        "Service-Route: <sip:192.0.2.99;lr>",
    ],
)
def test_a_header_field_where_it_does_not_belong(office: Office, header: str) -> None:
    """§7.3.2: of a response, in a request: "it MUST be ignored"."""
    assert reaches(office, f"sip:101@{HOME.host}", header)


@pytest.mark.parametrize(
    "header",
    [
        "X-Unknown: whatever, it; says=so",
        "NewFangledHeader: newfangled value\n continued newfangled value",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;",
        "UnknownHeaderWithNoValue:",
        "Date: never",
        "Timestamp: half past nine",
        "Subject:",
        "Priority: ???",
        "Organization: \udcff",
        "Alert-Info: <<no uri",
        "In-Reply-To: ,,,",
        "User-Agent:",
    ],
)
def test_what_is_not_needed_may_be_anything(office: Office, header: str) -> None:
    """§8.2.2: "A UAS SHOULD ignore any malformed header fields that are not necessary"."""
    assert reaches(office, f"sip:101@{HOME.host}", header)


@pytest.mark.parametrize(
    "uri",
    [
        f"sip:101@{HOME.host};unknown=value;and-another",
        f"sip:101@{HOME.host};method=BYE",
        f"sip:101@{HOME.host};ttl=16;maddr=239.255.255.1",
        f"sip:101;isub=1;postd=pp22@{HOME.host}",
        f"sip:101:secret@{HOME.host}",
        f"SIP:101@{HOME.host}:5060;TRANSPORT=UDP",
    ],
)
def test_parameters_that_mean_nothing(office: Office, uri: str) -> None:
    assert reaches(office, uri, "Accept-Contact: *;mobility=fixed;unheard-of")


@pytest.mark.parametrize("user", ["%31%30%31", "1%301", "10%31"])
def test_an_escaped_number(office: Office, user: str) -> None:
    assert reaches(office, f"sip:{user}@{HOME.host}")


def test_a_number_of_a_telephone_as_user(office: Office) -> None:
    assert reaches(office, f"sip:101@{HOME.host};user=phone")


def test_credentials_are_neither_split_nor_joined(office: Office) -> None:
    """Those of another realm stand above ours, and have commas of their own (§20.7, §20.28)."""
    other = (
        'Digest realm="elsewhere, and further", username="a,b", nonce="n,m", uri="sip:x", '
        'response="00000000000000000000000000000000"'
    )
    assert reaches(
        office,
        f"sip:101@{HOME.host}",
        f"Proxy-Authorization: {other}\nAuthorization: {other}",
    )


@pytest.mark.parametrize(
    "names",
    [
        ("v", "f", "t", "i", "m", "c", "l"),
        ("VIA", "FROM", "TO", "CALL-ID", "CONTACT", "CONTENT-TYPE", "CONTENT-LENGTH"),
        ("via", "from", "to", "call-id", "contact", "content-type", "content-length"),
    ],
)
def test_names_short_and_in_any_case(office: Office, names: tuple[str, ...]) -> None:
    """§7.3.1, §7.3.3; with white space wherever it may be, in an order of its own."""
    via, from_, to, call_id, contact, kind, length = names
    alice, bob = office.phone("100"), office.phone("101")
    uri, body = f"sip:101@{HOME.host}", alice.sdp()

    def send(cseq: int, auth: str = "") -> None:
        lines = [
            f"INVITE {uri} SIP/2.0",
            f"{contact}  :  {alice.contact}",
            f"{to}\t: <{uri}>",
            f"cseq :\t{cseq}   INVITE",
            f"{via}:SIP / 2.0 / UDP {alice.host} : 5060 ; branch = z9hG4bKn{cseq};rport",
            f"{from_}:<sip:100@{HOME.host}>\n  ;tag=ft",
            f"{call_id}:short",
            "max-FORWARDS:70",
            f"{kind}: application / sdp",
            *([auth] if auth else []),
        ]
        head = "\r\n".join(lines).replace("\n  ;", "\r\n  ;").replace("\r\r", "\r")
        data = f"{head}\r\n{length}: {len(body)}\r\n\r\n".encode() + body
        office.hear(data, alice.flow)

    send(1)
    auth = alice.authorized(alice.response(407), "INVITE", uri)
    send(2, auth)
    alice.response(100)
    assert b"m=audio" in bob.hears("INVITE").body


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ("INVITE sip:101@192.0.2.1 SIP/7.0", 505),
        ("INVITE <sip:101@192.0.2.1> SIP/2.0", 400),
        ("INVITE sip:10 1@192.0.2.1 SIP/2.0", 400),
        ("INVITE sip:101@192.0.2.1 ;user=phone SIP/2.0", 400),
        ("INVITE sip:@192.0.2.1 SIP/2.0", 400),
        ("INVITE sip:101@192.0.2.1;user=phone;user=ip SIP/2.0", 400),
        ("INVITE sip:10%zz1@192.0.2.1 SIP/2.0", 400),
        ("INVITE sip:101@%31%39%32.0.2.1 SIP/2.0", 400),
    ],
)
def test_a_request_line_that_is_none(office: Office, wrong: str, status: int) -> None:
    """§7.1, §19.1: it is answered, and nobody rings."""
    alice, bob = office.phone("100"), office.phone("101")
    alice.send(
        f"{wrong}\nVia: SIP/2.0/UDP {alice.host};branch=z9hG4bKw\nMax-Forwards: 70\n"
        f"From: <sip:100@{HOME.host}>;tag=1\nTo: <sip:101@{HOME.host}>\nCall-ID: w\n"
        f"CSeq: 1 INVITE\nContact: {alice.contact}",
        alice.sdp(),
    )
    alice.response(status)
    assert not bob.inbox


def test_a_repeated_request_of_rfc_2543(office: Office) -> None:
    """Without the cookie in its branch (§17.2.3) it is the same call, and hears the last response."""
    alice, bob = office.phone("100"), office.phone("101")
    uri = f"sip:101@{HOME.host}"
    alice.request("INVITE", uri, call_id="c", cseq=1, body=alice.sdp(), branch="82535361")
    auth = alice.authorized(alice.response(407), "INVITE", uri)

    def send() -> None:
        alice.request(
            "INVITE", uri, call_id="c", cseq=2, body=alice.sdp(), headers=auth, branch="82535362"
        )

    send()
    alice.response(100)
    bob.respond(bob.hears("INVITE"), 183, "Session Progress", bob.sdp())
    first = alice.response(183)
    send()
    assert alice.response(183) == first
    assert not bob.inbox
