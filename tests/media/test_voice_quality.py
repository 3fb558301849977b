"""What voices tell of themselves: RTCP to the peer, counts to the exchange; and how loss sounds."""

import contextlib
import time
from collections.abc import Callable

import numpy as np
import pytest

from pbx.media import codecs
from pbx.media.protocol import Counts, Query, Release, Released, VoiceCounts
from tests.media.engine_process import Link, stand_still, until
from tests.media.rtcp_packets import (
    BYE,
    RR,
    SDES,
    SR,
    XR,
    Block,
    Compound,
    ntp_now,
    parse,
    receiver_report,
    sender_report,
    voip_metrics,
)
from tests.media.voice_phone import G722, PCMU, VoicePhone, converse, voice_phones

PLAIN = (codecs.PCMU, PCMU)
LONGEST_WAIT_S = 12.0
"""The first report comes within 4 s, all others within 8 s of each other."""


def counts(link: Link) -> dict[int, VoiceCounts]:
    link.send(Query())
    return {one.port: one for one in link.expect(Counts).voices}


def report_of(phone: VoicePhone, wanted: Callable[[Compound], bool] = lambda _: True) -> Compound:
    """The next report that a phone gets, and that is such as wanted."""

    def look() -> Compound | None:
        phone.receive()
        with contextlib.suppress(BlockingIOError):
            found = parse(phone.phone.rtcp.recv(2048))
            return found if wanted(found) else None
        return None

    phone.phone.rtcp.setblocking(False)
    return until(look, LONGEST_WAIT_S)


