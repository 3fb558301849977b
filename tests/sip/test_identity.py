"""Who a caller is, and whether that may be told (RFC 3323, RFC 3325)."""

import pytest

from pbx.errors import PeerError
from pbx.sip.headers import parse_name_addr
from pbx.sip.identity import check_privacy, is_anonymous, is_hidden, preferred, privacy
from pbx.sip.message import Request


def request(*headers: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:101@pbx", headers)


class TestPrivacy:
    @pytest.mark.parametrize(
        ("values", "hidden"),
        [
            ([], False),
            (["id"], True),
            (["user"], True),
            (["header"], True),
            (["Id ; Critical"], True),
            (["session"], False),
            (["none"], False),
            (["none;id"], False),
            (["session", "id"], True),
            (["id,critical"], True),
            ([";;"], False),
        ],
    )
    def test_what_hides_the_sender(self, values: list[str], hidden: bool) -> None:
        assert is_hidden(request(*(("Privacy", value) for value in values))) is hidden

    def test_values_are_read_in_any_case(self) -> None:
        assert privacy(request(("Privacy", "ID; Session"))) == {"id", "session"}

    def test_critical_and_unknown_is_refused(self) -> None:
        check_privacy(request(("Privacy", "id;critical")))
        check_privacy(request(("Privacy", "moon")))
        with pytest.raises(PeerError) as error:
            check_privacy(request(("Privacy", "moon;critical")))
        assert error.value.status == 500


class TestAnonymous:
    @pytest.mark.parametrize(
        ("address", "nobody"),
        [
            ('"Anonymous" <sip:anonymous@anonymous.invalid>', True),
            ("<sip:Anonymous@192.0.2.1>", True),
            ("<sip:c8oqz84zk7z@privacy.org.invalid>", True),
            ("<sip:100@192.0.2.1>", False),
            ("<tel:100>", False),
            ("<sip:100@invalid.example>", False),
        ],
    )
    def test_address(self, address: str, nobody: bool) -> None:
        assert is_anonymous(parse_name_addr(address)) is nobody


class TestPreferred:
    def test_the_first_that_can_be_called(self) -> None:
        found = preferred(request(("P-Preferred-Identity", "<http://x>, <sip:100@pbx>")))
        assert str(found) == "<sip:100@pbx>"

    @pytest.mark.parametrize("value", ["<sip:100", "", "<http://x>", '"'])
    def test_nonsense_costs_no_call(self, value: str) -> None:
        assert preferred(request(("P-Preferred-Identity", value))) is None
