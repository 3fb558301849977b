from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.errors import MisuseError, PeerError
from pbx.media.protocol import Address, Stream
from pbx.media.session import LegMedia, NoPortsLeft, PortPool, bridge
from pbx.sdp.description import parse_sdp
from tests.sdp.texts import octets

REWRITES = sorted((Path(__file__).parent / "rewrites").glob("*.sdp"))
SERVER = "192.0.2.1"


def sdp(*lines: str, host: str = "10.0.0.5", version: int = 1) -> bytes:
    head = ("v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    return octets("".join(line + "\n" for line in (*head, *lines)))


AUDIO = ("m=audio 5000 RTP/AVP 8 0",)
BOTH = (*AUDIO, "m=video 5002 RTP/AVP 96")
NO_VIDEO = (*AUDIO, "m=video 0 RTP/AVP 96")


class Call:
    """Two legs with phones behind them: alice at 10.0.0.5 calls bob at 10.0.0.6."""

    def __init__(self, *, ports: int = 8, latch: bool = True) -> None:
        self.pool = PortPool(range(20000, 20000 + 2 * ports, 2))
        self.alice = LegMedia(self.pool, SERVER, 7, latch=latch, timeout_s=60)
        self.bob = LegMedia(self.pool, SERVER, 8, latch=latch, timeout_s=60)

    def talk(self, offer: bytes, answer: bytes) -> list[Stream]:
        self.alice.remote(offer)
        self.bob.describe(offer)
        self.bob.remote(answer)
        self.alice.describe(answer)
        return bridge(self.alice, self.bob)

    def start(self, *lines: str) -> list[Stream]:
        return self.talk(sdp(*(lines or AUDIO)), sdp(*(lines or AUDIO), host="10.0.0.6"))

    def released(self) -> list[int]:
        return [*self.alice.take_released(), *self.bob.take_released()]


class TestPortPool:
    def test_a_port_rests_as_long_as_possible(self) -> None:
        pool = PortPool([20000, 20002, 20004])
        first = pool.take()
        pool.give_back(first)
        assert [pool.take(), pool.take(), pool.take()] == [20002, 20004, 20000]

    def test_a_port_that_a_new_engine_lacks_does_not_come_back(self) -> None:
        pool = PortPool([20000, 20002])
        port = pool.take()
        pool.replace([20002, 20004])
        pool.give_back(port)
        assert sorted([pool.take(), pool.take()]) == [20002, 20004]
        with pytest.raises(NoPortsLeft):
            pool.take()

    def test_which_ports_come_next(self) -> None:
        pool = PortPool([20000, 20002, 20004])
        assert pool.ahead(2) == [20000, 20002]
        assert [pool.take(), pool.take()] == [20000, 20002]
        assert pool.ahead(2) == [20004]

    def test_free(self) -> None:
        pool = PortPool([20000, 20002])
        assert pool.free == 2
        pool.take()
        assert pool.free == 1

    def test_all_taken(self) -> None:
        pool = PortPool([20000])
        pool.take()
        with pytest.raises(NoPortsLeft):
            pool.take()

    @pytest.mark.parametrize("port", [20000, 30000])
    def test_what_was_not_taken_is_not_given_back(self, port: int) -> None:
        with pytest.raises(MisuseError):
            PortPool([20000]).give_back(port)

    def test_the_ports_of_a_new_engine(self) -> None:
        pool = PortPool([20000, 20002, 20004])
        running = pool.take()
        pool.replace([20000, 20002, 20008])
        assert pool.free == 2
        pool.give_back(running)
        assert [pool.take(), pool.take(), pool.take()] == [20002, 20008, 20000]

    def test_the_port_of_a_call_from_before(self) -> None:
        pool = PortPool([20000, 20002])
        pool.claim(20002)
        assert [pool.take(), pool.free] == [20000, 0]

    @pytest.mark.parametrize("port", [20000, 30000])
    def test_a_port_that_is_not_to_be_had(self, port: int) -> None:
        pool = PortPool([20000])
        pool.take()
        with pytest.raises(NoPortsLeft):
            pool.claim(port)


class TestDescribe:
    @pytest.mark.parametrize("path", REWRITES, ids=lambda path: path.stem)
    def test_what_devices_send(self, path: Path) -> None:
        head, sent, expected = path.read_text().split("----\n")
        leg = LegMedia(PortPool(range(20000, 20100, 2)), head.split()[1], 7, timeout_s=60)
        assert leg.describe(octets(sent)) == octets(expected)

    def test_a_bad_description(self) -> None:
        with pytest.raises(PeerError):
            Call().alice.describe(b"hello")

    def test_no_ports_left(self) -> None:
        call = Call(ports=1)
        with pytest.raises(NoPortsLeft):
            call.alice.describe(sdp(*BOTH))
        assert call.alice.close() == []
        assert call.pool.free == 1

    def test_ports_stay_over_offers(self) -> None:
        call = Call()
        call.bob.describe(sdp(*AUDIO))
        assert call.bob.ports == [20000]
        call.alice.describe(sdp(*AUDIO))
        call.bob.describe(sdp(*BOTH))
        assert call.bob.ports == [20000, 20004]


class TestRfc3264Section8:
    """Modifying the session."""

    def versions(self, *descriptions: bytes) -> list[str]:
        leg = Call().bob
        return [parse_sdp(leg.describe(one)).origin.version for one in descriptions]

    def test_the_version_rises_by_one_with_each_change(self) -> None:
        held = sdp(*AUDIO, "a=sendonly")
        assert self.versions(sdp(*AUDIO), held, sdp(*AUDIO)) == ["1", "2", "3"]

    def test_the_version_stays_where_nothing_changes(self) -> None:
        moved = sdp("m=audio 6000 RTP/AVP 8 0", host="10.0.0.99", version=5)
        assert self.versions(sdp(*AUDIO), moved, sdp(*AUDIO)) == ["1", "1", "1"]

    def test_media_left_out_of_an_answer_is_refused(self) -> None:
        call = Call()
        call.talk(sdp(*BOTH), sdp(*AUDIO, host="10.0.0.6"))
        told = parse_sdp(call.alice.describe(sdp(*AUDIO, host="10.0.0.6")))
        assert [str(media) for media in told.media] == [
            "m=audio 20004 RTP/AVP 8 0",
            "m=video 0 RTP/AVP 96",
        ]

    def test_media_once_told_stays_told(self) -> None:
        call = Call()
        call.start(*BOTH)
        told = parse_sdp(call.bob.describe(sdp(*AUDIO, version=2)))
        assert [media.port > 0 for media in told.media] == [True, False]


class TestBridge:
    def test_the_streams_of_a_call(self) -> None:
        bob, alice = 20000, 20002
        assert Call().start() == [
            Stream(alice, bob, SERVER, Address("10.0.0.5", 5000), None, False, True, True, 60, 1),
            Stream(bob, alice, SERVER, Address("10.0.0.6", 5000), None, False, True, True, 60, 1),
        ]

    def test_media_cross_by_their_place(self) -> None:
        audio, video, *others = Call().start(*BOTH)
        assert [(one.port, one.sink) for one in (audio, video, *others)] == [
            (20004, 20000),
            (20006, 20002),
            (20000, 20004),
            (20002, 20006),
        ]

    def test_only_changes_are_told(self) -> None:
        call = Call()
        call.start()
        assert bridge(call.alice, call.bob) == []
        moved = sdp("m=audio 7000 RTP/AVP 8 0")
        assert [one.port for one in call.talk(moved, sdp(*AUDIO, host="10.0.0.6"))] == [20002]

    def test_everything_is_told_to_a_new_engine(self) -> None:
        call = Call()
        streams = call.start(*BOTH)
        assert [*call.alice.everything(), *call.bob.everything()] == streams

    def test_media_before_an_answer(self) -> None:
        call = Call()
        call.alice.remote(sdp(*AUDIO))
        call.bob.describe(sdp(*AUDIO))
        (bob,) = bridge(call.alice, call.bob)
        assert (bob.remote_rtp, bob.sink, bob.send, bob.timeout_s) == (None, 0, True, 0)

    def test_another_callee_answers(self) -> None:
        call = Call()
        call.start()
        carol = LegMedia(call.pool, SERVER, 9, timeout_s=60)
        carol.describe(sdp(*AUDIO))
        carol.remote(sdp(*AUDIO, host="10.0.0.7"))
        assert [(one.port, one.sink) for one in bridge(call.alice, carol)] == [
            (20002, 20004),
            (20004, 20002),
        ]

    def test_latch_is_a_choice(self) -> None:
        call = Call(latch=False)
        assert [one.latch for one in call.start()] == [False, False]

    def test_a_late_offer(self) -> None:
        call = Call()
        offer, answer = sdp(*AUDIO, host="10.0.0.6"), sdp(*AUDIO)
        call.bob.remote(offer)
        call.alice.describe(offer)
        call.alice.remote(answer)
        call.bob.describe(answer)
        assert [one.remote_rtp for one in bridge(call.alice, call.bob)] == [
            Address("10.0.0.5", 5000),
            Address("10.0.0.6", 5000),
        ]

    def test_what_the_peer_said_last(self) -> None:
        call = Call()
        assert call.alice.last_remote == b""
        call.start()
        assert call.alice.last_remote == sdp(*AUDIO)


class TestRfc3264Section8_2:
    """Removing a media stream."""

    def test_refused_in_the_answer(self) -> None:
        call = Call()
        streams = call.talk(sdp(*BOTH), sdp(*NO_VIDEO, host="10.0.0.6"))
        assert len(streams) == 2
        assert call.released() == []  # the engine never knew them
        assert call.pool.free == 6

    def test_ended_by_a_new_offer(self) -> None:
        call = Call()
        call.start(*BOTH)
        assert call.start(*NO_VIDEO) == []
        assert call.released() == [20006, 20002]
        assert call.released() == []
        assert call.pool.free == 6

    def test_a_port_waits_for_its_release(self) -> None:
        call = Call(ports=4)
        call.start(*BOTH)
        call.start(*NO_VIDEO)
        assert call.pool.free == 0
        call.alice.take_released()
        assert call.pool.free == 1

    def test_left_out_of_the_answer(self) -> None:
        call = Call()
        call.start(*BOTH)
        call.talk(sdp(*BOTH), sdp(*AUDIO, host="10.0.0.6"))
        assert call.released() == [20006, 20002]

    def test_begun_again(self) -> None:
        call = Call()
        call.start(*NO_VIDEO)
        assert [(one.port, one.sink) for one in call.start(*BOTH)] == [
            (20006, 20004),
            (20004, 20006),
        ]
        assert call.released() == []

    def test_media_that_one_side_alone_runs_has_no_sink(self) -> None:
        call = Call()
        call.alice.remote(sdp(*BOTH))
        call.bob.describe(sdp(*BOTH))
        call.bob.remote(sdp(*BOTH, host="10.0.0.6"))
        call.alice.describe(sdp(*AUDIO, host="10.0.0.6"))
        assert {one.port: one.sink for one in bridge(call.alice, call.bob)} == {
            20004: 20000,
            20000: 20004,
            20002: 0,
        }

    def test_an_offer_of_more_media_waits_for_its_answer(self) -> None:
        call = Call()
        call.start(*AUDIO)
        call.alice.remote(sdp(*BOTH, version=2))
        call.bob.describe(sdp(*BOTH, version=2))
        assert [one.sink for one in bridge(call.alice, call.bob)] == [0]
        assert len(call.bob.ports) == 2


class TestRfc3264Section8_4:
    """Hold."""

    def hold(self, *lines: str) -> tuple[Stream, Stream]:
        call = Call()
        call.start()
        answer = sdp(*AUDIO, "a=recvonly", host="10.0.0.6")
        call.talk(sdp(*AUDIO, *lines, version=2), answer)
        (alice,), (bob,) = call.alice.everything(), call.bob.everything()
        return alice, bob

    @pytest.mark.parametrize("direction", ["sendonly", "inactive"])
    def test_nothing_is_sent_to_the_holder(self, direction: str) -> None:
        alice, bob = self.hold("a=" + direction)
        assert (alice.send, bob.send) == (False, True)

    def test_nobody_has_to_send(self) -> None:
        assert [one.timeout_s for one in self.hold("a=sendonly")] == [0, 0]

    def test_by_the_null_address(self) -> None:
        alice, bob = self.hold("c=IN IP4 0.0.0.0")
        assert (alice.send, alice.remote_rtp, alice.timeout_s) == (False, None, 0)
        assert bob.send

    @pytest.mark.parametrize("line", ["a=sendonly", "a=inactive", "c=IN IP4 0.0.0.0"])
    def test_resumed_media_may_come_by_another_nat_mapping(self, line: str) -> None:
        call = Call()
        before = {one.port: one for one in call.start()}
        held_answer = sdp(*AUDIO, "a=recvonly", host="10.0.0.6")
        call.talk(sdp(*AUDIO, line, version=2), held_answer)
        for one in call.start():
            assert one.generation == before[one.port].generation + 1
            assert (one.send, one.timeout_s) == (True, 60)


class TestTimeouts:
    def timeouts(self, offer: bytes, answer: bytes) -> list[float]:
        return [one.timeout_s for one in Call().talk(offer, answer)]

    def test_sound_both_ways_is_expected(self) -> None:
        assert self.timeouts(sdp(*AUDIO), sdp(*AUDIO, host="10.0.0.6")) == [60, 60]

    def test_a_camera_may_pause(self) -> None:
        assert self.timeouts(sdp(*BOTH), sdp(*BOTH, host="10.0.0.6")) == [60, 0, 60, 0]

    def test_who_was_told_not_to_send(self) -> None:
        answer = sdp(*AUDIO, "a=sendonly", host="10.0.0.6")
        assert self.timeouts(sdp(*AUDIO), answer) == [0, 0]

    def test_a_party_that_only_listens(self) -> None:
        answer = sdp(*AUDIO, "a=recvonly", host="10.0.0.6")
        assert self.timeouts(sdp(*AUDIO), answer) == [60, 0]

    def test_not_before_the_call_is_answered(self) -> None:
        call = Call()
        call.start()
        early = bridge(call.alice, call.bob, timed=False)
        assert [one.timeout_s for one in early] == [0, 0]
        assert [one.timeout_s for one in bridge(call.alice, call.bob)] == [60, 60]


class TestRfc3605Section2_1:
    """Where RTCP goes."""

    @pytest.mark.parametrize(
        ("lines", "rtcp"),
        [
            (("m=audio 5000 RTP/AVP 0",), None),
            (("m=audio 5000 RTP/AVP 0", "a=rtcp:6001"), Address("10.0.0.5", 6001)),
            (("m=audio 5000 RTP/AVP 0", "a=rtcp:6001 IN IP4 10.0.0.9"), Address("10.0.0.9", 6001)),
            (("m=audio 5000 RTP/AVP 0", "a=rtcp:6001 IN IP4 0.0.0.0"), Address("10.0.0.5", 6001)),
            (("m=audio 65535 RTP/AVP 0",), Address("10.0.0.5", 65535)),
            (("m=audio 65535 RTP/AVP 0", "a=rtcp:9"), Address("10.0.0.5", 9)),
            (("m=audio 5000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=rtcp:6001"), None),
        ],
    )
    def test_address(self, lines: tuple[str, ...], rtcp: Address | None) -> None:
        call = Call()
        alice, _ = call.talk(sdp(*lines), sdp(*AUDIO, host="10.0.0.6"))
        assert alice.remote_rtcp == rtcp


class TestRfc5761Section5_1_1:
    """RTP and RTCP on one port, where both parties say so."""

    @pytest.mark.parametrize(("offered", "answered"), [(True, True), (True, False), (False, False)])
    def test_both_must_say_so(self, offered: bool, answered: bool) -> None:
        mux = ("a=rtcp:5000", "a=rtcp-mux")
        offer = sdp(*AUDIO, *mux) if offered else sdp(*AUDIO)
        answer = sdp(*AUDIO, *(mux if answered else ()), host="10.0.0.6")
        alice, bob = Call().talk(offer, answer)
        assert (alice.rtcp_mux, bob.rtcp_mux) == (answered, answered)
        if answered:
            assert (alice.remote_rtcp, bob.remote_rtcp) == (None, None)


class TestOpaque:
    """What the engine passes on as it comes: no RTP, or RTP that is protected from end to end."""

    CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"

    def of(self, offer: bytes, answer: bytes) -> tuple[bool, bool]:
        alice, bob = Call().talk(offer, answer)
        return alice.opaque, bob.opaque

    @pytest.mark.parametrize(
        ("media", "opaque"),
        [
            ("m=audio 5000 RTP/AVP 8", False),
            ("m=audio 5000 rtp/avpf 96", False),
            ("m=video 5000 RTP/AVP 96", True),
            ("m=audio 5000 RTP/SAVP 8", True),
            ("m=audio 5000 UDP/TLS/RTP/SAVPF 8", True),
            ("m=image 5000 udptl t38", True),
        ],
    )
    def test_by_protocol(self, media: str, *, opaque: bool) -> None:
        assert self.of(sdp(media), sdp(media)) == (opaque, opaque)

    def test_no_rtp_at_all(self) -> None:
        alice, bob = Call().talk(sdp("m=image 5000 udptl t38"), sdp("m=image 5000 udptl t38"))
        assert (alice.datagrams, bob.datagrams) == (True, True)
        alice, bob = Call().talk(sdp(*AUDIO), sdp(*AUDIO))
        assert (alice.datagrams, bob.datagrams) == (False, False)

    @pytest.mark.parametrize("key", [CRYPTO, "a=fingerprint:sha-256 00", "a=key-mgmt:mikey x"])
    @pytest.mark.parametrize("in_session", [True, False])
    def test_keys_that_both_have(self, key: str, *, in_session: bool) -> None:
        """RFC 8643: SRTP under the name of RTP, if the other party wants it too."""
        said = sdp(key, *AUDIO) if in_session else sdp(*AUDIO, key)
        assert self.of(said, said) == (True, True)

    def test_keys_that_one_has(self) -> None:
        assert self.of(sdp(*AUDIO, self.CRYPTO), sdp(*AUDIO)) == (False, False)
        assert self.of(sdp(*AUDIO), sdp(*AUDIO, self.CRYPTO)) == (False, False)

    def test_before_the_answer(self) -> None:
        call = Call()
        call.alice.remote(sdp(*AUDIO, self.CRYPTO))
        call.alice.reserve()
        (stream,) = call.alice.ready(None, wait=False)
        assert stream.opaque


class TestGeneration:
    def test_a_peer_that_moves(self) -> None:
        call = Call()
        call.start()
        moved = sdp("m=audio 7000 RTP/AVP 8 0")
        (alice,) = call.talk(moved, sdp(*AUDIO, host="10.0.0.6"))
        assert (alice.generation, alice.remote_rtp) == (2, Address("10.0.0.5", 7000))

    def test_a_peer_that_refreshes_the_session(self) -> None:
        call = Call()
        call.start()
        assert call.talk(sdp(*AUDIO, version=2), sdp(*AUDIO, host="10.0.0.6")) == []

    def test_a_peer_whose_router_has_a_new_address(self) -> None:
        """RFC 4961: what it says is the same, and its media comes from elsewhere."""
        call = Call()
        call.talk(sdp(*AUDIO), sdp(*AUDIO, host="10.0.0.6"))
        generations = []
        for host in ("192.0.2.1", "192.0.2.1", "192.0.2.9", ""):
            call.alice.remote(sdp(*AUDIO), host)
            call.bob.describe(sdp(*AUDIO))
            generations += [one.generation for one in bridge(call.alice, call.bob)]
        assert generations == [2]

    def test_a_proxy_forks_the_call_behind_one_leg(self) -> None:
        call = Call()
        call.talk(sdp(*AUDIO), sdp(*AUDIO, host="10.0.0.6"))
        answer = sdp(*AUDIO, host="10.0.0.77")
        call.bob.remote(answer)
        call.alice.describe(answer)
        (bob,) = bridge(call.alice, call.bob)
        assert (bob.generation, bob.remote_rtp) == (2, Address("10.0.0.77", 5000))


class TestRfc3261Section14_1:
    """A re-INVITE that fails changes nothing."""

    def test_back_to_what_was_agreed(self) -> None:
        call = Call()
        before = call.start()
        agreed = call.alice.checkpoint(), call.bob.checkpoint()
        offer = sdp(*BOTH, "a=sendonly", version=2)
        call.alice.remote(offer)
        call.bob.describe(offer)
        call.alice.restore(agreed[0])
        call.bob.restore(agreed[1])
        assert bridge(call.alice, call.bob) == []
        assert [*call.alice.everything(), *call.bob.everything()] == before
        assert call.alice.last_remote == sdp(*AUDIO)
        assert (call.released(), call.pool.free) == ([], 6)

    def test_the_same_offer_again_keeps_its_version(self) -> None:
        call = Call()
        call.start()
        agreed = call.bob.checkpoint()
        failed = call.bob.describe(sdp(*AUDIO, "a=sendonly"))
        call.bob.restore(agreed)
        assert call.bob.describe(sdp(*AUDIO, "a=sendonly")) == failed
        assert parse_sdp(call.bob.describe(sdp(*AUDIO))).origin.version == "3"


class TestClose:
    def test_ports_go_back(self) -> None:
        call = Call()
        call.start(*BOTH)
        assert call.alice.close() == [20004, 20006]
        assert call.bob.close() == [20000, 20002]
        assert call.pool.free == 8
        assert (call.alice.ports, call.alice.everything()) == ([], [])

    def test_with_media_that_ended_unnoticed(self) -> None:
        call = Call()
        call.start(*BOTH)
        call.start(*NO_VIDEO)
        assert sorted(call.alice.close()) == [20004, 20006]
        assert call.pool.free == 6

    def test_twice(self) -> None:
        call = Call()
        call.start()
        call.alice.close()
        assert call.alice.close() == []


class TestResume:
    """A call goes on after the exchange has died and come back."""

    def resumed(self, before: Call, after: Call) -> tuple[LegMedia, LegMedia]:
        alice, bob = (
            LegMedia.resume(after.pool, leg.state(), timeout_s=60)
            for leg in (before.alice, before.bob)
        )
        return alice, bob

    def test_the_engine_is_told_the_same_again(self) -> None:
        before, after = Call(), Call()
        before.start(*BOTH)
        before.start(*NO_VIDEO)
        before.released()
        before.talk(sdp("m=audio 7000 RTP/AVP 8 0"), sdp(*NO_VIDEO, host="10.0.0.6"))
        alice, bob = self.resumed(before, after)
        assert bridge(alice, bob) == [*before.alice.everything(), *before.bob.everything()]
        assert after.pool.free == 6

    def test_versions_go_on(self) -> None:
        before, after = Call(), Call()
        before.start()
        _, bob = self.resumed(before, after)
        held = parse_sdp(bob.describe(sdp(*AUDIO, "a=sendonly")))
        assert (held.origin.session_id, held.origin.version) == ("8", "2")
        assert held.media[0].port == 20000

    def test_a_public_address_stays_what_the_peer_was_told(self) -> None:
        pool = PortPool([20000])
        leg = LegMedia(pool, SERVER, 7, shown_address="203.0.113.7", timeout_s=60)
        first = leg.describe(sdp(*AUDIO))
        leg.remote(sdp(*AUDIO))
        after = LegMedia.resume(PortPool([20000]), leg.state(), timeout_s=60)
        assert after.describe(sdp(*AUDIO)) == first
        told = parse_sdp(first)
        assert str(told.session_connection) == "IN IP4 203.0.113.7"
        assert told.origin.connection.address == SERVER

    def test_what_has_not_changed_keeps_its_version(self) -> None:
        before, after = Call(), Call()
        before.start()
        _, bob = self.resumed(before, after)
        assert parse_sdp(bob.describe(sdp(*AUDIO))).origin.version == "1"

    def test_a_port_is_not_to_be_had(self) -> None:
        before, after = Call(), Call(ports=2)
        before.start(*BOTH)
        with pytest.raises(NoPortsLeft):
            self.resumed(before, after)
        assert after.pool.free == 2

    def test_a_leg_without_media(self) -> None:
        before, after = Call(), Call()
        with pytest.raises(PeerError):
            self.resumed(before, after)
        assert after.pool.free == 8


LINES = st.sampled_from(
    ["m=audio 5000 RTP/AVP 0", "m=audio 0 RTP/AVP 0", "m=video 6000 RTP/AVP 31", "m=x 9 TCP/A *"]
    + ["a=sendonly", "a=inactive", "a=rtcp:5", "a=rtcp-mux", "c=IN IP4 0.0.0.0", "c=IN IP6 ::1"]
    + [
        "c=IN IP4 224.0.0.1",
        "a=group:BUNDLE 0",
        "a=group:",
        "a=ice-ufrag:x",
        "m=audio 65535 RTP/AVP 0",
    ]
)


class TestFuzz:
    """Whatever two parties say: PeerError or streams, and no port is lost or used twice."""

    @given(st.lists(st.tuples(st.booleans(), st.lists(LINES, max_size=6)), max_size=8))
    def test_any_offers(self, said: list[tuple[bool, list[str]]]) -> None:
        call = Call(ports=100)
        for by_alice, lines in said:
            teller, told = (call.alice, call.bob) if by_alice else (call.bob, call.alice)
            offer = sdp(*lines)
            agreed = teller.checkpoint()
            try:
                teller.remote(offer)
                written = told.describe(offer)
            except PeerError:
                teller.restore(agreed)
                continue
            ours = parse_sdp(written)
            assert ours.session_connection is not None
            assert ours.session_connection.address == SERVER
            assert {media.port for media in ours.media} <= {0, *told.ports}
            streams = bridge(call.alice, call.bob)
            running = {*call.alice.ports, *call.bob.ports}
            assert len(running) == len(call.alice.ports) + len(call.bob.ports)
            assert {stream.port for stream in streams} <= running
            assert {stream.sink for stream in streams} <= running | {0}
            call.released()
            assert call.pool.free + len(running) == 100
        call.alice.close()
        call.bob.close()
        assert call.pool.free == 100

    @given(st.lists(st.lists(LINES, max_size=5)))
    def test_the_number_of_media_never_falls(self, said: list[list[str]]) -> None:
        call = Call(ports=100)
        counts = [0]
        for lines in said:
            call.bob.describe(sdp(*lines))
            counts.append(len(parse_sdp(call.bob.describe(sdp(*lines))).media))
        assert all(before <= after for before, after in pairwise(counts))


class TestRfc3264Section5_1:
    """Whoever offers is ready for media at once; a caller that talks at once loses no word."""

    def test_media_before_the_answer(self) -> None:
        call = Call()
        offer = sdp(*AUDIO, "m=message 9 TCP/MSRP *")
        call.alice.remote(offer)
        call.bob.describe(offer)
        call.alice.reserve()
        (waiting,) = call.alice.ready(None, wait=True)
        (live,) = call.bob.ready(call.alice, wait=False)
        assert (waiting.wait, waiting.sink) == (True, 0)
        assert (live.wait, live.sink, live.remote_rtp) == (False, waiting.port, None)
        answer = sdp(*AUDIO, "m=message 0 TCP/MSRP *", host="10.0.0.6")
        call.bob.remote(answer)
        call.alice.describe(answer)
        first, last = bridge(call.bob, call.alice)
        assert (first.port, first.remote_rtp) == (live.port, Address("10.0.0.6", 5000))
        assert (last.port, last.wait, last.sink) == (waiting.port, False, live.port)

    def test_what_the_callee_refuses_gives_its_port_back(self) -> None:
        call = Call()
        call.alice.remote(sdp(*BOTH))
        call.bob.describe(sdp(*BOTH))
        call.alice.reserve()
        video = call.alice.ready(None, wait=True)[1].port
        call.bob.remote(sdp(*NO_VIDEO, host="10.0.0.6"))
        call.alice.describe(call.bob.last_remote)
        bridge(call.bob, call.alice)
        assert call.alice.take_released() == [video]