class TestReports:
    def test_what_they_say_and_the_round_trip(self, link: Link) -> None:
        with voice_phones(link, PLAIN, (codecs.OPUS, 98)) as phones:
            first, second = phones
            first.be(echo=True)
            second.be()
            before = ntp_now()
            converse([(first, first.tone(500, 0.5))])
            report = report_of(first)
            assert report.kinds == [SR, SDES]
            sent = first.sound()
            assert {one.ssrc for one in sent} == {report.ssrc}
            assert 0 < report.packets <= len(sent)
            assert report.octets == 160 * report.packets
            assert before < report.ntp < ntp_now()
            # Its two times are the same moment, within a packet or two of the last one sent.
            behind = (report.timestamp - sent[report.packets - 1].timestamp) % 2**32
            assert behind <= 3 * 160
            (block,) = report.blocks
            assert block.ssrc == first.ssrc
            assert (block.fraction, block.lost) == (0, 0)
            assert block.highest & 0xFFFF == (first.sequence - 1) & 0xFFFF
            assert (block.lsr, block.dlsr) == (0, 0)
            # One that hears nobody reports on nobody; its name is everybody's here, and random.
            other = report_of(second)
            assert other.blocks == []
            assert other.name == report.name
            assert len(report.name) >= 12
            # A peer that answers after half a second, 200 ms of which were on the way.
            came = time.monotonic()
            ntp = ntp_now()
            first.phone.rtcp.sendto(
                sender_report(
                    first.ssrc,
                    ntp,
                    Block(report.ssrc, 64, 7, 0, 0, report.ntp >> 16 & 0xFFFFFFFF, 0),
                ),
                ("127.0.0.1", first.port + 1),
            )
            known = until(
                lambda: (
                    counts(link)[first.port]
                    if counts(link)[first.port].round_trip_ms >= 0
                    else None
                )
            )
            assert known.peer_loss_percent == 25.0
            passed = (ntp_now() - report.ntp) / 2**32 * 1000
            assert 0 <= known.round_trip_ms <= passed + 1
            assert counts(link)[second.port].round_trip_ms == -1
            assert counts(link)[second.port].peer_loss_percent == -1
            # The next report names ours, and how long ago it came.
            answer = report_of(first, lambda one: one.blocks[0].lsr != 0)
            assert answer.blocks[0].lsr == ntp >> 16 & 0xFFFFFFFF
            assert 0 < answer.blocks[0].dlsr / 65536 <= time.monotonic() - came + 0.1

    def test_a_delay_that_the_peer_has_had(self, link: Link) -> None:
        """What it says it kept our report for is no round trip."""
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be()
            report = report_of(phone)
            kept = until(lambda: kept if (kept := (ntp_now() - report.ntp) / 2**32) > 0.3 else None)
            lsr = report.ntp >> 16 & 0xFFFFFFFF
            block = Block(report.ssrc, 0, 0, 0, 0, lsr, int((kept - 0.2) * 65536))
            phone.phone.rtcp.sendto(receiver_report(1, block), ("127.0.0.1", phone.port + 1))
            trip = until(
                lambda: trip if (trip := counts(link)[phone.port].round_trip_ms) >= 0 else None
            )
            assert 195 <= trip < 700

    def test_loss_is_reported_to_the_peer(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.loses = frozenset(range(10, 200, 10))
            phone.be()
            converse([(phone, phone.tone(500, 1.0))])
            (block,) = report_of(phone, lambda one: one.blocks != []).blocks
            assert block.lost >= 1
            assert 0 < block.fraction <= 64

    def test_farewell(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            converse([(phones[0], phones[0].quiet(0.2))])
            link.send(Release([phones[0].port]))
            report = report_of(phones[0], lambda one: BYE in one.kinds)
            assert report.kinds == [SR, SDES, BYE]
            assert report.leaving == [report.ssrc]
            assert link.expect(Released).counts.rtcp_sent >= 1
            link.send(phones[0].stream())

    def test_one_that_has_sent_nothing_says_so(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            # Who holds is sent no sound, but reports all the same (RFC 3264 §5.1)
            link.send(phones[0].stream(send=False))
            phones[0].be()
            report = report_of(phones[0])
            assert report.kinds == [RR, SDES]
            assert report.blocks == []
            link.send(Release([phones[0].port]))
            assert report_of(phones[0]).kinds == [RR, SDES, BYE]
            assert link.expect(Released).counts.sent == 0
            assert phones[0].got == []
            link.send(phones[0].stream())

    def test_on_the_port_of_the_sound(self, link: Link) -> None:
        """RFC 5761."""
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            link.send(phone.stream(rtcp_mux=True))
            phone.be()
            converse([(phone, phone.quiet(0.2))])
            link.send(Release([phone.port]))
            link.expect(Released)
            phone.phone.rtp.setblocking(False)
            kinds = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = phone.phone.rtp.recv(2048)
                    if 192 <= data[1] <= 223:
                        kinds.append(parse(data).kinds)
            assert kinds == [[SR, SDES, BYE]]
            link.send(phone.stream())


class TestMetrics:
    """RFC 3611 §4.7, as SDP has asked for (§5.1)."""

    def test_what_they_say(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.loses = frozenset(range(10, 200, 10))
            phone.be(metrics=True)
            converse([(phone, phone.tone(500, 1.0))])
            report = report_of(phone, lambda one: one.metrics != [])
            assert report.kinds == [SR, SDES, XR]
            (metrics,) = report.metrics
            assert metrics.ssrc == phone.ssrc
            assert 0 < metrics.loss + metrics.discarded <= 64
            assert 10 <= metrics.mos < 45
            assert 0 < metrics.r < 93
            now, most, ever = metrics.buffer_ms
            assert 0 < now <= most <= ever == 300

    def test_what_a_phone_says(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phone = phones[0]
            phone.be()
            report = report_of(phone)
            for number, (of, mos) in enumerate(
                ((report.ssrc + 1, 31), (report.ssrc, 127), (report.ssrc, 38))
            ):
                while link.counts()[phone.port].rtcp_received < number:
                    pass
                assert counts(link)[phone.port].peer_mos == 0
                told = receiver_report(1) + voip_metrics(1, of & 0xFFFFFFFF, mos)
                phone.phone.rtcp.sendto(told, ("127.0.0.1", phone.port + 1))
            until(lambda: counts(link)[phone.port].peer_mos == 3.8)


def longest_gap_ms(phone: VoicePhone, peak: float) -> int:
    """For how long at most a tone wasn't to be heard."""
    step = phone.rate // 500
    heard = phone.heard()
    loud = np.flatnonzero(np.abs(heard.astype(np.int32)) > peak / 2)
    heard = heard[loud[0] : loud[-1]]
    pieces = heard[: len(heard) - len(heard) % step].reshape(-1, step).astype(np.float64)
    weak = np.sqrt(np.mean(pieces**2, axis=1)) < peak / np.sqrt(2) / 4
    longest = run = 0
    for one in weak:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return 2 * longest


class TestLoss:
    @pytest.mark.parametrize(
        ("codec", "payload_type"), [PLAIN, (codecs.G722, G722), (codecs.OPUS, 98)]
    )
    def test_counts_and_sound(self, link: Link, codec: int, payload_type: int) -> None:
        with voice_phones(link, *[(codec, payload_type)] * 3) as phones:
            for phone, step in zip(phones, (1000, 10, 4), strict=True):
                phone.loses = frozenset(range(4, 100, step)) if step < 1000 else frozenset()
                phone.be(echo=True)
            before = link.late_ticks()
            converse([(one, one.tone(500, 2.0)) for one in phones])
            told = counts(link)
            # Ticks that a busy machine has not let us have are lost to the ear as well.
            stood_still_ms = 20 * (link.late_ticks() - before)
            for phone in phones:
                one, wanted = told[phone.port], len(phone.loses)
                assert wanted - 0.1 <= one.loss_percent <= wanted + 3 + stood_still_ms / 20
                assert one.worst_loss_percent >= wanted - 3
                assert one.concealed_ms >= 20 * wanted - 40 - stood_still_ms
                assert 0 < one.delay_ms < 300
            none, some, many = (told[one.port] for one in phones)
            # While it talks: what is told of later is the silence behind it.
            talking = []
            converse(
                [(phones[0], phones[0].tone(500, 0.3))],
                meanwhile=lambda: talking.append(counts(link)[phones[0].port]),
            )
            assert abs(np.median([one.level_dbov for one in talking]) + 15) <= 1
            assert any(one.speaks for one in talking)
            assert none.mos > some.mos + 0.2 > many.mos + 0.4
            assert none.mos > 4.0
            # One lost packet in ten: no gap is longer than a frame. What Opus makes up fades sooner,
            # and is coded twice.
            longest = 40 if codec == codecs.OPUS else 20
            assert longest_gap_ms(phones[1], 8000.0) <= longest + stood_still_ms

    def test_nothing_has_come_yet(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            found = counts(link)[phones[0].port]
            assert found.mos == 0
            assert not found.speaks
            assert (found.loss_percent, found.late, found.resyncs) == (0, 0, 0)
            assert found.level_dbov == -127 or found.level_dbov == 0

    def test_the_last_counts_come_with_the_end(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].loses = frozenset(range(10, 50, 5))
            phones[0].be()
            converse([(phones[0], phones[0].tone(500, 1.0))])
            link.send(Release([phones[0].port]))
            ended = link.expect(Released)
            assert ended.voice is not None
            assert ended.voice.loss_percent == pytest.approx(16, abs=3)
            assert 1 < ended.voice.mos < 4.3
            link.send(phones[0].stream())

    def test_the_second_that_a_call_ends_in(self, link: Link) -> None:
        """All that is lost is, after the last packet that ends a second."""
        with voice_phones(link, PLAIN) as phones:
            phones[0].loses = frozenset(range(55, 88))
            phones[0].be()
            converse([(phones[0], phones[0].tone(500, 1.8))])
            link.send(Release([phones[0].port]))
            ended = link.expect(Released)
            assert ended.voice is not None
            assert ended.voice.worst_loss_percent >= 50
            link.send(phones[0].stream())

    def test_a_pause_is_no_voice(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            converse(
                [(phones[0], np.concatenate([phones[0].tone(500, 0.5), phones[0].quiet(1.0)]))]
            )
            found = counts(link)[phones[0].port]
            assert not found.speaks
            assert found.level_dbov < -60

    def test_late_ticks_are_those_since_the_voice_is_there(self, link: Link) -> None:
        with voice_phones(link, PLAIN, PLAIN) as phones:
            first, second = phones
            first.be()
            stand_still(link, 0.25)
            until(lambda: counts(link)[first.port].late_ticks >= 10)
            second.be()
            told = counts(link)
            assert 0 <= told[second.port].late_ticks <= told[first.port].late_ticks - 10

    def test_ticks_are_counted(self, link: Link) -> None:
        with voice_phones(link, PLAIN) as phones:
            phones[0].be()
            link.send(Query())
            before = link.expect(Counts)
            converse([(phones[0], phones[0].quiet(1.0))])
            link.send(Query())
            after = link.expect(Counts)
            assert 40 <= after.ticks - before.ticks < 500
            assert 0 <= after.late_ticks - before.late_ticks <= after.ticks - before.ticks
            # Those that never were count, too
            stand_still(link, 0.25)

            def stood() -> Counts | None:
                link.send(Query())
                now = link.expect(Counts)
                return now if now.late_ticks - after.late_ticks >= 10 else None

            now = until(stood)
            assert now.late_ticks - after.late_ticks <= now.ticks - after.ticks
