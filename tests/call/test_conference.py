"""Conference rooms: who is in, who may come, and what they hear."""

import pytest

from pbx.call.conversation import Conversation
from pbx.call.heard import Heard
from pbx.call.services.conference import MUTED, UNMUTED
from pbx.config.settings import ServiceSettings
from pbx.media.protocol import Digit, Play, Release, StopPlaying, Voice
from tests.call.office import Office
from tests.call.phone import Invite
from tests.call.services import ends, played, player, served, voices
from tests.call.test_resume import reborn


@pytest.fixture
def office() -> Office:
    return Office(services=ServiceSettings(conference_parties=3))


def hang_up(call: Invite) -> None:
    call.bye()
    call.phone.response(200)


def since(office: Office, mark: int) -> list[Play | StopPlaying]:
    """What was to be played, or no more, since then."""
    return [one for one in office.media[mark:] if isinstance(one, Play | StopPlaying)]


class TestRoom:
    def test_all_of_a_room_hear_each_other(self, office: Office) -> None:
        for number, dialed in (("100", "*6*1"), ("101", "*6*1"), ("102", "*6*22")):
            served(office.phone(number), dialed)
        rooms = [voice.room for voice in voices(office).values()]
        assert rooms[0] == rooms[1] != rooms[2]
        assert all(rooms)
        assert not any(voice.echo for voice in voices(office).values())
        assert all(voice.speaks and voice.listens for voice in voices(office).values())

    def test_the_record(self, office: Office) -> None:
        hang_up(served(office.phone("100"), "*6*1*4711"))
        (facts,) = office.ended
        assert (facts.dialed_number, facts.called_number) == ("*6*1*xxxx", "*6*1")
        assert facts.route == "service conference room 1"

    def test_the_first_sets_the_password(self, office: Office) -> None:
        first = served(office.phone("100"), "*6*1*4711")
        bob = office.phone("101")
        for dialed in ("*6*1", "*6*1*4712"):
            refused = bob.invite(dialed, call_id=dialed)
            refused.ack_failure(bob.response(403))
        causes = [(facts.cause.tag.name, facts.cause.q850) for facts in office.ended if facts.cause]
        # Not 21, as for who may not call there
        assert causes == [("NO_RIGHT", 87)] * 2
        second = served(bob, "*6*1*4711")
        hang_up(first)
        hang_up(second)
        # Whoever comes when it is empty opens it anew.
        served(bob, "*6*1")

    def test_an_open_room_asks_for_none(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        office.phone("101").invite("*6*1*4711").phone.response(403)

    def test_a_full_room(self, office: Office) -> None:
        calls = [served(office.phone(number), "*6*1") for number in ("100", "101", "102")]
        late = office.phone("103")
        refused = late.invite("*6*1")
        refused.ack_failure(late.response(486))
        assert office.cause() == ("LIMIT", 17)
        served(late, "*6*2")
        hang_up(calls[0])
        served(late, "*6*1")

    def test_nothing_is_left(self, office: Office) -> None:
        calls = [served(office.phone(number), "*6*1") for number in ("100", "101", "102")]
        for call in calls:
            hang_up(call)
        office.advance(120)
        office.assert_empty()

    def test_who_holds_is_not_heard(self, office: Office) -> None:
        alice = office.phone("100")
        call = served(alice, "*6*1")
        served(office.phone("101"), "*6*1")
        call.reinvite(alice.sdp("sendonly"))
        call.answered()
        call.ack()
        assert [voice.speaks for voice in voices(office).values()] == [False, True]

    def test_the_record_of_a_mistyped_room(self, office: Office) -> None:
        office.phone("100").invite("*6*1*4711*").phone.response(404)
        (facts,) = office.ended
        assert (facts.dialed_number, facts.called_number) == ("*6*1*xxxx", "*6*1*xxxx")

    @pytest.mark.parametrize("dialed", ["*6**1", "*6*1*", "*6*1*2*3", "*6*a"])
    def test_no_room(self, office: Office, dialed: str) -> None:
        office.phone("100").invite(dialed).phone.response(404)


class TestWhatIsHeard:
    def test_whoever_is_alone_hears_music(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        (tune,) = played(office)
        assert (tune.port, tune.tone, tune.times) == (20000, "music", 0)

    def test_the_second_ends_it_and_all_hear_of_it(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        tune, mark = player(office), len(office.media)
        served(office.phone("101"), "*6*1")
        stop, sign = since(office, mark)
        assert stop == StopPlaying(tune.player)
        assert isinstance(sign, Play)
        assert (sign.port, sign.room) == (0, voices(office)[20000].room)
        assert sign.tone == "600/120 0/30 900/120"

    def test_a_sign_takes_one_player_however_many_hear_it(self) -> None:
        office = Office(services=ServiceSettings(conference_parties=100), ports=160)
        phones = [office.phone(str(number)) for number in range(100, 104)]
        for number in range(70):
            served(phones[number % 4], "*6*1")
        mark = len(office.media)
        calls = [served(phone, "*6*1") for phone in phones[:2]]
        signs = since(office, mark)
        (room,) = {voice.room for voice in voices(office).values()}
        assert [(one.room, one.port) for one in signs if isinstance(one, Play)] == [(room, 0)] * 2
        # Their end concerns nobody, and is no end of a call
        for sign in signs:
            assert isinstance(sign, Play)
            ends(office, sign, "too many sounds are played already")
        served(phones[2], "*45")
        hang_up(calls[0])
        assert len(office.ended) == 1

    def test_one_goes_and_two_stay(self, office: Office) -> None:
        calls = [served(office.phone(number), "*6*1") for number in ("100", "101", "102")]
        mark = len(office.media)
        hang_up(calls[1])
        assert Release([20002]) in office.media[mark:]
        tones = [one for one in since(office, mark) if isinstance(one, Play)]
        room = voices(office)[20000].room
        assert [(one.port, one.room) for one in tones] == [(0, room)]
        assert {one.tone for one in tones} == {"900/120 0/30 600/120"}

    def test_the_last_one_hears_music_again(self, office: Office) -> None:
        calls = [served(office.phone(number), "*6*1") for number in ("100", "101")]
        office.tunes = ["a.wav"]
        mark = len(office.media)
        hang_up(calls[0])
        tone, tune = since(office, mark)
        assert isinstance(tone, Play)
        assert isinstance(tune, Play)
        assert (tone.room, tone.tone) == (voices(office)[20002].room, "900/120 0/30 600/120")
        assert (tune.port, tune.path) == (20002, "a.wav")

    def test_whoever_never_got_in_makes_no_sound(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        mark = len(office.media)
        bob = office.phone("101")
        call = bob.invite("*6*1", b"")
        call.answered()
        call.ack()
        bob.hears("BYE")
        tones = [one.tone for one in since(office, mark) if isinstance(one, Play)]
        assert tones == ["music"]

    def test_another_engine(self, office: Office) -> None:
        for number in ("100", "101"):
            served(office.phone(number), "*6*1")
        served(office.phone("102"), "*6*2")
        before, mark = voices(office), len(office.media)
        office.engine_ready()
        office.pump()
        assert voices(office) == before
        # Who is with others hears nothing new; who is alone, music.
        (tune,) = since(office, mark)
        assert isinstance(tune, Play)
        assert (tune.port, tune.tone) == (20004, "music")


def seat(office: Office, number: str) -> Conversation:
    """The conversation of a user in a room."""
    (found,) = [
        one
        for one in office.exchange.calls.values()
        if isinstance(one, Conversation) and one.party.number == number
    ]
    return found


def voice(office: Office, port: int) -> tuple[bool, float]:
    """Whether the others hear the voice at a port, and how much louder than it speaks."""
    found = voices(office)[port]
    return found.speaks, found.gain_db


class TestHowAPartyIsHeard:
    def test_mute_and_gain(self, office: Office) -> None:
        for number in ("100", "101"):
            served(office.phone(number), "*6*1")
        for heard in (Heard(muted=True), Heard(gain_db=6.0), Heard(muted=True, gain_db=-3.0)):
            seat(office, "101").hear(heard, office.now)
            office.pump()
            assert voice(office, 20002) == (not heard.muted, heard.gain_db)
            assert voices(office)[20002].listens
        assert voice(office, 20000) == (True, 0.0)

    def test_the_party_hears_a_tone_when_it_is_muted_and_when_no_more(self, office: Office) -> None:
        for number in ("100", "101"):
            served(office.phone(number), "*6*1")
        mark = len(office.media)
        for heard in (Heard(muted=True), Heard(muted=True, gain_db=3.0), Heard(gain_db=3.0)):
            seat(office, "101").hear(heard, office.now)
            office.pump()
        tones = [(one.port, one.tone) for one in since(office, mark) if isinstance(one, Play)]
        assert tones == [(20002, MUTED), (20002, UNMUTED)]

    def test_it_survives_a_change_of_session(self, office: Office) -> None:
        alice = office.phone("100")
        call = served(alice, "*6*1")
        served(office.phone("101"), "*6*1")
        seat(office, "100").hear(Heard(muted=True, gain_db=6.0), office.now)
        for direction in ("sendonly", "sendrecv"):
            call.reinvite(alice.sdp(direction, port=4800))
            call.answered()
            call.ack()
            assert voice(office, 20000) == (False, 6.0)
        seat(office, "100").hear(Heard(gain_db=6.0), office.now)
        office.pump()
        assert voice(office, 20000) == (True, 6.0)

    def test_who_holds_is_not_heard_by_being_unmuted(self, office: Office) -> None:
        alice = office.phone("100")
        call = served(alice, "*6*1")
        seat(office, "100").hear(Heard(muted=True), office.now)
        call.reinvite(alice.sdp("sendonly"))
        call.answered()
        call.ack()
        seat(office, "100").hear(Heard(), office.now)
        office.pump()
        assert voice(office, 20000) == (False, 0.0)

    def test_it_survives_another_engine(self, office: Office) -> None:
        for number in ("100", "101"):
            served(office.phone(number), "*6*1")
        seat(office, "100").hear(Heard(muted=True, gain_db=-6.0), office.now)
        office.pump()
        before, mark = voices(office), len(office.media)
        office.engine_ready()
        office.pump()
        again = {one.port: one for one in office.media[mark:] if isinstance(one, Voice)}
        assert again == before
        assert (again[20000].speaks, again[20000].gain_db) == (False, -6.0)

    def test_it_survives_another_exchange(self, office: Office) -> None:
        alice = office.phone("100")
        served(alice, "*6*1*4711")
        seat(office, "100").hear(Heard(muted=True, gain_db=6.0), office.now)
        office.pump()
        after = reborn(office, alice)
        assert voice(after, 20000) == (False, 6.0)
        assert seat(after, "100").service.heard == Heard(muted=True, gain_db=6.0)

    def test_who_comes_back_is_heard(self, office: Office) -> None:
        served(office.phone("101"), "*6*1")
        alice = office.phone("100")
        call = served(alice, "*6*1")
        seat(office, "100").hear(Heard(muted=True, gain_db=6.0), office.now)
        hang_up(call)
        served(alice, "*6*1")
        assert seat(office, "100").service.heard == Heard()


class TestOwnMute:
    def test_the_keys(self, office: Office) -> None:
        for number in ("100", "101"):
            served(office.phone(number), "*6*1")
        seat(office, "101").hear(Heard(gain_db=6.0), office.now)
        for muted in (True, False):
            press(office, 20002, "*6")
            assert voice(office, 20002) == (not muted, 6.0)
        assert voice(office, 20000) == (True, 0.0)

    @pytest.mark.parametrize("keys", ["6", "6*", "*16", "**", "66", "#6"])
    def test_other_keys(self, office: Office, keys: str) -> None:
        served(office.phone("100"), "*6*1")
        press(office, 20000, keys)
        assert voice(office, 20000) == (True, 0.0)

    def test_keys_that_are_apart(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        press(office, 20000, "*")
        office.now += 10
        press(office, 20000, "6")
        assert voice(office, 20000) == (True, 0.0)

    def test_who_is_muted_from_the_exchange_may_unmute_itself(self, office: Office) -> None:
        served(office.phone("100"), "*6*1")
        seat(office, "100").hear(Heard(muted=True), office.now)
        press(office, 20000, "*6")
        assert voice(office, 20000) == (True, 0.0)


def press(office: Office, port: int, keys: str) -> None:
    """A party presses keys, one after the other."""
    for key in keys:
        office.exchange.reported(Digit(port, key, inband=False), office.now)
        office.now += 1
    office.pump()
