"""Event and Accept header fields (RFC 6665 §8.2.1, RFC 3261 §20.1)."""

import pytest

from pbx.errors import PeerError
from pbx.sip.event_package import EventName, accepts, event_of
from pbx.sip.message import Request


def of(value: str) -> EventName | None:
    return event_of(Request("SUBSCRIBE", "sip:a", [("Event", value)]))


class TestRfc6665Section8_2_1:
    @pytest.mark.parametrize(
        ("value", "package", "name"),
        [
            ("presence", "presence", ""),
            ("dialog;id=42", "dialog", "42"),
            ("presence.winfo", "presence.winfo", ""),
            ("dialog ; sla ;id=a", "dialog", "a"),
        ],
    )
    def test_package_and_id(self, value: str, package: str, name: str) -> None:
        assert of(value) == EventName(package, name)

    def test_it_is_written_as_it_was_read(self) -> None:
        assert str(of("dialog;id=42")) == "dialog;id=42"
        assert str(of("presence;x=1")) == "presence"

    def test_none(self) -> None:
        assert event_of(Request("SUBSCRIBE", "sip:a")) is None

    @pytest.mark.parametrize(
        "value", ["", ";id=1", "a b", "dialog;=1", "dialog;id=1;id=2", "é", "dialog;id=\udcff"]
    )
    def test_a_bad_one(self, value: str) -> None:
        with pytest.raises(PeerError) as raised:
            of(value)
        assert raised.value.status == 400


class TestAccept:
    @pytest.mark.parametrize(
        "values",
        [
            ["application/pidf+xml"],
            ["text/plain", "Application/PIDF+xml;q=0.5"],
            ["application/*"],
            ["*/*"],
        ],
    )
    def test_readable(self, values: list[str]) -> None:
        assert accepts(values, "application/pidf+xml")

    @pytest.mark.parametrize("values", [["text/plain"], ["text/*"], [""], ["application/pidf"]])
    def test_not_readable(self, values: list[str]) -> None:
        assert not accepts(values, "application/pidf+xml")
