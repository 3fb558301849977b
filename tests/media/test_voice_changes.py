"""Voices that change in mid-call, in a real engine, and settings that none can have."""

import re
from pathlib import Path

import pytest

from pbx.media import codecs
from pbx.media.protocol import Counts, Query, Refused, Release, Released, Voice, VoiceCounts
from tests.media.engine_process import Link, stream
from tests.media.voice_phone import G722, L16, LEVEL, PCMA, PCMU, converse, voice_phones

PLAIN = (codecs.PCMU, PCMU)

FORMATS = (
    (codecs.OPUS, 98),
    (codecs.G722, G722),
    (codecs.GSM, 3),
    (codecs.G726_32, 97),
    (codecs.G729, 18),
    (codecs.L16_16000, L16),
    (codecs.PCMA, PCMA),
    PLAIN,
)


def memory_kib(pid: int) -> int:
    """What a process has in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found.group(1))


class TestCodec:
    def test_from_one_to_another_in_mid_call(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            numbers: list[int] = []
            sources: set[int] = set()
            for codec, payload_type in ((codecs.G722, G722), (codecs.OPUS, 98), PLAIN):
                phone.use(codec, payload_type)
                phone.be(echo=True)
                converse([(phone, phone.tone(500, 1.3))])
                assert abs(phone.hears(500, 0.6) - LEVEL) < 1.5
                numbers += [one.sequence for one in phone.got]
                sources |= {one.ssrc for one in phone.got}
            # To the peer it is the same source all the time.
            assert len(sources) == 1
            assert numbers == sorted(numbers) or max(numbers) > 0xFF00

    def test_what_a_voice_has_counted_goes_on(self, link: Link) -> None:
        """What was made up is told of the whole call, in milliseconds of whatever codec."""

        def told() -> VoiceCounts:
            link.send(Query())
            return link.expect(Counts).voices[0]

        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.loses = frozenset(range(10, 60, 5))
            phone.be()
            converse([(phone, phone.tone(500, 1.5))])
            before = told()
            assert before.concealed_ms >= 100
            for codec, payload_type in ((codecs.OPUS, 98), (codecs.G722, G722), PLAIN):
                phone.use(codec, payload_type)
                phone.be()
                after = told()
                # Samples are whole ones
                assert after.concealed_ms >= before.concealed_ms - 0.5
            link.send(Release([phone.port]), phone.stream())
            ended = link.expect(Released)
            assert ended.voice is not None
            assert ended.voice.concealed_ms >= before.concealed_ms - 0.5
            phone.be()
            assert told().concealed_ms == 0

    def test_thousands_of_changes_leave_nothing_behind(self, link: Link) -> None:
        with voice_phones(link, *[PLAIN] * 4) as phones:
            before = 0
            for turn in range(500):
                codec, payload_type = FORMATS[turn % len(FORMATS)]
                link.send(*(Voice(one.port, codec, payload_type, echo=True) for one in phones))
                link.settle()
                if turn == 100:
                    before = memory_kib(link.ready.pid)
            assert link.said(Refused) == []
            # Sixteen hundred decoders and encoders of Opus and G.729 would have more than that.
            assert memory_kib(link.ready.pid) - before < 4096
            phones[0].use(*PLAIN)
            phones[0].be(echo=True)
            converse([(phones[0], phones[0].tone(500, 1.3))])
            assert abs(phones[0].hears(500, 0.6) - LEVEL) < 1

    def test_more_at_once_than_there_are_coders(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            link.send(
                *(
                    Voice(phone.port, *FORMATS[turn % len(FORMATS)], room=turn + 1)
                    for turn in range(400)
                )
            )
            assert all("at once" in one.reason for one in link.said(Refused))
            phone.be(echo=True)
            converse([(phone, phone.tone(500, 1.3))])
            assert abs(phone.hears(500, 0.6) - LEVEL) < 1


class TestPackets:
    def test_another_length(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            for ptime_ms in (60, 10, 40, 20):
                phone.be(echo=True, ptime_ms=ptime_ms)
                phone.forget()
                converse([(phone, phone.tone(500, 0.5))])
                assert {len(one.payload) for one in phone.sound()[1:]} == {8 * ptime_ms}
            # Nothing of the time line has been lost, whatever its pieces.
            packets = phone.sound()
            for one, after in zip(packets, packets[1:], strict=False):
                assert (after.timestamp - one.timestamp) % 2**32 % 160 == 0

    def test_hold(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be(echo=True)
            converse([(phone, phone.tone(500, 0.4))])
            last = phone.sound()[-1]
            link.send(phone.stream(send=False))
            link.settle()
            phone.receive()
            last = phone.sound()[-1]
            phone.forget()
            converse([(phone, phone.tone(500, 0.6))])
            assert phone.got == []
            link.send(phone.stream())
            converse([(phone, phone.tone(500, 0.6))])
            first = phone.sound()[0]
            assert first.marker
            assert not phone.sound()[1].marker
            assert first.sequence == (last.sequence + 1) % 2**16
            # The clock has run on: 600 ms and more.
            assert (first.timestamp - last.timestamp) % 2**32 >= 0.58 * 8000
            assert abs(phone.hears(500, 0.3) - LEVEL) < 1

    def test_a_peer_whose_address_is_not_known_yet(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            link.send(stream(phone.port, 0, None))
            phone.be(echo=True)
            converse([(phone, phone.tone(500, 0.3))])
            link.send(phone.stream(generation=1))
            converse([(phone, phone.tone(500, 1.0))])
            assert abs(phone.hears(500, 0.4) - LEVEL) < 1


class TestRelease:
    def test_and_set_again_at_once(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be(echo=True)
            sources = set()
            for _ in range(30):
                link.send(
                    Release([phone.port]),
                    phone.stream(),
                    Voice(phone.port, codecs.PCMU, PCMU, echo=True, room=7),
                )
                ended = link.expect(Released)
                assert ended.counts.port == phone.port
                assert ended.voice is not None
            phone.forget()
            converse([(phone, phone.tone(500, 1.3))])
            assert abs(phone.hears(500, 0.6) - LEVEL) < 1
            sources = {one.ssrc for one in phone.got}
            assert len(sources) == 1
            assert link.said(Refused) == []

    def test_many_times_in_one_breath(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            again = (
                Release([phone.port]),
                phone.stream(),
                Voice(phone.port, codecs.OPUS, 98, room=3),
            )
            link.send(phone.stream(), *(again * 100))
            for _ in range(100):
                link.expect(Released)
            assert all("at once" in one.reason for one in link.said(Refused))
            phone.be(echo=True)
            converse([(phone, phone.tone(500, 1.3))])
            assert abs(phone.hears(500, 0.6) - LEVEL) < 1

    def test_a_stream_that_was_no_voice(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            link.send(Release([phones[0].port]))
            assert link.expect(Released).voice is None
            link.send(phones[0].stream())

    def test_voices_go_on_when_another_exchange_comes(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(echo=True)
            converse([(phones[0], phones[0].tone(500, 0.4))])
            link.greet()
            assert link.ready.streams == [phones[0].port]
            converse([(phones[0], phones[0].tone(500, 1.0))])
            assert abs(phones[0].hears(500, 0.5) - LEVEL) < 1


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            *(({"codec": one}, "carries no speech") for one in (-1, 0, 12, 13, 14, 2**62)),
            *(({"ptime_ms": one}, f"{one} ms") for one in (-20, 0, 5, 15, 70, 2**62)),
            *(({"codec": codecs.GSM, "ptime_ms": one}, "GSM") for one in (10, 30, 50)),
            *(({"codec": codecs.OPUS, "ptime_ms": one}, "opus") for one in (30, 50)),
            *(({"codec": codecs.L16_48000, "ptime_ms": one}, "L16") for one in (30, 60)),
            *(({"payload_type": one}, "payload types") for one in (-1, 128)),
            *(({"event_type": one}, "payload types") for one in (-2, 128)),
            *(({"noise_type": one}, "payload types") for one in (-2, 128)),
            *(({"gain_db": one}, "gain") for one in (18.1, -40.1, float("nan"), float("inf"))),
            *(({"room": one}, "room") for one in (-1, 2**63)),
            ({"port": 1}, "not one of ours"),
            ({"port": -(2**40)}, "not one of ours"),
        ],
    )
    def test_settings(self, link: Link, changes: dict[str, object], words: str) -> None:
        with voice_phones(link, PLAIN) as phones:
            settings = {"port": phones[0].port, "codec": codecs.PCMU, "payload_type": 0, **changes}
            link.send(Voice(**settings))  # type: ignore[arg-type]
            assert words in link.expect(Refused).reason

    def test_without_a_stream(self, link: Link) -> None:
        link.send(Voice(link.ready.ports[0], codecs.PCMU, PCMU))
        assert "no stream" in link.expect(Refused).reason

    def test_what_was_set_before_stays(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be(echo=True)
            phones[0].be(echo=False, gain_db=99.0)
            assert "gain" in link.expect(Refused).reason
            converse([(phones[0], phones[0].tone(500, 1.0))])
            assert abs(phones[0].hears(500, 0.4) - LEVEL) < 1
