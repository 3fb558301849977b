"""Whose state a user may watch, and whose calls pick up: ``[lamps]``."""

import pytest

from pbx.config.settings import LampSettings, parse_settings
from pbx.errors import StartError
from tests.call.chat import request, watch
from tests.call.office import Office
from tests.call.test_pick_up import ringing, the_call
from tests.call.test_take_over import takes

TEAMS = (("100", "101"), ("102", "103"))


def office_with(lamps: LampSettings) -> Office:
    return Office(lamps=lamps)


class TestWatching:
    @pytest.mark.parametrize("event", ["dialog", "presence"])
    def test_every_user_by_default(self, event: str) -> None:
        office = Office()
        alice = office.phone("100")
        office.phone("101")
        assert watch(alice, "101", event)

    @pytest.mark.parametrize("event", ["dialog", "presence"])
    def test_nobody(self, event: str) -> None:
        office = office_with(LampSettings(watch="nobody"))
        alice = office.phone("100")
        _, answer = request(alice, "SUBSCRIBE", "101", headers=f"Event: {event}")
        assert answer.status == 403
        assert not alice.inbox
        assert watch(alice, "100", event)

    def test_groups(self) -> None:
        office = office_with(LampSettings(watch="groups", groups=TEAMS))
        alice = office.phone("100")
        assert watch(alice, "101")
        _, answer = request(alice, "SUBSCRIBE", "102", headers="Event: dialog")
        assert answer.status == 403

    def test_who_is_no_user(self) -> None:
        office = Office()
        stranger = office.phone("900", "192.0.2.99", register=False)
        uri = "sip:101@192.0.2.1"
        stranger.request("SUBSCRIBE", uri, call_id="x", cseq=1, headers="Event: dialog")
        auth = stranger.authorized(stranger.response(401), "SUBSCRIBE", uri)
        stranger.request("SUBSCRIBE", uri, call_id="x", cseq=2, headers=f"Event: dialog\n{auth}")
        stranger.response(401)

    def test_a_subscription_from_before_the_setting(self) -> None:
        before = Office()
        watch(before.phone("100"), "101")
        office = Office(kept=before.kept, lamps=LampSettings(watch="nobody"))
        alice = office.phone("100")
        office.restore()
        notify = alice.hears("NOTIFY")
        assert notify.get("Subscription-State") == "terminated;reason=rejected"


class TestPickingUp:
    def test_nobody(self) -> None:
        office = office_with(LampSettings(pick_up="nobody"))
        _, bob, _, _ = ringing(office)
        carol = office.phone("102")
        takes(carol, the_call(office))
        carol.response(403)
        assert not bob.inbox
        desk = office.phone("101", "192.0.2.111")
        takes(desk, the_call(office)).answered()

    def test_groups(self) -> None:
        office = office_with(LampSettings(pick_up="groups", groups=(("101", "102"),)))
        ringing(office)
        dave, carol = office.phone("103"), office.phone("102")
        takes(dave, the_call(office))
        dave.response(403)
        takes(carol, the_call(office)).answered()


class TestSettings:
    def test_read(self) -> None:
        text = b'[lamps]\nwatch = "groups"\npick_up = "nobody"\ngroups = [["100", "101"]]\n'
        lamps = parse_settings(text, "x").lamps
        assert lamps == LampSettings("groups", "nobody", (("100", "101"),))

    @pytest.mark.parametrize("name", ["watch", "pick_up"])
    def test_no_such_choice(self, name: str) -> None:
        with pytest.raises(StartError, match=f"lamps.{name}"):
            parse_settings(f'[lamps]\n{name} = "all"\n'.encode(), "x")
