"""Pairs of voices in a real engine: a call whose parties speak different codecs."""

from typing import Any

import numpy as np
import pytest
from msgspec import structs

from pbx.media import codecs
from pbx.media.protocol import Digit, Refused, SendDigits, StopVoice, Stream, Voice
from tests.media.engine_process import Link, stream, until
from tests.media.voice_phone import (
    G722,
    LEVEL,
    PCMA,
    PCMU,
    Packet,
    VoicePhone,
    converse,
    voice_phones,
)

ALAW = (codecs.PCMA, PCMA)
ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)

NOTHING = -60.0
"""dBov: less than this is silence to anybody."""


def streams(a: VoicePhone, b: VoicePhone) -> list[Stream]:
    """The streams of a call of two phones, as they are when it is relayed."""
    return [stream(a.port, b.port, a.phone.address), stream(b.port, a.port, b.phone.address)]


def join(a: VoicePhone, b: VoicePhone) -> None:
    """Make two phones the parties of a converted call."""
    a.link.send(*streams(a, b))
    a.be(partner=b.port)
    b.be(partner=a.port)


def arrived(phone: VoicePhone) -> Packet:
    """Return the next packet that a phone gets."""

    def came() -> bool:
        phone.receive()
        return bool(phone.got)

    until(came)
    return phone.got.pop(0)


