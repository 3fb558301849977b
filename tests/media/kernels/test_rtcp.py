"""RTCP as a peer reads it, and as we read a peer's."""

import struct

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine.kernels import quality, rtcp, rtp_out
from pbx.media.engine.kernels import quality_row as q
from tests.media.kernels.networks import MS, Words
from tests.media.kernels.twins_rtcp import parse, split

NOW = 10**12
NTP = (0xEE0B1234 << 32 | 0x89ABCDEF) - (1 << 64)
"""In an int64, a time of day after 1968 is negative."""

NAME = np.frombuffer("0a1b2c@宅".encode(), np.uint8)
NO_XR: Words = np.zeros(0, np.int64)


class Voice:
    def __init__(self, ssrc: int = 0xCAFE1234) -> None:
        self.row = np.zeros(rtcp.WIDTH, np.int64)
        self.sender = np.zeros(rtp_out.WIDTH, np.int64)
        self.stream = np.zeros(q.WIDTH, np.int64)
        rtcp.begin(self.row, 7)
        rtp_out.begin(self.sender, ssrc, 5, 0xFFFFFF00)
        quality.begin(self.stream, 8000, 0, 251)

    def talk(self, packets: int) -> None:
        out = np.zeros(172, np.uint8)
        for _ in range(packets):
            rtp_out.put_sound(self.sender, out, 8, 160)
            rtp_out.pass_time(self.sender, 160)

    def hear(self, ssrc: int, packets: int, without: tuple[int, ...] = ()) -> None:
        for n in range(packets):
            if n not in without:
                quality.receive(self.stream, ssrc, n, n * 160, 1, NOW + n * 20 * MS)

    def write(
        self, *, ntp: int = NTP, now: int = NOW, delays: Words = NO_XR, leaving: int = 0
    ) -> bytes:
        out = np.full(600, 0xEE, np.uint8)
        octets = rtcp.write(
            self.row, self.sender, self.stream, out, NAME, ntp, now, delays, leaving
        )
        assert (out[octets:] == 0xEE).all()
        return out[:octets].tobytes()

    def read(
        self, data: bytes, *, ntp: int = NTP, now: int = NOW, length: int | None = None
    ) -> int:
        octets = np.frombuffer(data + b"\x81\xc9" * 8, np.uint8)
        length = len(data) if length is None else length
        return int(rtcp.read(self.row, self.sender, self.stream, octets, length, ntp, now))


