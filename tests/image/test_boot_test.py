"""What the boot test writes onto the card is what a box takes over whole: no emulator is needed."""

from boot_test.steps import USERS, settings
from pbx.store.accounts import FirstUser, first_users
from tests.image.box import Box, sentences

FIRST_USERS = "home/pi/.minisipserver/first-users.json"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHvuCqbVUhS5WipKcgG6tmRUUuc/XRpWhejEPRUJ7EMY boot-test"


def test_its_phones_can_register_with_what_it_wrote(box: Box) -> None:
    state = box.first_start(settings(KEY))
    assert sentences(state) == []
    assert first_users(box.root / FIRST_USERS) == [
        FirstUser(number, f"Phone {number}", password) for number, password in USERS
    ]


def test_somebody_can_log_in_with_what_it_wrote(box: Box) -> None:
    state = box.first_start(settings(KEY))
    assert (state.login, state.one_time) == ("pi", None)
    assert box.text("/home/pi/.ssh/authorized_keys").splitlines() == [KEY]
