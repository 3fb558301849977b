"""Which service a number means."""

import pytest

from pbx.config.settings import ServiceSettings
from pbx.routing.router import RouteKind, route
from pbx.routing.services import ServiceNumber, service_of
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
        assert (service.title, service.shown) == (kind, dialed)

    def test_a_room(self) -> None:
        service = service_of(USUAL, "*6*007")
        assert service == ServiceNumber("conference", "*6*007", "007")
        assert (service.title, service.shown) == ("conference room 007", "*6*007")

    def test_a_password_is_not_shown(self) -> None:
        service = service_of(USUAL, "*6*1*4711")
        assert service == ServiceNumber("conference", "*6*1", "1", "4711")
        assert "4711" not in service.shown + service.title

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

    def test_a_service(self) -> None:
        decision = route(self.SNAPSHOT, USUAL, "*6*1*4711")
        assert (decision.kind, decision.number) == (RouteKind.SERVICE, "*6*1")
        assert decision.explanation == ("service conference room 1",)
        assert decision.service is not None

    def test_a_user_comes_first(self) -> None:
        decision = route(self.SNAPSHOT, ServiceSettings(echo="100"), "100")
        assert (decision.kind, decision.service) == (RouteKind.LOCAL_USER, None)
