"""What is told of devices that come, go and wobble."""

from hw.roster import NAME_LIMIT, SETTLE_S, Change, Plugged, Roster, clean

CARD = "/devices/usb1/1-1/sound/card1"
BARE = Plugged("sound", "card1", "", True)
NAMED = Plugged("sound", "C-Media USB Audio", "platform-xhci-usb-0:1:1.0", True)


def test_the_name_that_comes_later_is_the_one_told() -> None:
    roster = Roster()
    roster.seen(CARD, BARE, 8.3)
    roster.seen(CARD, NAMED, 8.8)
    assert roster.settle(8.3 + SETTLE_S) == []
    assert roster.deadline == 8.8 + SETTLE_S
    assert roster.settle(8.8 + SETTLE_S) == [Change("added", NAMED)]
    assert roster.usb_sound == 1


def test_nothing_is_due_once_all_is_told() -> None:
    roster = Roster()
    roster.seen(CARD, NAMED, 0.0)
    roster.settle(SETTLE_S)
    assert roster.deadline is None


def test_removed_by_the_name_it_had() -> None:
    roster = Roster()
    roster.seen(CARD, NAMED, 0.0)
    roster.settle(10.0)
    roster.gone(CARD, 20.0)
    assert roster.settle(20.0 + SETTLE_S) == [Change("removed", NAMED)]
    assert roster.usb_sound == 0


def test_a_loose_contact_is_told_once() -> None:
    roster = Roster()
    for at in (0.0, 0.2, 0.4):
        roster.seen(CARD, NAMED, at)
        roster.gone(CARD, at + 0.1)
    roster.seen(CARD, NAMED, 0.6)
    assert roster.settle(9.0) == [Change("added", NAMED)]


def test_a_device_that_resets_itself_is_not_told() -> None:
    roster = Roster()
    roster.seen(CARD, NAMED, 0.0)
    roster.settle(9.0)
    roster.gone(CARD, 10.0)
    roster.seen(CARD, BARE, 10.3)
    roster.seen(CARD, NAMED, 10.8)
    assert roster.settle(19.0) == []


def test_in_and_out_again_is_not_told() -> None:
    roster = Roster()
    roster.seen(CARD, NAMED, 0.0)
    roster.gone(CARD, 0.5)
    assert roster.settle(9.0) == []


def test_what_was_never_seen_cannot_go() -> None:
    roster = Roster()
    roster.gone(CARD, 0.0)
    assert roster.deadline is None


def test_each_device_settles_by_itself() -> None:
    roster = Roster()
    other = Plugged("usb", "Stick", "p2", True)
    roster.seen("/a", other, 0.0)
    roster.seen(CARD, NAMED, 1.0)
    assert roster.settle(SETTLE_S) == [Change("added", other)]
    assert roster.settle(1.0 + SETTLE_S) == [Change("added", NAMED)]


def test_after_lost_events_the_difference_is_told() -> None:
    roster = Roster()
    stick, other = Plugged("usb", "Stick", "p2", True), Plugged("usb", "Disk", "p3", True)
    roster.only({CARD: NAMED, "/a": stick}, 0.0)
    roster.settle(9.0)
    roster.only({"/a": stick, "/b": other}, 10.0)
    assert set(roster.settle(19.0)) == {Change("removed", NAMED), Change("added", other)}


def test_a_name_cannot_harm_a_log() -> None:
    assert clean("Evil\x1b[2J\r\nname\u202e") == "Evil [2J name"
    assert clean("张三 声卡") == "张三 声卡"
    assert len(clean("x" * 500)) == NAME_LIMIT
