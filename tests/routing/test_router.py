"""Where a dialled number leads."""

import pytest

from pbx.config.settings import ServiceSettings
from pbx.routing.router import RouteKind, route
from pbx.store.snapshot import LocalUser, Snapshot

SNAPSHOT = Snapshot.of(1, [LocalUser("100", "User", "m", "s")])


class TestRfc3261Section21_4_22:
    """What is no number leads nowhere, and says why."""

    @pytest.mark.parametrize("dialed", ["", "bob", "1 0", "+", "100\n", "1" * 33, "１００", "%31"])
    def test_not_dialable(self, dialed: str) -> None:
        decision = route(SNAPSHOT, ServiceSettings(), dialed)
        assert decision.kind is RouteKind.UNKNOWN
        assert "not a number" in decision.explanation[0]

    @pytest.mark.parametrize("dialed", ["101", "+4930123", "*21#", "1" * 32])
    def test_nobodys(self, dialed: str) -> None:
        decision = route(SNAPSHOT, ServiceSettings(), dialed)
        assert decision.kind is RouteKind.UNKNOWN
        assert "no local user" in decision.explanation[0]

    def test_a_local_users(self) -> None:
        decision = route(SNAPSHOT, ServiceSettings(), "100")
        assert (decision.kind, decision.number) == (RouteKind.LOCAL_USER, "100")
        assert decision.explanation == ("local user 100",)
