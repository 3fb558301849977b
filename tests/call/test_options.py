"""OPTIONS: RFC 3261 §11."""

import pytest

from tests.call.office import HOME, Office, Phone


@pytest.fixture
def office() -> Office:
    return Office()


def ask(phone: Phone, number: str, max_forwards: int = 70) -> None:
    """Ask what would become of a call to a number, with credentials."""
    uri = f"sip:{number}@{HOME.host}"
    phone.request("OPTIONS", uri, call_id=f"o{number}", cseq=1, max_forwards=max_forwards)
    auth = phone.authorized(phone.response(407), "OPTIONS", uri)
    phone.request(
        "OPTIONS", uri, call_id=f"o{number}", cseq=2, headers=auth, max_forwards=max_forwards
    )


class TestRfc3261Section11:
    def test_the_exchange_itself_tells_anybody_what_it_can_do(self, office: Office) -> None:
        stranger = office.phone("100", register=False)
        stranger.request("OPTIONS", f"sip:{HOME.host}", call_id="o", cseq=1)
        response = stranger.response(200)
        assert "INVITE" in response.all("Allow")
        assert response.all("Accept")[0] == "application/sdp"
        assert response.get("Accept-Encoding") == "identity"
        assert response.get("Accept-Language")
        assert "path" in response.all("Supported")

    @pytest.mark.parametrize(
        ("number", "status"),
        [("101", 200), ("*43", 200), ("102", 480), ("999", 404), ("10", 484), ("bob", 404)],
    )
    def test_a_number_answers_as_a_call_would(
        self, office: Office, number: str, status: int
    ) -> None:
        """§11.2: "the same that would have been chosen had the request been an INVITE"."""
        office.phone("101")
        alice = office.phone("100", register=False)
        ask(alice, number)
        assert "INVITE" in alice.response(status).all("Allow")
        caller = office.phone("100", "192.0.2.77")
        if status == 200:
            assert caller.invite(number)
            return
        caller.invite(number)
        caller.response(status)

    @pytest.mark.parametrize(("number", "status"), [("101", 483), ("*43", 200)])
    def test_no_hop_is_left(self, office: Office, number: str, status: int) -> None:
        """Only what would be sent on needs one (§16.3)."""
        office.phone("101")
        alice = office.phone("100", register=False)
        ask(alice, number, max_forwards=0)
        alice.response(status)

    @pytest.mark.parametrize("number", ["101", "999"])
    def test_a_stranger_learns_of_no_number(self, office: Office, number: str) -> None:
        office.phone("101")
        stranger = office.phone("100", "192.0.2.66", register=False)
        stranger.request("OPTIONS", f"sip:{number}@{HOME.host}", call_id="o", cseq=1)
        stranger.response(407)

    def test_a_registered_phones_sign_of_life_is_answered(self, office: Office) -> None:
        """By the path that it has registered by, no second password is asked for."""
        alice = office.phone("100")
        alice.request("OPTIONS", f"sip:100@{HOME.host}", call_id="o", cseq=1)
        alice.response(200)
        assert not office.ended
