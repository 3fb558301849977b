"""The line doctor's test call: a tone by the line, and an echo where it comes back."""

import msgspec
import pytest

from pbx.call.dial_out import OWN_CALL
from pbx.lines.trial import Trial, Trials
from pbx.media.protocol import Voice
from pbx.sip.message import Request
from tests.call.office import Office
from tests.call.services import player, voices
from tests.call.telco import LINE, Telco, telco
from tests.call.test_dial_out import answer

OWN = "4930100"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def carrier(office: Office) -> Telco:
    return telco(office)


def tried(office: Office, number: str = OWN) -> Trial:
    trial = Trials(office.exchange).call(LINE, number, office.now)
    assert trial is not None
    office.pump()
    return trial


def back(carrier: Telco, caller: str = f"sip:{OWN}@telco.example", dialed: str = OWN) -> None:
    """The carrier calls the line's own number."""
    carrier.calls(dialed, caller, body=answer(carrier))


class TestTrial:
    def test_it_goes_out_and_comes_back(self, office: Office, carrier: Telco) -> None:
        trial = tried(office)
        invite = carrier.hears("INVITE")
        assert invite.call_id == trial.call_id
        assert invite.uri == "sip:4930100@198.51.100.1;user=phone"
        assert invite.from_.uri.user == OWN  # type: ignore[union-attr]
        carrier.respond(invite, 180)
        assert trial.facts.state == "calling"
        back(carrier)
        ok = carrier.response(200)
        assert trial.ports[1] != 0
        carrier.respond(invite, 200, body=answer(carrier))
        carrier.hears("ACK")
        assert trial.answered
        assert 0 not in trial.ports
        assert trial.ports[0] != trial.ports[1]
        sounds: list[Voice] = [voices(office)[port] for port in trial.ports]
        assert [one.echo for one in sounds] == [False, True]
        assert player(office).tone == "1004"
        assert ok.to.tag
        trial.hang_up(office.now)
        office.pump()
        assert trial.ended
        office.advance(120)
        assert {facts.route.partition(";")[0] for facts in office.ended} == {
            OWN_CALL,
            "test call of the line doctor",
        }

    @pytest.mark.parametrize(
        ("caller", "dialed"),
        [("sip:+8613901088888@telco.example", OWN), (f"sip:{OWN}@telco.example", "4930999999")],
    )
    def test_anybody_elses_call_rings_as_ever(
        self, office: Office, carrier: Telco, caller: str, dialed: str
    ) -> None:
        trial = tried(office)
        carrier.hears("INVITE")
        back(carrier, caller, dialed)
        answers = [one for one in carrier.inbox if not isinstance(one, Request)]
        assert answers
        assert all(one.status != 200 for one in answers)
        assert trial.ports[1] == 0

    def test_later_the_number_is_called_as_ever(self, office: Office, carrier: Telco) -> None:
        trial = tried(office)
        carrier.respond(carrier.hears("INVITE"), 486)
        carrier.hears("ACK")
        assert trial.ended
        back(carrier)
        answers = [one for one in carrier.inbox if not isinstance(one, Request)]
        assert answers
        assert all(one.status != 200 for one in answers)

    def test_a_line_without_room_is_not_called(self, office: Office, carrier: Telco) -> None:
        office.configure(msgspec.structs.replace(LINE, most_outgoing=0))
        assert Trials(office.exchange).call(LINE, OWN, office.now) is None

    def test_a_line_that_is_not_there(self, office: Office) -> None:
        assert Trials(office.exchange).call(LINE, OWN, office.now) is None
