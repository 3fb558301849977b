"""The message lamp: the message-summary event package (RFC 3842)."""

import pytest

from tests.call.chat import reads, request, watch, write
from tests.call.office import HOME, Office


@pytest.fixture
def office() -> Office:
    return Office()


def summary(new: int) -> str:
    word = "yes" if new else "no"
    return (
        f"Messages-Waiting: {word}\r\nMessage-Account: sip:101@{HOME.host}\r\n"
        f"Text-Message: {new}/0\r\n"
    )


class TestRfc3842:
    def test_texts_that_wait(self, office: Office) -> None:
        alice, bob = office.phone("100"), office.phone("101", register=False)
        lamp = watch(bob, "101", "message-summary")
        notify = lamp.notified()
        assert notify.get("Content-Type") == "application/simple-message-summary"
        assert notify.body.decode() == summary(0)
        office.advance(2)
        write(alice, "101", "one")
        alice.response(202)
        assert lamp.notified().body.decode() == summary(1)
        office.advance(2)
        write(alice, "101", "two")
        alice.response(202)
        assert lamp.notified().body.decode() == summary(2)
        office.advance(2)
        bob.register()
        assert reads(bob) == "one"
        assert reads(bob) == "two"
        seen = []
        office.advance(2)
        while bob.inbox:
            seen.append(lamp.notified().body.decode())
            office.advance(2)
        assert seen[-1] == summary(0)

    def test_of_oneself_alone(self, office: Office) -> None:
        _, answer = request(
            office.phone("100"), "SUBSCRIBE", "101", headers="Event: message-summary"
        )
        assert answer.status == 403

    def test_a_phone_that_names_the_server_alone(self, office: Office) -> None:
        lamp = watch(office.phone("101"), "", "message-summary")
        assert lamp.notified().body.decode() == summary(0)
