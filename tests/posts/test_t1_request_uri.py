"""Request-URI 的附加参数, the post on the Request-URI's additional parameters: T1.1 to T1.7.

The carriers are sipp, and Kamailio as an IMS. What a line sends in each corner, without sockets, is in
`tests/call/test_t1_request_uri`.
"""

from collections.abc import Callable

import pytest

from tests.carriers import steps
from tests.carriers.ims import Ims
from tests.carriers.odd import OddCarrier, connect
from tests.carriers.office import NUMBER, Office, plain
from tests.interop import scenario
from tests.interop.exchange import Exchange

pytestmark = pytest.mark.interop

NewCarrier = Callable[..., OddCarrier]

USER, DOMAIN = "+4930555", "carrier.invalid"
DIALLED, CALLED = "9030123456", "030123456"

CARRIER = steps.carrier(*steps.taken(), *steps.answering(), registering=steps.registrar())
"""It takes registrations, and answers calls."""


@pytest.fixture(scope="session")
def exchange(lines_exchange: Exchange) -> Exchange:
    """Return the exchange whose lines are tested."""
    return lines_exchange


def demanding(request_uri: str) -> str:
    """The scenario of a carrier that refuses every other Request-URI."""
    return steps.carrier(
        *steps.demanding("INVITE", request_uri, "484 Address Incomplete"),
        *steps.answering(),
        registering=steps.registrar(),
    )


def request_uri(carrier: OddCarrier, method: str = "INVITE", nth: int = 1) -> str:
    """That of the `nth` request that the carrier gets."""
    return carrier.got(method, nth).message.start.split()[1]


@pytest.mark.parametrize("kind", ["line", "trunk"])
def test_T1_1_a_call_with_tel_uris_is_as_one_with_sip_uris(
    office: Office, new_carrier: NewCarrier, kind: str
) -> None:
    carrier = new_carrier(CARRIER)
    connect(office, carrier, kind, destination="")
    office.plan(incoming=[{"line": "carrier", "did": USER, "destination": NUMBER}])
    as_sip = steps.calling()
    as_sip = as_sip.replace("From: <sip:[user]@", "From: <sip:+491719@")
    as_tel = steps.calling()
    as_tel = as_tel.replace(
        "INVITE sip:[number]@[remote_ip]:[remote_port] ", "INVITE tel:[number] "
    )
    as_tel = as_tel.replace("From: <sip:[user]@[remote_ip]:[remote_port]>", "From: <tel:+491719>")
    as_tel = as_tel.replace("To: <sip:[number]@[remote_ip]:[remote_port]>", "To: <tel:[number]>")
    assert as_tel.count("tel:") > 3
    server = office.exchange.host
    for name, text in (("sip", as_sip), ("tel", as_tel)):
        carrier.call(USER, text, server=server, talk_ms=300, name=name).finish()
        office.exchange.wait_idle()
    one, other = (
        {
            name: record[name]
            for name in ("caller_number", "dialed_number", "called_number", "route")
        }
        for record in office.records(2)
        if record["cdr_type"] == "OO"
    )
    assert one == other
    assert plain(one["caller_number"]) == "+491719"
    assert (plain(one["dialed_number"]), one["called_number"]) == (USER, NUMBER)


def test_T1_2_T1_3_a_line_demanded_user_phone(office: Office, new_carrier: NewCarrier) -> None:
    """A line has it without being told, and can be told to do without: REGISTER never has it."""
    carrier = new_carrier(demanding("sip:[^ ]*;user=phone"))
    connect(office, carrier)
    office.talk(DIALLED)
    office.hang_up()
    assert request_uri(carrier) == f"sip:{CALLED}@{carrier.host};user=phone"
    assert office.record("LO").fci["cause"] == "16"
    office.change("carrier", uri_form="sip")
    office.caller(DIALLED, scenario.caller_refused(484)).finish()
    assert request_uri(carrier, nth=2) == f"sip:{CALLED}@{carrier.host}"
    assert not [one for one in carrier.all("REGISTER") if b"user=phone" in one.message.data]


def test_T1_2_T1_4_a_trunk_adds_nothing(office: Office, new_carrier: NewCarrier) -> None:
    peer = new_carrier(CARRIER)
    connect(office, peer, "trunk")
    office.talk(DIALLED)
    office.hang_up()
    assert request_uri(peer) == f"sip:{CALLED}@{peer.host}"