class TestConversion:
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            (ALAW, ULAW),
            (ALAW, WIDE),
            (ULAW, OPUS),
            (WIDE, OPUS),
            ((codecs.GSM, 3), OPUS),
            ((codecs.G726_32, 97), WIDE),
        ],
    )
    def test_each_hears_the_other_alone(
        self, link: Link, left: tuple[int, int], right: tuple[int, int]
    ) -> None:
        with voice_phones(link, left, right) as (a, b):
            join(a, b)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            loss = 2.5 if codecs.GSM in (left[0], right[0]) else 1.5
            assert abs(b.hears(500) - LEVEL) < loss
            assert abs(a.hears(900) - LEVEL) < loss
            assert b.hears(900) < LEVEL - 25
            assert a.hears(500) < LEVEL - 25

    @pytest.mark.parametrize(("other", "rate"), [(ALAW, 8000), (WIDE, 16000)])
    def test_opus_at_the_rate_of_the_other_party(
        self, link: Link, other: tuple[int, int], rate: int
    ) -> None:
        with voice_phones(link, other, OPUS) as (a, b):
            join(a, b)
            b.be(partner=a.port, rate=rate, plays_hz=rate)
            a.forget()
            b.forget()
            high = 0.42 * rate
            both = (b.tone(900, peak=4000) + b.tone(high, peak=4000)).astype(np.int16)
            converse([(a, a.tone(500)), (b, both)])
            assert abs(b.hears(500) - LEVEL) < 1.5
            assert abs(a.hears(900) - LEVEL + 6) < 1.5
            assert abs(a.hears(high) - LEVEL + 6) < 2.5

    def test_packets_of_each_party_have_its_own_length(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            a.ptime_ms = 30
            join(a, b)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert {len(one.payload) for one in a.sound()} == {240}
            assert {len(one.payload) for one in b.sound()} == {160}
            assert abs(a.hears(900) - LEVEL) < 1.5
            assert abs(b.hears(500) - LEVEL) < 1.5

    def test_a_party_that_holds_gets_nothing_and_is_heard(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            held = streams(a, b)[0]
            link.send(structs.replace(held, send=False))
            link.settle()
            a.forget()
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert a.got == []
            assert abs(b.hears(500) - LEVEL) < 1.5


class TestChanges:
    def test_sequence_numbers_go_on_from_what_was_passed_on(self, link: Link) -> None:
        """baresip 1.0 drops what has lower ones, of whatever source."""
        with voice_phones(link, ALAW, WIDE) as (a, b):
            link.send(*streams(a, b))
            link.settle()
            b.sequence = 65_530
            for _ in range(10):
                b.send(b"x" * 160)
                assert arrived(a).payload
            join(a, b)
            converse([(a, a.quiet(0.3)), (b, b.quiet(0.3))])
            assert [one.sequence for one in a.got][:5] == [4, 5, 6, 7, 8]

    def test_back_to_what_is_passed_on(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            converse([(a, a.tone(500, 0.6)), (b, b.tone(900, 0.6))])
            b.use(*ALAW)
            link.send(StopVoice(b.port), StopVoice(a.port))
            link.settle()
            a.forget()
            b.forget()
            a.send(b"\x55" * 160)
            assert arrived(b).payload == b"\x55" * 160
            b.send(b"\xd5" * 160)
            assert arrived(a).payload == b"\xd5" * 160

    def test_and_converted_again(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            for _ in range(2):
                join(a, b)
                a.forget()
                b.forget()
                converse([(a, a.tone(500)), (b, b.tone(900))])
                assert abs(b.hears(500) - LEVEL) < 1.5
                assert abs(a.hears(900) - LEVEL) < 1.5
                link.send(StopVoice(a.port), StopVoice(b.port))
                link.settle()

    def test_a_stream_that_is_no_voice_stays_one(self, link: Link) -> None:
        with voice_phones(link, ALAW) as (a,):
            link.send(StopVoice(a.port))
            link.settle()
            assert link.said(Refused) == []

    def test_of_a_partner_that_has_gone_nothing_is_heard(self, link: Link) -> None:
        """Not even when another call gets its port."""
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            link.release(b.port)
            link.send(b.stream())
            b.be()
            a.forget()
            converse([(a, a.quiet(1.6)), (b, b.tone(900))])
            assert a.hears(900) < NOTHING

    def test_opus_of_another_rate_when_the_partner_is_another(self, link: Link) -> None:
        with voice_phones(link, WIDE, OPUS) as (a, b):
            join(a, b)
            for rate in (8000, 16000, 8000):
                b.be(partner=a.port, rate=rate)
                a.forget()
                b.forget()
                both = (b.tone(900, peak=4000) + b.tone(6000, peak=4000)).astype(np.int16)
                converse([(a, a.tone(500)), (b, both)])
                assert abs(b.hears(500) - LEVEL) < 1.5
                assert abs(a.hears(900) - LEVEL + 6) < 1.5
                assert (a.hears(6000) > LEVEL - 10) == (rate == 16000)

    def test_many_changes_leave_nothing_behind(self, link: Link) -> None:
        with voice_phones(link, ALAW, ULAW) as (a, b):
            for _ in range(200):
                for one, other in ((a, b), (b, a)):
                    link.send(Voice(one.port, codecs.OPUS, 98, partner=other.port))
                link.send(StopVoice(a.port), StopVoice(b.port))
                link.settle()
            assert link.said(Refused) == []


class TestDigits:
    def test_events_of_one_become_tones_for_the_other(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            b.be(partner=a.port, event_type=-1)
            b.forget()
            link.send(SendDigits(b.port, "5", on_ms=400))
            converse([(a, a.quiet(0.6)), (b, b.quiet(0.6))])
            loud = [part for part in b.tenths(0.5) if np.max(np.abs(part)) > 2000]
            assert len(loud) >= 3

    def test_tones_of_a_partner_are_told(self, link: Link) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            join(a, b)
            b.be(partner=a.port, event_type=-1, inband=True)
            tone = (b.tone(770, 0.2, 6000) + b.tone(1336, 0.2, 6000)).astype(np.int16)
            converse([(b, np.concatenate([b.quiet(0.3), tone, b.quiet(0.3)]))])
            assert link.said(Digit) == [Digit(b.port, "5", True)]


class TestRefusals:
    @pytest.mark.parametrize("wrong", ["self", "room", "stranger"])
    def test_partners_that_none_can_have(self, link: Link, wrong: str) -> None:
        with voice_phones(link, ALAW, WIDE) as (a, b):
            partner = {"self": a.port, "room": b.port, "stranger": link.ready.ports[5]}[wrong]
            link.send(Voice(a.port, *ALAW, partner=partner, room=7 if wrong == "room" else 0))
            link.settle()
            (refused,) = link.said(Refused)
            assert str(a.port) in refused.reason or str(partner) in refused.reason

    @pytest.mark.parametrize(
        "wrong",
        [
            {"codec": codecs.PCMA, "rate": 16000},
            {"codec": codecs.OPUS, "rate": 12000},
            {"codec": codecs.OPUS, "plays_hz": -1},
            {"codec": codecs.OPUS, "bitrate": 5999},
        ],
    )
    def test_rates_that_none_can_have(self, link: Link, wrong: dict[str, Any]) -> None:
        with voice_phones(link, ALAW) as (a,):
            link.send(Voice(a.port, payload_type=98, **wrong))
            link.settle()
            (refused,) = link.said(Refused)
            assert "Hz" in refused.reason or "bit/s" in refused.reason
