"""Glare: RFC 3261 §14.1."""

from pbx.sip.glare import glare_wait_s, retry_after_s


def test_who_chose_the_call_id_waits_longer() -> None:
    owners = {round(glare_wait_s(str(number), owner=True), 2) for number in range(5000)}
    others = {round(glare_wait_s(str(number), owner=False), 2) for number in range(5000)}
    assert (min(owners), max(owners), len(owners)) == (2.1, 4.0, 191)
    assert (min(others), max(others), len(others)) == (0.0, 2.0, 201)


def test_retry_after_is_between_0_and_10_seconds() -> None:
    assert {retry_after_s(str(number)) for number in range(1000)} == set(range(11))
