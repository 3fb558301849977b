"""Header fields from one party to the other (RFC 3261, RFC 3841, RFC 7433)."""

from pbx.sip.crossing import REQUEST, RESPONSE, crossing
from pbx.sip.message import Request, Response


def test_a_request_s() -> None:
    request = Request(
        "INVITE",
        "sip:101@pbx",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1"),
            ("s", "lunch"),
            ("a", "*;methods=INVITE"),
            ("answer-mode", "Auto"),
            ("USER-TO-USER", "56a390f3d2b7310023a2;encoding=hex"),
            ("X-Secret", "1"),
            ("Retry-After", "5"),
            ("Priority", ""),
        ],
    )
    assert crossing(request, REQUEST) == (
        ("Subject", "lunch"),
        ("Accept-Contact", "*;methods=INVITE"),
        ("Answer-Mode", "Auto"),
        ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
    )


def test_what_tells_who_is_calling_stays_behind() -> None:
    headers = [("Subject", "me"), ("Organization", "Us"), ("Alert-Info", "<urn:alert:x>")]
    request = Request("INVITE", "sip:101@pbx", headers)
    assert crossing(request, REQUEST, hidden=True) == (("Alert-Info", "<urn:alert:x>"),)


def test_a_response_s() -> None:
    headers = [("Retry-After", "5"), ("Warning", '399 x "y"'), ("Subject", "x"), ("Server", "z")]
    response = Response(486, "Busy Here", headers)
    assert crossing(response, RESPONSE) == (("Retry-After", "5"), ("Warning", '399 x "y"'))


def test_even_one_that_cannot_be_read() -> None:
    request = Request("INVITE", "sip:101@pbx", [("Accept-Contact", '*;x="')])
    assert crossing(request, REQUEST) == (("Accept-Contact", '*;x="'),)
