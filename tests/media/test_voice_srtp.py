"""Voices whose peers are protected by SRTP, and recordings of protected calls, by their sound."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pbx.media import codecs
from pbx.media.protocol import (
    Counts,
    Digit,
    Query,
    Record,
    Release,
    Released,
    SendDigits,
    StopVoice,
    Tap,
)
from tests.media.engine_process import Link, stream, until
from tests.media.rtcp_packets import BYE, SDES, SR, Block, Compound, parse, receiver_report
from tests.media.srtp_peer import COMMON, SUITES, SrtpPeer, raw, secure
from tests.media.test_voice_digits import press
from tests.media.test_voice_recordings import median_level, stopped
from tests.media.voice_phone import (
    EVENTS,
    G722,
    LEVEL,
    PCMA,
    PCMU,
    VoicePhone,
    converse,
    voice_phones,
)
from tests.media.wav_files import read_wav

ALAW = (codecs.PCMA, PCMA)
ULAW = (codecs.PCMU, PCMU)
WIDE = (codecs.G722, G722)
OPUS = (codecs.OPUS, 98)
HERTZ = (400, 700, 1300)


def protected(phone: VoicePhone, suite: str = COMMON, sink: int = 0) -> SrtpPeer:
    """Protect a phone's stream, whose sound goes to `sink`."""
    peer = secure(phone.phone, SrtpPeer(suite))
    phone.link.send(stream(phone.port, sink, phone.phone.address, srtp=peer.srtp))
    return peer


def report_of(phone: VoicePhone, wanted: Callable[[Compound], bool]) -> Compound:
    """Return the next report to a phone that is wanted."""
    while True:
        report = parse(phone.phone.rtcp.recv(2048))
        if wanted(report):
            return report


class TestSound:
    @pytest.mark.parametrize(
        ("suite", "formats"), [(SUITES[0], (ULAW, WIDE)), (COMMON, (OPUS, ALAW))]
    )
    def test_in_a_room(
        self, link: Link, suite: str, formats: tuple[tuple[int, int], tuple[int, int]]
    ) -> None:
        """One leg is protected, the other is not."""
        with voice_phones(link, *formats) as (a, b):
            protected(a, suite)
            a.be(room=1)
            b.be(room=1)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert abs(b.hears(500) - LEVEL) < 1.5
            assert abs(a.hears(900) - LEVEL) < 1.5

    @pytest.mark.parametrize("suite", [SUITES[0], COMMON])
    def test_a_longer_packet_leaves_the_next_one_alone(self, link: Link, suite: str) -> None:
        """252 octets fill four cache lines but for less than a tag; all of a tick lie in a row."""
        with voice_phones(link, ULAW, ULAW, ULAW) as phones:
            protected(phones[0], suite)
            phones[0].ptime_ms = 30
            for one in phones:
                one.be(room=1)
            converse([(one, one.tone(hertz)) for one, hertz in zip(phones, HERTZ, strict=True)])
            # None of them is anything but RTP (`parse`), and each is heard by all others.
            for one in phones:
                others = [
                    hertz for hertz, other in zip(HERTZ, phones, strict=True) if other is not one
                ]
                assert all(abs(one.hears(hertz) - LEVEL) < 1.5 for hertz in others)

    def test_of_a_converted_call_and_back(self, link: Link) -> None:
        """The keys stay the same when a call is converted, and when it is passed on again."""
        with voice_phones(link, ALAW, WIDE) as (a, b):
            protected(a, SUITES[1], b.port)
            protected(b, SUITES[3], a.port)
            a.be(partner=b.port)
            b.be(partner=a.port)
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert abs(b.hears(500) - LEVEL) < 1.5
            assert abs(a.hears(900) - LEVEL) < 1.5
            link.send(StopVoice(a.port), StopVoice(b.port))
            b.use(*ALAW)
            b.forget()
            converse([(a, a.tone(700)), (b, b.quiet(1.6))])
            assert abs(b.hears(700) - LEVEL) < 1.5
            counts = link.counts()
            assert counts[a.port].forged == counts[b.port].forged == 0

    def test_a_tag_spoils_nobody_s_packet(self, link: Link) -> None:
        """All packets of a tick are made before the first is protected: 252 octets, and 10 of the tag."""
        with voice_phones(link, ULAW, ULAW, ULAW) as phones:
            for phone in phones:
                protected(phone)
                phone.be(room=1, ptime_ms=30)
            converse([(phone, phone.tone(500, 0.9)) for phone in phones])
            for phone in phones:
                sound = phone.sound()
                # What can't be unprotected isn't there
                assert len(sound) == sound[-1].sequence - sound[0].sequence + 1 >= 20
                assert {len(one.payload) for one in sound} == {240}

    def test_nobody_hears_a_stranger(self, link: Link) -> None:
        with voice_phones(link, ULAW, ULAW) as (a, b):
            peer = protected(a)
            secure(a.phone, SrtpPeer(receiving=peer.receiving))
            a.be(room=1)
            b.be(room=1)
            converse([(a, a.tone(500, 0.6)), (b, b.quiet(0.6))])
            assert b.hears(500, 0.3) < LEVEL - 40
            until(lambda: link.counts()[a.port].forged >= 30)
            assert link.counts()[a.port].received == 0

    def test_digits(self, link: Link) -> None:
        with voice_phones(link, ULAW) as (a,):
            protected(a)
            a.be()
            press(a, 5)
            assert link.expect(Digit) == Digit(a.port, "5", inband=False)
            link.send(SendDigits(a.port, "7"))

            def dialled() -> list[int]:
                a.receive()
                return [one.payload[0] for one in a.got if one.payload_type == EVENTS]

            assert set(until(dialled)) == {7}


