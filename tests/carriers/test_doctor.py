"""The line doctor with Kamailio as an IMS: the line registers, calls itself, and hears itself."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pbx.api.schema import Finding
from tests.carriers import steps
from tests.carriers.ims import Ims, Subscription
from tests.carriers.odd import OddCarrier
from tests.interop.exchange import Exchange, command
from tests.interop.ports import Ports
from tui.doctor_report import sentence

pytestmark = pytest.mark.interop

SUBSCRIPTION = Subscription(domain="gd.ims.test")
"""Whose callers have a name: ``.invalid`` is nobody's (RFC 3323 §4.1.1.3)."""


@pytest.fixture(scope="module")
def ims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ims]:
    with Ports() as ports:
        own = Ims(tmp_path_factory.mktemp("ims"), ports, SUBSCRIPTION, "")
        yield own
        own.close()


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with ExitStack() as stack:
        own = Exchange(tmp_path_factory.mktemp("exchange"), stack.enter_context(Ports()))
        stack.callback(own.close)
        own.start()
        yield own


def by_profile(exchange: Exchange, profile: str, **answers: str) -> None:
    """Add the line by a provider's profile."""
    options = json.dumps({"profile": profile, **answers})
    exchange.call("line.add", name="ctc", options=options)


def add(exchange: Exchange, ims: Ims, **options: str) -> None:
    """Add the line by China Telecom's profile, whose carrier is such an IMS."""
    given = {
        "number": SUBSCRIPTION.user,
        "domain": SUBSCRIPTION.domain,
        "proxy": ims.proxy,
        "password": SUBSCRIPTION.password,
        **options,
    }
    by_profile(exchange, given.pop("profile", "china-telecom"), **given)


def examined(exchange: Exchange, *args: str) -> dict[str, list[Finding]]:
    """Let `minisip doctor` look at the line; return what it says of each step."""
    argv = [command("minisip"), "--socket", str(exchange.socket), "doctor", "ctc", "--json", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    found: dict[str, list[Finding]] = {}
    said: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    for one in said:
        found.setdefault(one["step"], []).append(Finding(**one))
    wrong = any(one["mark"] == "bad" for one in said)
    assert done.returncode == wrong
    return found


@pytest.fixture
def line(exchange: Exchange, ims: Ims) -> Iterator[None]:
    yield
    exchange.call("line.remove", name="ctc")
    exchange.wait_idle()
    exchange.assert_sane()


@pytest.mark.usefixtures("line")
class TestDoctor:
    def test_a_line_that_calls_itself(self, exchange: Exchange, ims: Ims) -> None:
        add(exchange, ims)
        found = examined(exchange, "--call", SUBSCRIPTION.user)
        said = {step: [one.slug for one in found[step]] for step in found}
        assert said == {
            "dns": ["dns-address"],
            "reach": ["reach-good"],
            "register": ["register-good"],
            "authentication": ["authentication-good"],
            "identity": ["identity-told", "identity-own"],
            "outgoing": ["outgoing-answered"],
            "incoming": ["incoming-good"],
            "sound": ["sound-both"],
        }, [sentence(one) for each in found.values() for one in each]
        assert SUBSCRIPTION.second in found["identity"][0].values["identities"]
        assert found["authentication"][0].values["name"] == SUBSCRIPTION.auth_name

    def test_a_name_that_is_not_the_whole_address(self, exchange: Exchange, ims: Ims) -> None:
        add(exchange, ims, auth_name=SUBSCRIPTION.user)
        found = examined(exchange)
        assert found["register"][0].mark == "bad"
        assert found["authentication"][0].slug == "authentication-whole"
        assert found["authentication"][0].values["whole"] == SUBSCRIPTION.auth_name

    def test_a_wrong_password(self, exchange: Exchange, ims: Ims) -> None:
        add(exchange, ims, password="another")
        assert examined(exchange)["authentication"][0].slug == "authentication-wrong"

    def test_without_the_proxy_the_domain_leads_nowhere(self, exchange: Exchange, ims: Ims) -> None:
        add(exchange, ims, profile="china-unicom", proxy="")
        assert examined(exchange)["dns"][0].slug == "dns-logical"


@pytest.fixture
def trunk(
    exchange: Exchange, line: None, tmp_path: Path, ports: Ports, closing: ExitStack
) -> Callable[..., OddCarrier]:
    """Return a function that starts a peer of a scenario, and the trunk to it."""

    def start(*call: str, **more: Any) -> OddCarrier:
        own = OddCarrier(tmp_path, ports, steps.carrier(*call), closing, **more)
        by_profile(exchange, "generic-trunk", server=own.host)
        return own

    return start


class TestATrunkToSipp:
    def test_an_ack_that_gets_lost(
        self, exchange: Exchange, trunk: Callable[..., OddCarrier], ports: Ports
    ) -> None:
        """Its answer names a Contact where nobody is."""
        trunk(*steps.taken(), *steps.answering(), contact_port=ports.one())
        found = examined(exchange, "--call", "+4930123")
        assert [one.slug for one in found["outgoing"]] == ["outgoing-ack-lost"]

    def test_prack_that_is_demanded_and_refused(
        self, exchange: Exchange, trunk: Callable[..., OddCarrier]
    ) -> None:
        trunk(*steps.taken(), *steps.reliable("405 Method Not Allowed"))
        (found,) = examined(exchange, "--call", "+4930123")["outgoing"]
        assert (found.slug, found.mark) == ("outgoing-prack", "note")

    def test_somebody_else_answers_and_is_heard(
        self, exchange: Exchange, trunk: Callable[..., OddCarrier]
    ) -> None:
        trunk(*steps.taken(), *steps.answering())
        found = examined(exchange, "--call", "+4930123")
        assert found["outgoing"][0].slug == "outgoing-answered"
        assert found["incoming"][0].slug == "incoming-elsewhere"
        assert found["sound"][0].slug == "sound-heard"
