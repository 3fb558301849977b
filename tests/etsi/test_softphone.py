"""What ETSI TS 102 027-2 asks of a registrant (RG_RT) and a caller, shown by minisipphone."""

import pytest

from hw.softphone.happenings import Registered
from tests.hw.softphone.stage import OURS, SERVER, Stage

CONTACT = f"<sip:100@{OURS}>"


def test_an_invitation_names_whom_it_calls() -> None:
    """§8.1.1.1: "The initial Request-URI of the message SHOULD be set to the value of the URI in
    the To field"."""
    stage = Stage()
    stage.dial("101")
    invite = stage.hears("INVITE")
    assert invite.uri == str(invite.to.uri) == f"sip:101@{SERVER.host}"
    assert invite.to.tag is None
    assert invite.max_forwards == 70


def test_a_registration_names_itself() -> None:
    """§10.2: To and From are one, the Request-URI is the domain alone, one binding is asked for."""
    stage = Stage()
    stage.register()
    register = stage.hears("REGISTER")
    assert str(register.to.uri) == str(register.from_.uri) == f"sip:100@{SERVER.host}"
    assert "@" not in register.uri
    assert register.all("Contact") == [CONTACT]
    assert register.get("Expires")


def test_one_registration_at_a_time() -> None:
    """§10.2: none that is new before the last one's final response or its silence."""
    stage = Stage()
    stage.register()
    first = stage.hears("REGISTER")
    stage.respond(first, 100)
    stage.advance(31.9)
    while stage.sent:
        again = stage.hears("REGISTER")
        assert (again.cseq, again.via) == (first.cseq, first.via)
    # Timer F, and then it isn't tried again at once (§10.2.7)
    stage.advance(5)
    assert not stage.sent


def test_a_record_route_in_its_answer_means_nothing() -> None:
    stage = Stage()
    stage.register()
    stage.respond(
        stage.hears("REGISTER"),
        200,
        ("Contact", f"{CONTACT};expires=120"),
        ("Record-Route", "<sip:192.0.2.99;lr>"),
    )
    assert stage.told(Registered) == Registered(120)
    stage.dial()
    assert stage.hears("INVITE").get("Route") is None
    stage.advance(88.1)
    while stage.sent:
        last = stage.sent.pop()
    assert last.get("Route") is None


def test_a_refresh_is_of_the_same_registration() -> None:
    stage = Stage()
    stage.register()
    first = stage.hears("REGISTER")
    stage.respond(first, 200, ("Contact", f"{CONTACT};expires=120"))
    stage.advance(88.1)
    again = stage.hears("REGISTER")
    assert (again.call_id, again.from_, again.uri) == (first.call_id, first.from_, first.uri)
    assert again.cseq.number == first.cseq.number + 1
    assert again.via.branch != first.via.branch


@pytest.mark.parametrize("contact", ["<sip:@x>;expires=9", "<<", "sip:a@b;lr;lr", "<sip:%zz@x>"])
def test_contacts_in_its_answer_that_are_none(contact: str) -> None:
    """They may be other phones' of the same account: its own one counts all the same."""
    stage = Stage()
    stage.register()
    request = stage.hears("REGISTER")
    others = ("Contact", contact), ("Contact", "<mailto:a@b>")
    stage.respond(request, 200, *others, ("Contact", f"{CONTACT};expires=120"))
    assert stage.told(Registered) == Registered(120)
