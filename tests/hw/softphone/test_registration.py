"""Registering: RFC 3261 §10.2, §22.2."""

from hw.softphone.happenings import Reason, Registered, RegistrationFailed, Unregistered, Why
from hw.softphone.registration import EXPIRES_S, RETRY_S
from pbx.sip import digest
from pbx.sip.message import Request
from tests.hw.softphone.stage import OURS, PASSWORD, REALM, SERVER, Stage

CONTACT = f"<sip:100@{OURS}>"


def registered(stage: Stage, expires_s: int = 120) -> Request:
    """Register, and return the REGISTER that was accepted."""
    stage.register()
    stage.challenge(stage.hears("REGISTER"))
    request = stage.hears("REGISTER")
    stage.respond(request, 200, ("Contact", f"{CONTACT};expires={expires_s}"))
    assert stage.told(Registered) == Registered(expires_s)
    return request


def test_a_challenge_is_answered() -> None:
    stage = Stage()
    stage.register()
    first = stage.hears("REGISTER")
    assert first.uri == f"sip:{SERVER.host}"
    assert first.get("Contact") == CONTACT
    assert first.get("Expires") == str(EXPIRES_S)
    stage.challenge(first)
    second = stage.hears("REGISTER")
    assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
    assert second.cseq.number == first.cseq.number + 1
    given = digest.parse_credentials(second.get("Authorization") or "")
    assert given.response == digest.response(
        digest.ha1("100", REALM, PASSWORD, "MD5"),
        "REGISTER",
        second.uri,
        "n1",
        given.nc,
        given.cnonce,
        "auth",
        "MD5",
    )


def test_it_stays_registered() -> None:
    stage = Stage()
    registered(stage, 120)
    stage.advance(87)
    assert stage.silent()
    stage.advance(1.1)
    # Long enough before the end for a lost packet or two
    again = stage.hears("REGISTER")
    stage.respond(again, 200, ("Contact", f"{CONTACT};expires=120"))
    assert stage.told(Registered) == Registered(120)


def test_the_time_of_our_contact_among_others_counts() -> None:
    stage = Stage()
    stage.register()
    others = f"<sip:100@192.0.2.77>;expires=9, {CONTACT};expires=77"
    stage.respond(stage.hears("REGISTER"), 200, ("Contact", others))
    assert stage.told(Registered) == Registered(77)


def test_a_server_that_says_no_time_means_expires_or_what_was_asked_for() -> None:
    for headers, expires_s in (([("Expires", "66")], 66), ([], EXPIRES_S)):
        stage = Stage()
        stage.register()
        stage.respond(stage.hears("REGISTER"), 200, *headers)
        assert stage.told(Registered) == Registered(expires_s)


def test_a_wrong_password_is_not_tried_again() -> None:
    stage = Stage()
    stage.register()
    stage.challenge(stage.hears("REGISTER"))
    stage.challenge(stage.hears("REGISTER"), nonce="n2")
    failed = stage.told(RegistrationFailed)
    assert failed == RegistrationFailed(Reason(Why.WRONG_PASSWORD, 401, "-"), final=True)
    stage.advance(600)
    assert stage.silent()


def test_a_nonce_that_is_too_old_is_no_wrong_password() -> None:
    stage = Stage()
    registered(stage)
    stage.advance(88.1)
    stage.challenge(stage.hears("REGISTER"), nonce="n2", stale=True)
    stage.respond(stage.hears("REGISTER"), 200)
    stage.told(Registered)


def test_a_server_that_asks_without_end_is_given_up() -> None:
    stage = Stage()
    stage.register()
    for number in range(20):
        if not stage.sent:
            break
        stage.challenge(stage.hears("REGISTER"), nonce=f"n{number}", stale=True)
    failed = stage.told(RegistrationFailed)
    assert isinstance(failed, RegistrationFailed)
    assert failed.reason.why is Why.WRONG_PASSWORD


def test_a_longer_time_is_asked_for_where_the_server_wants_it() -> None:
    stage = Stage()
    stage.register()
    stage.respond(stage.hears("REGISTER"), 423, ("Min-Expires", "1800"))
    assert stage.hears("REGISTER").get("Expires") == "1800"


def test_423_without_a_time_is_a_refusal() -> None:
    stage = Stage()
    stage.register()
    stage.respond(stage.hears("REGISTER"), 423)
    failed = stage.told(RegistrationFailed)
    assert failed == RegistrationFailed(Reason(Why.REFUSED, 423, "-"), final=False)


def test_forbidden_is_final_and_a_busy_server_is_not() -> None:
    stage = Stage()
    stage.register()
    stage.respond(stage.hears("REGISTER"), 403)
    assert stage.told(RegistrationFailed) == RegistrationFailed(
        Reason(Why.REFUSED, 403, "-"), final=True
    )
    stage.register()
    stage.respond(stage.hears("REGISTER"), 503)
    assert stage.told(RegistrationFailed) == RegistrationFailed(
        Reason(Why.REFUSED, 503, "-"), final=False
    )
    stage.advance(RETRY_S + 0.1)
    stage.hears("REGISTER")


def test_a_server_that_is_silent_is_asked_again_later() -> None:
    stage = Stage()
    stage.register()
    stage.advance(32.1)
    # §17.1.2.2: at 0, 0.5, 1.5, 3.5, 7.5 s, then every 4 s
    assert len(stage.sent) == 11
    stage.sent.clear()
    assert stage.told(RegistrationFailed) == RegistrationFailed(
        Reason(Why.NO_RESPONSE), final=False
    )
    stage.advance(RETRY_S)
    stage.hears("REGISTER")


def test_a_path_that_fails() -> None:
    stage = Stage()
    stage.register()
    stage.agent.flow_failed(stage.flow, "Connection refused", stage.now)
    stage.settle()
    assert stage.told(RegistrationFailed) == RegistrationFailed(
        Reason(Why.UNREACHABLE, phrase="Connection refused"), final=False
    )


def test_leaving() -> None:
    stage = Stage()
    registered(stage)
    stage.agent.registration.leave(stage.now)
    stage.settle()
    assert not stage.quiet()
    request = stage.hears("REGISTER")
    assert request.get("Expires") == "0"
    stage.challenge(request, nonce="n2")
    again = stage.hears("REGISTER")
    assert again.get("Expires") == "0"
    stage.respond(again, 200)
    stage.told(Unregistered)
    assert stage.quiet()
    stage.advance(600)
    assert stage.silent()


def test_who_never_registered_need_not_leave() -> None:
    stage = Stage()
    stage.agent.registration.leave(stage.now)
    stage.settle()
    assert stage.silent()
