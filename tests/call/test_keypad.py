"""Keys that are told of by INFO, by telephone-events, by tones."""

import pytest

from pbx.call.keypad import Keypad


class TestKeypad:
    @pytest.mark.parametrize("inband", [False, True])
    def test_one_way_alone(self, inband: bool) -> None:
        info, sound = Keypad(), Keypad()
        for when, digit in enumerate("1223#"):
            assert info.by_info(digit, when / 10)
            assert sound.by_sound(digit, when / 10, inband=inband)

    def test_both_ways_tone_first(self) -> None:
        keypad = Keypad()
        for when in (0.0, 0.2, 0.4):
            assert keypad.by_sound("5", when, inband=True)
            assert not keypad.by_info("5", when + 0.1)

    @pytest.mark.parametrize("inband", [False, True])
    def test_both_ways_info_first(self, inband: bool) -> None:
        keypad = Keypad()
        assert keypad.by_info("5", 0.0)
        assert keypad.by_info("5", 0.1)
        assert keypad.by_info("6", 0.2)
        for when, digit in ((0.3, "5"), (0.4, "5"), (0.5, "6")):
            assert not keypad.by_sound(digit, when, inband=inband)
        assert keypad.by_sound("6", 0.6, inband=inband)

    def test_a_phone_that_sends_events_needs_no_info(self) -> None:
        keypad = Keypad()
        assert keypad.by_sound("1", 0.0, inband=False)
        # At the end of a key that was held down for long
        assert not keypad.by_info("1", 9.0)
        assert keypad.by_sound("1", 10.0, inband=False)

    def test_speech_that_sounds_like_a_key_does_not_make_info_worthless(self) -> None:
        keypad = Keypad()
        assert keypad.by_sound("D", 0.0, inband=True)
        assert keypad.by_info("5", 0.1)
        assert keypad.by_info("D", 5.0)