class TestReports:
    @pytest.mark.parametrize("suite", SUITES)
    def test_both_ways(self, link: Link, suite: str) -> None:
        with voice_phones(link, ULAW) as (a,):
            protected(a, suite)
            a.be()
            converse([(a, a.tone(500, 0.2))])
            report = report_of(a, lambda one: one.kinds == [SR, SDES])
            stranger = SrtpPeer(suite)
            forged = stranger.protect(
                receiver_report(a.ssrc, Block(report.ssrc, 128, 1, 0, 0, 0, 0)), rtcp=True
            )
            raw(a.phone.rtcp).sendto(forged, ("127.0.0.1", a.port + 1))
            until(lambda: link.counts()[a.port].forged == 1)
            assert peer_loss(link) == -1
            told = receiver_report(a.ssrc, Block(report.ssrc, 64, 7, 0, 0, 0, 0))
            a.phone.rtcp.sendto(told, ("127.0.0.1", a.port + 1))
            until(lambda: peer_loss(link) == 25.0)

    def test_farewell(self, link: Link) -> None:
        with voice_phones(link, ULAW) as (a,):
            protected(a)
            a.be()
            converse([(a, a.quiet(0.2))])
            link.send(Release([a.port]))
            assert report_of(a, lambda one: BYE in one.kinds).kinds == [SR, SDES, BYE]
            link.expect(Released)
            link.send(a.stream())


def peer_loss(link: Link) -> float:
    link.send(Query())
    return link.expect(Counts).voices[0].peer_loss_percent


class TestRecording:
    def test_of_a_call_that_is_passed_on(self, link: Link, tmp_path: Path) -> None:
        """Each party's sound is written as it was said, whatever the other is sent."""
        path = tmp_path / "a.wav"
        with voice_phones(link, ULAW, ULAW) as (a, b):
            protected(a, SUITES[0], b.port)
            protected(b, COMMON, a.port)
            for one in (a, b):
                link.send(Tap(one.port, [(PCMU, codecs.PCMU)]))
            link.send(Record(1, str(path), a.port, b.port, stereo=True))
            link.settle()
            converse([(a, a.tone(500)), (b, b.tone(900))])
            assert abs(b.hears(500) - LEVEL) < 1.5
            assert abs(a.hears(900) - LEVEL) < 1.5
            assert stopped(link).failure == ""
            tracks, rate = read_wav(path)
            for own, hertz in zip(tracks, (500, 900), strict=True):
                assert abs(median_level(own, hertz, rate) - LEVEL) < 1.5
