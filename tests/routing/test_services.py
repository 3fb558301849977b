"""Which service a number means."""

from datetime import UTC, datetime

import pytest

from pbx.config.settings import ServiceSettings
from pbx.routing.decision import RouteDecision, RouteKind
from pbx.routing.origin import Origin
from pbx.routing.router import route
from pbx.routing.services import ServiceNumber, service_of, shown
from pbx.store.snapshot import LocalUser, Snapshot

USUAL = ServiceSettings()


class TestNumber:
    @pytest.mark.parametrize(
        ("dialed", "kind"),
        [("*43", "echo"), ("*45", "milliwatt"), ("*46", "music"), ("*47", "recorder")],
    )
    def test_one_service_each(self, dialed: str, kind: str) -> None:
        service = service_of(USUAL, dialed)
        assert service == ServiceNumber(kind, dialed)
        assert service.title == kind
        assert shown(USUAL, dialed) == dialed

    def test_a_room(self) -> None:
        service = service_of(USUAL, "*6*007")
        assert service == ServiceNumber("conference", "*6*007", "007")
        assert service.title == "conference room 007"
        assert shown(USUAL, "*6*007") == "*6*007"

    def test_a_room_with_a_password(self) -> None:
        service = service_of(USUAL, "*6*1*4711")
        assert service == ServiceNumber("conference", "*6*1", "1", "4711")
        assert service.title == "conference room 1"

    @pytest.mark.parametrize(
        ("dialed", "said"),
        [
            ("*6*1*4711", "*6*1*xxxx"),
            ("*6*1*4711*", "*6*1*xxxx"),
            ("*6*1#*4711", "*6*1#*xxxx"),
            ("*6*1*47a11", "*6*1*xxxx"),
            ("*6**4711", "*6**xxxx"),
            ("*6*4711", "*6*4711"),
            ("*43*4711", "*43*4711"),
            ("", ""),
        ],
    )
    def test_a_password_is_not_shown(self, dialed: str, said: str) -> None:
        assert shown(USUAL, dialed) == said

    def test_where_there_are_no_rooms_there_is_none(self) -> None:
        assert shown(ServiceSettings(conference=""), "*6*1*4711") == "*6*1*4711"

    def test_other_numbers(self) -> None:
        settings = ServiceSettings(echo="99", conference="88", music="")
        assert service_of(settings, "99") == ServiceNumber("echo", "99")
        assert service_of(settings, "885*6") == ServiceNumber("conference", "885", "5", "6")
        assert service_of(settings, "*43") is None
        assert service_of(settings, "*46") is None
        assert service_of(settings, "") is None

    @pytest.mark.parametrize("dialed", ["*6*", "*6*1*", "*6*1#", "*6*٣", "*430", "43"])
    def test_none(self, dialed: str) -> None:
        assert service_of(USUAL, dialed) is None


class TestRoute:
    SNAPSHOT = Snapshot.of(1, [LocalUser("100", "User", "m", "s")])

    def routed(self, dialed: str, services: ServiceSettings = USUAL) -> RouteDecision:
        noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
        return route(self.SNAPSHOT, services, dialed, Origin("100"), noon)

    def test_a_service(self) -> None:
        decision = self.routed("*6*1*4711")
        assert (decision.kind, decision.number) == (RouteKind.SERVICE, "*6*1")
        assert decision.recorded == "service conference room 1"
        assert decision.service is not None

    @pytest.mark.parametrize("dialed", ["*6*1*4711*", "*6*1*47a11"])
    def test_a_mistyped_room(self, dialed: str) -> None:
        decision = self.routed(dialed)
        assert decision.kind is RouteKind.UNKNOWN
        assert "47" not in decision.number + decision.recorded

    def test_a_user_comes_first(self) -> None:
        decision = self.routed("100", ServiceSettings(echo="100"))
        assert (decision.kind, decision.service) == (RouteKind.LOCAL_USER, None)
