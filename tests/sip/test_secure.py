"""The sips scheme: which requests are refused for it (RFC 5630)."""

import pytest

from pbx.sip.flow import Address, Flow
from pbx.sip.message import Request
from pbx.sip.secure import SIPS_NOT_ALLOWED, is_sips, refuse_insecure, with_scheme
from pbx.sip.uri import parse_uri


def refused(method: str, uri: str, transport: str, contact: str = "<sips:100@192.0.2.7>") -> int:
    """Return the status of the refusal; 0 for none."""
    request = Request(
        method,
        uri,
        [
            ("Via", "SIP/2.0/TLS 192.0.2.7;branch=z9hG4bKx"),
            ("From", "<sips:100@192.0.2.1>;tag=1"),
            ("To", "<sips:101@192.0.2.1>"),
            ("Call-ID", "c"),
            ("CSeq", f"1 {method}"),
            ("Contact", contact),
        ],
    )
    flow = Flow(transport, Address("192.0.2.1", 5061), Address("192.0.2.7", 40000), 1)
    response = refuse_insecure(request, flow, "tag")
    if response is None:
        return 0
    warned = response.get("Warning") == SIPS_NOT_ALLOWED
    assert warned is (response.status == 480)
    return response.status


class TestRefuseInsecure:
    @pytest.mark.parametrize(
        ("method", "uri", "transport", "status"),
        [
            ("INVITE", "sips:101@192.0.2.1", "tls", 0),
            ("INVITE", "sips:101@192.0.2.1", "wss", 0),
            ("OPTIONS", "SIPS:192.0.2.1", "tls", 0),
            ("REGISTER", "sips:192.0.2.1", "tls", 0),
            ("INVITE", "sips:101@192.0.2.1", "udp", 480),
            ("INVITE", "sips:101@192.0.2.1", "tcp", 480),
            ("INVITE", "sips:101@192.0.2.1", "ws", 480),
            ("MESSAGE", "sips:101@192.0.2.1", "tls", 0),
            ("SUBSCRIBE", "sips:101@192.0.2.1", "wss", 0),
            ("PUBLISH", "sips:101@192.0.2.1", "tls", 0),
            ("MESSAGE", "sips:101@192.0.2.1", "udp", 480),
            ("SUBSCRIBE", "sips:101@192.0.2.1", "tcp", 480),
            ("PUBLISH", "sips:101@192.0.2.1", "ws", 480),
            ("REFER", "sips:101@192.0.2.1", "tls", 480),
            ("INVITE", "sip:101@192.0.2.1", "udp", 0),
            ("MESSAGE", "sip:101@192.0.2.1", "tls", 0),
            ("INVITE", "tel:101", "udp", 0),
        ],
    )
    def test_by_method_and_path(self, method: str, uri: str, transport: str, status: int) -> None:
        assert refused(method, uri, transport) == status

    @pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE"])
    def test_the_contact_of_what_begins_a_dialog_has_to_be_sips(self, method: str) -> None:
        assert refused(method, "sips:101@192.0.2.1", "tls", "<sip:100@192.0.2.7>") == 400

    def test_a_registers_is_the_registrars_matter(self) -> None:
        assert refused("REGISTER", "sips:192.0.2.1", "tls", "<sip:100@192.0.2.7>") == 0
        assert refused("REGISTER", "sips:192.0.2.1", "tls", "*") == 0


@pytest.mark.parametrize("text", ["sips:100@192.0.2.7:5061;transport=ws", "sip:[2001:db8::1]"])
def test_the_scheme_alone_changes(text: str) -> None:
    rest = text.partition(":")[2]
    assert with_scheme(text, secure=True) == f"sips:{rest}"
    assert with_scheme(text, secure=False) == f"sip:{rest}"
    assert is_sips(parse_uri(with_scheme(text, secure=True)))
    assert not is_sips(parse_uri(with_scheme(text, secure=False)))