def test_T1_2_tel_for_a_carrier_that_takes_nothing_else(
    office: Office, new_carrier: NewCarrier
) -> None:
    """The telephone number format of the maker's V60."""
    carrier = new_carrier(demanding("tel:"))
    connect(office, carrier, uri_form="tel", country="49", number_format="+e164")
    office.talk(DIALLED)
    assert request_uri(carrier) == "tel:+4930123456"
    office.hang_up()
    assert "line carrier calls +4930123456 as" in office.record("OT")["route"]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (
            "trunk",
            {";user=phone": ";user=phone", "user=phone;tgrp=a": ";user=phone;tgrp=a", "": ""},
        ),
        ("line", {"user=phone;tgrp=a": ";user=phone;tgrp=a", "": ";user=phone"}),
    ],
    ids=["trunk", "line"],
)
def test_T1_5_what_is_set_is_added(
    office: Office, new_carrier: NewCarrier, kind: str, ends: dict[str, str]
) -> None:
    carrier = new_carrier(CARRIER)
    connect(office, carrier, kind)
    for nth, (parameters, end) in enumerate(ends.items(), 1):
        office.change("carrier", uri_parameters=parameters)
        office.talk(DIALLED)
        office.hang_up()
        assert request_uri(carrier, nth=nth) == f"sip:{CALLED}@{carrier.host}{end}"


def test_T1_6_T1_7_it_survives_the_challenge_and_is_what_the_digest_is_of(
    office: Office, new_carrier: NewCarrier
) -> None:
    """The ACK to the challenge has it, too; To doesn't. The name in credentials is the whole address."""
    full = f"{USER}@{DOMAIN}"
    text = steps.carrier(
        *steps.challenging(name=full), *steps.answering(), registering=steps.registrar(name=full)
    )
    carrier = new_carrier(text, user=USER)
    connect(office, carrier, domain=DOMAIN, auth_name=full, uri_parameters="tgrp=a")
    assert request_uri(carrier, "REGISTER") == f"sip:{DOMAIN}"
    office.talk(DIALLED)
    uri = f"sip:{CALLED}@{DOMAIN};user=phone;tgrp=a"
    assert [request_uri(carrier, "INVITE", nth) for nth in (1, 2)] == [uri, uri]
    assert request_uri(carrier, "ACK") == uri
    again = carrier.got("INVITE", 2).message
    assert f'uri="{uri}"' in again.get("authorization")
    assert again.get("to") == f"<sip:{CALLED}@{DOMAIN}>"
    office.hang_up()
    record = office.record("LO")
    assert record["route"].endswith("by line carrier")
    assert (record.fci["lineOut"], record.fci["cause"]) == ("carrier", "16")


def test_T1_6_it_survives_a_cancel(office: Office, new_carrier: NewCarrier) -> None:
    """CANCEL and ACK have the INVITE's Request-URI (RFC 3261 §9.1, §17.1.1.3)."""
    peer = new_carrier(steps.carrier(*steps.taken(), *steps.cancelled()))
    office.trunk("peer", peer.host, uri_parameters="user=phone;tgrp=a")
    office.dial(DIALLED)
    uri = request_uri(peer)
    assert uri == f"sip:{CALLED}@{peer.host};user=phone;tgrp=a"
    peer.answered("INVITE", 180)
    office.hang_up()
    assert request_uri(peer, "CANCEL") == uri
    assert request_uri(peer, "ACK") == uri
    assert office.record("LO").fci["callTag"] == "101"


def test_T1_6_the_next_trunk_has_its_own(office: Office, new_carrier: NewCarrier) -> None:
    """And the ACK to the first one's refusal has the first one's."""
    refusing = steps.carrier(*steps.taken(), *steps.ending("503 Service Unavailable"))
    peers = []
    for last, (name, text) in enumerate((("first", refusing), ("second", CARRIER)), 51):
        peers.append(new_carrier(text, address=f"127.0.0.{last}", name=name))
        office.trunk(name, peers[-1].host, uri_parameters=f"tgrp={name}")
    office.plan(
        routes=[{"name": "out", "lines": ["first", "second"]}], basics={"default_route": "out"}
    )
    office.talk(DIALLED)
    first, second = peers
    uri = f"sip:{CALLED}@{first.host};tgrp=first"
    assert (request_uri(first), request_uri(first, "ACK")) == (uri, uri)
    assert request_uri(second) == f"sip:{CALLED}@{second.host};tgrp=second"
    office.hang_up()


@pytest.mark.parametrize("ims", ["udp"], indirect=True)
def test_T1_3_T1_7_an_ims_takes_our_calls(office: Office, ims: Ims, far: OddCarrier) -> None:
    """Kamailio's: it demands ;user=phone or tel:, and a digest of the Request-URI that has come."""
    office.talk("9004930123456")
    office.hang_up()
    assert office.record("LO").fci["lineOut"] == "ims"
    assert "INVITE sip:+4930123456@" in ims.said()
    office.change("ims", uri_form="sip")
    office.caller("9004930123456", scenario.caller_refused(484)).finish()
    assert len(far.all("INVITE")) == 1
