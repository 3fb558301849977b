"""Lines that have refused PRACK, over restarts of the exchange."""

from collections.abc import Mapping

import msgspec
import pytest

from pbx.call.without_prack import KEPT_AS, WithoutPrack
from pbx.config.line import Line
from tests.call.office import Office
from tests.call.telco import LINE, telco


class Kept:
    """What outlasts the exchange, whose clock begins anew each time."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.options: Mapping[str, Line] = {"telco": LINE}
        self.epoch_s = 1_000_000.0

    def keep(self, kind: str, name: str, value: bytes | None) -> None:
        assert kind == KEPT_AS
        if value is None:
            del self.rows[name]
        else:
            self.rows[name] = value

    def started(self) -> WithoutPrack:
        """What the exchange knows after a start."""
        rows = [*self.rows.values()]
        return WithoutPrack(self.keep, lambda: self.epoch_s, lambda: self.options, rows)


def offers(office: Office, known: WithoutPrack, *, refuses: bool) -> bool:
    """Whether 100rel is offered in a call by the line, which refuses PRACK then perhaps."""
    office.exchange.without_prack = known
    alice, peer = office.phone("100"), telco(office, LINE)
    alice.invite("9030123")
    invite = peer.hears("INVITE")
    if refuses:
        peer.respond(invite, 183, body=peer.sdp(), headers="Require: 100rel\nRSeq: 1")
        peer.respond(peer.hears("PRACK"), 405)
    return "100rel" in invite.all("Supported")


@pytest.fixture
def kept() -> Kept:
    """What is kept of a line that has refused PRACK."""
    own = Kept()
    assert offers(Office(), own.started(), refuses=True)
    return own


def test_it_is_not_offered_after_a_restart(kept: Kept) -> None:
    assert not offers(Office(), kept.started(), refuses=False)


def test_when_it_was_is_known_by_the_new_clock(kept: Kept) -> None:
    (before,) = kept.started().lines.values()
    kept.epoch_s += 500.0
    assert kept.started().lines == {"telco": pytest.approx(before - 500.0)}


def test_it_is_forgotten_for_good_when_the_owner_says_so(kept: Kept) -> None:
    known = kept.started()
    known.forget("telco")
    known.forget("another")
    assert kept.rows == {}
    assert offers(Office(), kept.started(), refuses=False)


@pytest.mark.parametrize("option", ["server", "proxy", "domain"])
def test_another_carrier_under_the_same_name_has_refused_nothing(kept: Kept, option: str) -> None:
    known = kept.started()
    kept.options = {"telco": msgspec.structs.replace(LINE, **{option: "other.example"})}
    assert known.lines == {}
    assert offers(Office(), known, refuses=False)
    assert kept.started().lines == {}
    assert kept.rows == {}


def test_a_line_that_is_gone_leaves_nothing(kept: Kept) -> None:
    kept.options = {}
    assert kept.started().lines == {}
    assert kept.rows == {}


def test_what_cannot_be_read_costs_nothing_else(
    kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [b"{", *kept.rows.values()]
    known = WithoutPrack(kept.keep, lambda: kept.epoch_s, lambda: kept.options, rows)
    assert list(known.lines) == ["telco"]
    assert "can't be read" in caplog.text
