"""Who hears the same gets the same packets, encoded once; whoever hears something else, his own."""

import contextlib
from collections.abc import Iterator

import pytest

from pbx.media import codecs
from pbx.media.protocol import Play, Played, StopPlaying
from tests.media.engine_process import Link
from tests.media.kernels.sound import tone_level
from tests.media.srtp_peer import SrtpPeer, secure
from tests.media.voice_phone import G722, PCMU, VoicePhone, converse, voice_phones

LEVEL = -15.0 - 6.18
"""dBov of a tone of -15 dBm0 (ITU-T G.711: its full scale is 3.17 dBm0, and a sine's RMS 3 dB below)."""
ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)
G726 = (codecs.G726_32, 97)


@contextlib.contextmanager
def music(link: Link, *tones: str) -> Iterator[None]:
    """Play tones into room 1."""
    for number, tone in enumerate(tones):
        link.send(Play(number + 1, room=1, tone=tone, level_db=-15.0, times=0))
    yield
    for number, _ in enumerate(tones):
        link.send(StopPlaying(number + 1))
        link.expect(Played)


def payloads(phone: VoicePhone) -> list[bytes]:
    return [one.payload for one in phone.sound()]


def same(one: VoicePhone, other: VoicePhone, count: int = 25) -> bool:
    """Whether the last packets of a phone are another's too, one after the other."""
    mine, theirs = payloads(one)[-count - 5 : -5], payloads(other)
    assert len(mine) == count
    return any(theirs[at : at + count] == mine for at in range(len(theirs) - count + 1))


def pause(*phones: VoicePhone, seconds: float = 0.4) -> None:
    converse([(one, one.quiet(seconds)) for one in phones])


class TestListeners:
    @pytest.mark.parametrize("codec", [ULAW, WIDE, OPUS, G726])
    def test_of_one_music(self, link: Link, codec: tuple[int, int]) -> None:
        """Whenever they have come: a codec with a memory is no obstacle."""
        with voice_phones(link, codec, codec, codec) as phones, music(link, "500+730"):
            for one in phones:
                one.be(room=1, speaks=False)
                pause(*phones)
            for one in phones:
                one.forget()
            pause(*phones, seconds=1.3)
            assert same(phones[0], phones[1])
            assert same(phones[0], phones[2])
            assert len({one.sound()[-1].ssrc for one in phones}) == 3
            for one in phones:
                for hertz in (500, 730):
                    # Both together are as loud as one alone.
                    assert abs(one.hears(hertz) - LEVEL + 3.0) < 1.0

    def test_of_other_formats(self, link: Link) -> None:
        """Each codec and packet length has its own."""
        with (
            voice_phones(link, ULAW, ULAW, (codecs.PCMA, 8), WIDE, OPUS) as phones,
            music(link, "500"),
        ):
            phones[1].ptime_ms = 40
            for one in phones:
                one.be(room=1, speaks=False)
            pause(*phones, seconds=1.3)
            for one in phones:
                assert abs(one.hears(500) - LEVEL) < 1.0
            assert {len(one) for one in payloads(phones[1])} == {320}

    def test_of_other_settings(self, link: Link) -> None:
        """Of whom one plays telephone sound only, one uses copies, one takes fewer bits."""
        with voice_phones(link, OPUS, OPUS, OPUS, OPUS, OPUS) as phones, music(link, "500+730"):
            wide, other, narrow, copied, slow = phones
            narrow.be(room=1, speaks=False, plays_hz=8000)
            copied.be(room=1, speaks=False, fec=True)
            slow.be(room=1, speaks=False, bitrate=12000)
            wide.be(room=1, speaks=False)
            other.be(room=1, speaks=False)
            pause(*phones, seconds=1.3)
            for one in phones:
                assert abs(one.hears(500) - LEVEL + 3.0) < 1.5
            assert same(wide, other)
            assert not same(wide, narrow)
            assert not same(wide, copied)
            assert not same(wide, slow)
            last = payloads(slow)[-50:]
            assert 8 * sum(map(len, last)) <= 12000 * 0.02 * len(last)

    def test_whose_peers_are_protected(self, link: Link) -> None:
        """Each by its own key, whoever's packet it was."""
        with voice_phones(link, ULAW, ULAW, ULAW) as phones, music(link, "500"):
            for one in phones[:2]:
                peer = secure(one.phone, SrtpPeer())
                link.send(one.stream(srtp=peer.srtp))
            for one in phones:
                one.be(room=1, speaks=False)
            pause(*phones, seconds=1.3)
            assert same(phones[0], phones[1])
            assert same(phones[0], phones[2])
            assert all(abs(one.hears(500) - LEVEL) < 1.0 for one in phones)

    @pytest.mark.parametrize("codec", [WIDE, OPUS, G726])
    def test_one_that_begins_to_talk(self, link: Link, codec: tuple[int, int]) -> None:
        """Its encoder goes on where the shared one was: nothing is to be heard of the change."""
        with voice_phones(link, codec, codec, codec) as phones, music(link, "500"):
            speaker, *others = phones
            for one in phones:
                one.be(room=1, speaks=one is not speaker)
            pause(*phones, seconds=1.0)
            for one in phones:
                one.forget()
            speaker.be(room=1)
            converse(
                [(speaker, speaker.tone(900, 1.2)), *((one, one.quiet(1.2)) for one in others)]
            )
            assert not same(speaker, others[0])
            assert abs(others[0].hears(900, 0.5) - others[1].hears(900, 0.5)) < 0.5
            assert others[0].hears(900, 0.5) > LEVEL - 2
            levels = [tone_level(part, 500, speaker.rate) for part in speaker.tenths(0.9)]
            assert all(abs(one - LEVEL) < 1.5 for one in levels[1:]), levels
            assert speaker.hears(900) < LEVEL - 25


class TestTalkers:
    def test_each_hears_the_others(self, link: Link) -> None:
        """Two that say the same are still not heard by themselves."""
        with voice_phones(link, OPUS, OPUS, ULAW) as phones:
            for one in phones:
                one.be(room=1)
            a, b, c = phones
            converse([(a, a.tone(500)), (b, b.tone(900)), (c, c.quiet(1.6))])
            assert a.hears(500) < -45
            assert b.hears(900) < -45
            for listener, hertz in ((a, 900), (b, 500), (c, 500), (c, 900)):
                assert listener.hears(hertz) > -18