class TestWrite:
    def test_sender_report(self) -> None:
        voice = Voice()
        voice.talk(50)
        voice.hear(0xBEEF, 100, without=(10, 20, 21))
        said = parse(voice.write())
        assert said is not None
        report, name = said
        assert report["kind"] == 200
        assert report["ssrc"] == 0xCAFE1234
        assert report["ntp"] == NTP + (1 << 64)
        assert report["rtp"] == (0xFFFFFF00 + 50 * 160) % 2**32
        assert (report["packets"], report["octets"]) == (50, 8000)
        assert report["blocks"] == [
            {
                "ssrc": 0xBEEF,
                "fraction": 256 * 3 // 100,
                "lost": 3,
                "highest": 99,
                "jitter": 0,
                "lsr": 0,
                "dlsr": 0,
            }
        ]
        assert name["kind"] == 202
        assert name["body"][:4] == struct.pack("!I", 0xCAFE1234)
        assert name["body"][4:6] == bytes([1, len(NAME)])
        assert name["body"][6:].rstrip(b"\0") == NAME.tobytes()
        assert name["body"][-1] == 0

    def test_receiver_report_and_goodbye(self) -> None:
        voice = Voice()
        voice.hear(0xBEEF, 10)
        said = parse(voice.write(leaving=1))
        assert said is not None
        assert [one["kind"] for one in said] == [201, 202, 203]
        assert said[2]["ssrcs"] == [0xCAFE1234]

    def test_nothing_heard(self) -> None:
        said = parse(Voice().write())
        assert said is not None
        assert said[0]["kind"] == 201
        assert said[0]["blocks"] == []

    def test_voip_metrics(self) -> None:
        """RFC 3611 §4.7, octet by octet."""
        voice = Voice()
        voice.hear(0xBEEF, 200, without=(50, 60, 61, 120))
        quality.measure(voice.stream, 20, 80.0)
        said = parse(voice.write(delays=np.array([40, 60, 200])))
        assert said is not None
        body = said[2]["body"]
        assert said[2]["kind"] == 207
        head, kind, _, words, ssrc = struct.unpack("!IBBHI", body[:12])
        assert (head, kind, words, ssrc) == (0xCAFE1234, 7, 8, 0xBEEF)
        assert len(body) == 8 + 4 * words
        fields = struct.unpack("!BBBBHHHHBBBBBBBBBBHHH", body[12:])
        assert fields[:4] == (256 * 4 // 200, 0, 256 * 3 // 12, 256 * 1 // (184 - 12))
        assert fields[4:8] == (12 * 20, (184 - 12) * 20 // 2, 0, 0)
        assert fields[8:12] == (127, 127, 127, 16)
        assert fields[12] == voice.stream[q.R_10] // 10
        assert fields[13:15] == (127, 127)
        assert 35 <= fields[15] <= 44
        assert fields[18:] == (40, 60, 200)

    def test_what_others_have_lost_is_not_told_of_the_present_source(self) -> None:
        """RFC 3550 §6.4.1: a block is on one source, from its beginning; so is RFC 3611's."""
        voice = Voice()
        voice.hear(0xBEEF, 100, without=tuple(range(10, 60)))
        voice.hear(0xF00D, 100, without=(5,))
        # And a leap of the same source's numbers forgets nothing
        voice.hear(0xF00D, 20)
        quality.measure(voice.stream, 20, 80.0)
        said = parse(voice.write(delays=np.array([40, 60, 200])))
        assert said is not None
        (block,) = said[0]["blocks"]
        assert (block["ssrc"], block["lost"]) == (0xF00D, 1)
        assert block["fraction"] == 256 // 120
        assert said[2]["body"][12] == 256 // 120

    def test_no_room(self) -> None:
        voice = Voice()
        out = np.zeros(511, np.uint8)
        args = (voice.row, voice.sender, voice.stream, out, NAME, NTP, NOW, NO_XR, 0)
        assert rtcp.write(*args) == 0
        assert not out.any()

    def test_long_name_is_cut(self) -> None:
        voice = Voice()
        voice.talk(1)
        voice.hear(1, 1)
        out = np.zeros(512, np.uint8)
        name = np.full(1000, 65, np.uint8)
        delays = np.array([1, 2, 3])
        octets = rtcp.write(voice.row, voice.sender, voice.stream, out, name, NTP, NOW, delays, 1)
        said = parse(out[:octets].tobytes())
        assert said is not None
        assert said[1]["body"][5] == 255

    def test_reports_are_spread(self) -> None:
        row = np.zeros(rtcp.WIDTH, np.int64)
        rtcp.begin(row, 99)
        now = NOW
        times: list[int] = []
        assert not rtcp.is_due(row, now)
        while len(times) < 200:
            now += 20 * MS
            if rtcp.is_due(row, now):
                times.append(now)
        assert times[0] - NOW <= 3750 * MS + 20 * MS
        pauses = [b - a for a, b in zip(times, times[1:], strict=False)]
        assert 2500 * MS <= min(pauses) < 3200 * MS
        assert 6800 * MS < max(pauses) <= 7520 * MS


class TestRead:
    def test_round_trip(self) -> None:
        """A sends, B answers 3.5 s later, the answer arrives: 240 ms both ways."""
        a, b = Voice(1), Voice(2)
        a.talk(1)
        b.talk(1)
        b.hear(1, 5)
        report = a.write(ntp=NTP, now=NOW)
        assert b.read(report, now=NOW * 2) == rtcp.REPORT
        answer = b.write(now=NOW * 2 + 3500 * MS)
        later = NTP + (3740 << 32) // 1000
        assert a.row[rtcp.RTT_NS] == -1
        assert a.read(answer, ntp=later) == rtcp.REPORT
        assert abs(a.row[rtcp.RTT_NS] - 240 * MS) < MS
        assert a.row[rtcp.PEER_LOSS] == a.row[rtcp.PEER_LOST] == 0

    def test_peer_whose_clock_runs_fast(self) -> None:
        a, b = Voice(1), Voice(2)
        a.talk(1)
        b.hear(1, 5)
        b.read(a.write())
        answer = b.write(now=NOW + 3000 * MS)
        a.read(answer, ntp=NTP + (2990 << 32) // 1000)
        assert a.row[rtcp.RTT_NS] == 0

    def test_round_trip_of_hours_is_a_mistake(self) -> None:
        a, b = Voice(1), Voice(2)
        a.talk(1)
        b.hear(1, 5)
        b.read(a.write())
        a.read(b.write(), ntp=NTP + (7000 << 32))
        assert a.row[rtcp.RTT_NS] == -1

    def test_loss_and_goodbye(self) -> None:
        a, b = Voice(1), Voice(2)
        b.hear(1, 100, without=tuple(range(40, 60)))
        a.hear(2, 3)
        assert a.read(b.write(leaving=1)) == rtcp.REPORT | rtcp.GOODBYE
        assert a.row[rtcp.PEER_LOST] == 20
        assert a.row[rtcp.PEER_LOSS] == 51

    def test_goodbye_of_somebody_else(self) -> None:
        a, b = Voice(1), Voice(2)
        a.hear(3, 3)
        assert a.read(b.write(leaving=1)) == rtcp.REPORT
        assert a.row[rtcp.LEFT] == 0

    def test_a_datagram_of_less_than_a_report(self) -> None:
        """RFC 5506: packets by themselves tell what they tell behind a report."""
        voice = Voice(5)
        metrics = struct.pack("!I", 9) + struct.pack("!BBHI18xBB8x", 7, 0, 8, 5, 127, 41)
        assert voice.read(struct.pack("!BBH", 0x80, 207, 10) + metrics) == rtcp.REPORT
        assert voice.row[rtcp.PEER_MOS_10] == 41
        picture_lost = struct.pack("!BBHII", 0x81, 206, 2, 9, 5)
        assert voice.read(picture_lost) == rtcp.REPORT
        assert voice.read(struct.pack("!BBHIIHH", 0x81, 205, 3, 9, 5, 7, 0)) == rtcp.REPORT
        assert voice.row[rtcp.READ] == 3
        assert voice.row[rtcp.MALFORMED] == 0

    def test_what_is_no_rtcp_is_none(self) -> None:
        """RTP that has gone astray begins with its payload type; the last types are nobody's."""
        voice = Voice(5)
        for kind in (0, 8, 98, 192, 199, 208, 223):
            assert voice.read(struct.pack("!BBHII", 0x80, kind, 2, 9, 5)) == rtcp.NONSENSE
        assert voice.row[rtcp.MALFORMED] == 7

    def test_negative_loss(self) -> None:
        """More packets than were sent: doubled by the network (§6.4.1)."""
        voice = Voice(1)
        body = struct.pack("!IIIIIII", 9, 1, 0xFFFFFE, 5, 6, 0, 0)
        assert voice.read(struct.pack("!BBH", 0x81, 201, 7) + body) == rtcp.REPORT
        assert voice.row[rtcp.PEER_LOST] == -2

    @settings(deadline=None, max_examples=200)
    @given(st.data())
    def test_never_trusts_what_is_malformed(self, data: st.DataObject) -> None:
        voice = Voice(2)
        voice.talk(1)
        voice.hear(5, 3)
        packet = bytearray(voice.write(leaving=1))
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(packet) - 1))
            packet[at] = data.draw(st.integers(0, 255))
        cut = bytes(packet[: data.draw(st.just(len(packet)) | st.integers(0, len(packet)))])
        self.check(cut)

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from([0x80, 0x81, 0x82, 0xA0, 0xA1, 0x40]),
                st.sampled_from([199, 200, 201, 202, 203, 204, 205, 206, 207, 208]),
                st.integers(0, 14),
                st.integers(0, 40),
            ),
            max_size=4,
        ),
        st.integers(-4, 4),
    )
    def test_like_its_twin(self, packets: list[tuple[int, int, int, int]], more: int) -> None:
        data = b"".join(
            struct.pack("!BBH", first, kind, words) + bytes([last]) * 4 * words
            for first, kind, words, last in packets
        )
        self.check((data + bytes(4))[: len(data) + more])

    def check(self, data: bytes) -> None:
        voice = Voice(5)
        before = voice.row.copy()
        answer = voice.read(data)
        assert (answer != rtcp.NONSENSE) == (split(data) is not None)
        if answer == rtcp.NONSENSE:
            before[rtcp.MALFORMED] = 1
            assert (voice.row == before).all()

    @settings(deadline=None, max_examples=100)
    @given(st.binary(max_size=200))
    def test_any_octets(self, data: bytes) -> None:
        self.check(data)

    def test_length_that_lies(self) -> None:
        voice = Voice()
        for length in (-4, 2**40, 1 << 20):
            assert voice.read(struct.pack("!BBHI", 0x80, 201, 1, 5), length=length) == rtcp.NONSENSE
