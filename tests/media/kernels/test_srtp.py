"""SRTP by the vectors of its RFCs, there and back, and against whoever has no key."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.media.engine import srtp
from pbx.media.engine.kernels import srtp as row
from pbx.media.engine.srtp import PROFILES, Profile, SrtpError
from pbx.media.engine.tables import SESSIONS, Words
from tests.media.kernels.coders import LIBRARIES, Guarded
from tests.media.kernels.twins_srtp import Aes, Sender, derive, gcm

BY_NAME = {profile.name: profile for profile in PROFILES}
NAMES = list(BY_NAME)
TAGS = {name: 0 if "GCM" in name else 4 if name.endswith("32") else 10 for name in NAMES}
"""Octets of the HMAC."""

MASTER_KEY = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
MASTER_SALT = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")


class Peer:
    """One end of a call: protects with its key and unprotects with the other's."""

    def __init__(self, profile: Profile, sending: bytes, receiving: bytes) -> None:
        self.row: Words = np.zeros(SESSIONS, np.int64)
        for direction, key in ((row.OUTBOUND, sending), (row.INBOUND, receiving)):
            session = srtp.open_session(LIBRARIES, profile.name, key, direction)
            assert row.replace(self.row, direction, session) == 0

    def close(self) -> None:
        for direction in (row.OUTBOUND, row.INBOUND):
            srtp.close_session(LIBRARIES, row.replace(self.row, direction, 0))

    def protect(self, packet: bytes, *, rtcp: bool = False, room: int = 2048) -> bytes:
        return self._change(row.protect, packet, rtcp, room)

    def unprotect(self, packet: bytes, *, rtcp: bool = False, room: int = 2048) -> bytes:
        return self._change(row.unprotect, packet, rtcp, room)

    def _change(self, kernel: "object", packet: bytes, rtcp: bool, room: int) -> bytes:
        assert callable(kernel)
        buffer = Guarded(room, np.uint8)
        buffer.inside[: len(packet)] = np.frombuffer(packet, np.uint8)
        length = kernel(LIBRARIES.functions, self.row, buffer.inside, len(packet), rtcp)
        buffer.check()
        return buffer.inside[:length].tobytes()


def key_of(profile: Profile, seed: int) -> bytes:
    return np.random.default_rng(seed).bytes(profile.key + profile.salt)


@contextmanager
def call(name: str, *, wrong: bool = False) -> Iterator[tuple[Peer, Peer]]:
    """Two ends of a call; `wrong`: the second one has another key for what it receives."""
    profile = BY_NAME[name]
    one = Peer(profile, key_of(profile, 1), key_of(profile, 2))
    other = Peer(profile, key_of(profile, 2), key_of(profile, 3 if wrong else 1))
    try:
        yield one, other
    finally:
        one.close()
        other.close()


def rtp(sequence: int, text: bytes = bytes(range(160)), source: int = 0xCAFEBABE) -> bytes:
    header = b"\x80\x00" + (sequence & 0xFFFF).to_bytes(2, "big")
    return header + (160 * sequence).to_bytes(4, "big") + source.to_bytes(4, "big") + text


def sender_report(source: int = 0xCAFEBABE) -> bytes:
    return b"\x80\xc8\x00\x06" + source.to_bytes(4, "big") + bytes(range(20))


class TestRfc3711AppendixB:
    """The vectors hold for the twin, and what we send is what the twin sends."""

    def test_b2_key_stream(self) -> None:
        aes = Aes(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"))
        stream = aes.counter_stream(0xF0F1F2F3F4F5F6F7F8F9FAFBFCFD0000, 48)
        assert stream.hex().upper() == (
            "E03EAD0935C95E80E166B16DD92B4EB4"
            "D23513162B02D0F72A43A2FE4A5F97AB"
            "41E95B3BB0A2E8DD477901E4FCA894C0"
        )

    def test_b3_key_derivation(self) -> None:
        session_key = derive(MASTER_KEY, MASTER_SALT, 0, 16)
        assert session_key == bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
        session_salt = derive(MASTER_KEY, MASTER_SALT, 2, 14)
        assert session_salt == bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
        authentication = derive(MASTER_KEY, MASTER_SALT, 1, 94)
        assert authentication.hex().upper().startswith("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")

    @pytest.mark.parametrize("name", [name for name in NAMES if TAGS[name]])
    def test_we_protect_with_these_keys(self, name: str) -> None:
        master = (2 * MASTER_KEY)[: BY_NAME[name].key]
        peer = Peer(BY_NAME[name], master + MASTER_SALT, master + MASTER_SALT)
        twin = Sender(master, MASTER_SALT, TAGS[name])
        for sequence in (0x1234, 0x1235, 0x1300):
            packet = rtp(sequence)
            assert peer.protect(packet) == twin.protect(packet)
        peer.close()


class TestRfc7714Section16:
    def test_the_twin_knows_aes_128_gcm(self) -> None:
        nonce = bytes.fromhex("51753c6580c2726f20718414")
        header = bytes.fromhex("8040f17b8041f8d35501a0b2")
        text = b"Gallia est omnis divisa in partes tres"
        assert gcm(bytes(range(16)), nonce, text, header).hex() == (
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b"
            "36de3adf8833899d7f27beb16a9152cf765ee4390cce"
        )

    @pytest.mark.parametrize("name", [name for name in NAMES if not TAGS[name]])
    def test_we_protect_as_the_twin(self, name: str) -> None:
        profile = BY_NAME[name]
        key = key_of(profile, 9)
        peer = Peer(profile, key, key)
        twin = Sender(key[: profile.key], key[profile.key :], 0)
        for sequence in (0x1234, 0x1235):
            packet = rtp(sequence, b"Gallia est omnis divisa")
            assert peer.protect(packet) == twin.protect(packet)
        peer.close()


def with_twin(name: str) -> tuple[Peer, Sender]:
    """One who protects and unprotects with one key, and the twin that has it too."""
    profile = BY_NAME[name]
    key = key_of(profile, 11)
    return Peer(profile, key, key), Sender(key[: profile.key], key[profile.key :], TAGS[name])


@pytest.mark.parametrize("name", NAMES)
class TestTurnOfTheSequenceNumbers:
    """RFC 3711 §3.3.1: the roll-over counter isn't in the packet, and is in what protects it."""

    NUMBERS = (65534, 65535, 65536, 65537, 65538, 65539)

    def test_we_protect_as_the_twin(self, name: str) -> None:
        peer, twin = with_twin(name)
        for number in self.NUMBERS:
            twin.rollovers = number >> 16
            packet = rtp(number, b"omnis divisa")
            assert peer.protect(packet) == twin.protect(packet)
        peer.close()

    def test_we_understand_the_twin(self, name: str) -> None:
        """Also a packet from before the turn that comes behind it."""
        peer, twin = with_twin(name)
        for number in (65533, 65534, 65536, 65535, 65537, 65538, 65539):
            twin.rollovers = number >> 16
            packet = rtp(number, b"in partes tres")
            assert peer.unprotect(twin.protect(packet)) == packet
        # One that hasn't counted the turn is another, whatever its number
        twin.rollovers = 0
        assert peer.unprotect(twin.protect(rtp(65540))) == b""
        assert (peer.row[row.FORGED], peer.row[row.REPLAYED]) == (1, 0)
        peer.close()


@pytest.mark.parametrize("name", NAMES)
class TestReportsBesideTheTwin:
    """RFC 3711 §3.4: keys of their own, and an index that stands in the packet."""

    def test_we_protect_as_the_twin(self, name: str) -> None:
        peer, twin = with_twin(name)
        behind_index = TAGS[name] and 10
        first = peer.protect(sender_report(), rtcp=True)
        index = int.from_bytes(first[len(first) - behind_index - 4 :][:4], "big")
        # Encrypted, and the first packet or the second, as libsrtp counts
        assert index >> 31 == 1
        assert index & 0x7FFFFFFF in (0, 1)
        twin.report_index = index & 0x7FFFFFFF
        assert first == twin.protect_report(sender_report())
        for length in (8, 12, 28, 64):
            packet = (sender_report() + bytes(range(64)))[:length]
            assert peer.protect(packet, rtcp=True) == twin.protect_report(packet)
        peer.close()

    def test_we_understand_the_twin(self, name: str) -> None:
        peer, twin = with_twin(name)
        for index in (1, 2, 3, 500, 501, 2**31 - 2):
            twin.report_index = index
            sent = twin.protect_report(sender_report())
            assert peer.unprotect(sent, rtcp=True) == sender_report()
            assert peer.unprotect(sent, rtcp=True) == b""
        assert (peer.row[row.FORGED], peer.row[row.REPLAYED]) == (0, 6)
        peer.close()

    def test_one_that_is_proved_and_not_encrypted(self, name: str) -> None:
        """RFC 7714 §9.3 has such; with HMAC, who has the key has agreed to encrypt."""
        peer, twin = with_twin(name)
        twin.report_index = 1
        sent = twin.protect_report(sender_report(), encrypted=False)
        refused = TAGS[name] != 0
        assert peer.unprotect(sent[:9] + b"x" + sent[10:], rtcp=True) == b""
        assert peer.unprotect(sent, rtcp=True) == (b"" if refused else sender_report())
        assert peer.row[row.FORGED] == 1 + refused
        peer.close()

    def test_one_changed_bit(self, name: str) -> None:
        peer, twin = with_twin(name)
        twin.report_index = 1
        sent = twin.protect_report(sender_report())
        for at in (5, 8, 27, len(sent) - 1, len(sent) - (TAGS[name] and 10) - 1):
            changed = sent[:at] + bytes([sent[at] ^ 1]) + sent[at + 1 :]
            assert peer.unprotect(changed, rtcp=True) == b""
        assert peer.unprotect(sent, rtcp=True) == sender_report()
        peer.close()


class TestThereAndBack:
    @pytest.mark.parametrize("name", NAMES)
    def test_rtp(self, name: str) -> None:
        with call(name) as (one, other):
            for number, length in enumerate((0, 1, 33, 160, 172, 1280)):
                # Over the turn of the sequence numbers.
                packet = rtp(65533 + number, bytes(length))
                sent = one.protect(packet)
                assert len(sent) == len(packet) + (TAGS[name] or 16)
                assert other.unprotect(sent) == packet
            assert other.row[row.FORGED] == other.row[row.REPLAYED] == 0

    @pytest.mark.parametrize("name", NAMES)
    def test_rtcp(self, name: str) -> None:
        with call(name) as (one, other):
            for _ in range(3):
                sent = other.protect(sender_report(), rtcp=True)
                # RFC 3711 §3.4, RFC 5764 §4.1.2: the tag of RTCP is never shortened.
                assert len(sent) == 28 + 4 + (10 if TAGS[name] else 16)
                assert sent[8:28] != sender_report()[8:]
                assert one.unprotect(sent, rtcp=True) == sender_report()

    @pytest.mark.parametrize("name", NAMES)
    def test_late_packets_are_taken_once(self, name: str) -> None:
        with call(name) as (one, other):
            sent = [one.protect(rtp(sequence)) for sequence in range(100)]
            for at in (0, 99, 50, 98, 1):
                assert other.unprotect(sent[at]) == rtp(at)
            for at in (0, 99, 50, 98, 1):
                assert other.unprotect(sent[at]) == b""
            assert other.row[row.REPLAYED] == 5
            assert other.row[row.FORGED] == 0


class TestRefused:
    @pytest.mark.parametrize("name", NAMES)
    def test_another_key(self, name: str) -> None:
        with call(name, wrong=True) as (one, other):
            assert other.unprotect(one.protect(rtp(1))) == b""
            assert other.unprotect(one.protect(sender_report(), rtcp=True), rtcp=True) == b""
            assert other.row[row.FORGED] == 2

    @pytest.mark.parametrize("name", NAMES)
    def test_one_changed_bit(self, name: str) -> None:
        with call(name) as (one, other):
            sent = one.protect(rtp(1))
            for at in (1, 5, 9, 12, 100, len(sent) - 1):
                changed = sent[:at] + bytes([sent[at] ^ 4]) + sent[at + 1 :]
                assert other.unprotect(changed) == b""
            assert other.row[row.FORGED] == 6
            assert other.unprotect(sent) == rtp(1)

    @pytest.mark.parametrize("name", NAMES)
    def test_packets_of_nobody(self, name: str) -> None:
        with call(name) as (_, other):
            assert other.unprotect(rtp(1)) == b""
            assert other.row[row.FORGED] == 1

    def test_without_sessions(self) -> None:
        peer = Peer(PROFILES[0], key_of(PROFILES[0], 1), key_of(PROFILES[0], 1))
        peer.close()
        assert peer.protect(rtp(1)) == peer.unprotect(rtp(1)) == b""

    def test_no_room_for_the_tag(self) -> None:
        with call(NAMES[0]) as (one, _):
            assert one.protect(rtp(1), room=172 + row.TRAILER - 1) == b""
            assert one.protect(rtp(1), room=172 + row.TRAILER) != b""

    def test_keys_of_the_wrong_length(self) -> None:
        with pytest.raises(SrtpError, match="takes 30 octets of key and salt, not 16"):
            srtp.open_session(LIBRARIES, "AES_CM_128_HMAC_SHA1_80", bytes(16), row.OUTBOUND)
        with pytest.raises(SrtpError, match="takes 44 octets"):
            srtp.open_session(LIBRARIES, "AEAD_AES_256_GCM", bytes(30), row.INBOUND)

    def test_a_suite_of_nobody(self) -> None:
        with pytest.raises(SrtpError, match="no crypto suite is called 'F8_128_HMAC_SHA1_80'"):
            srtp.open_session(LIBRARIES, "F8_128_HMAC_SHA1_80", bytes(30), row.OUTBOUND)

    def test_what_is_no_rtp_is_not_sent(self) -> None:
        """STUN and DTLS share the port (RFC 7983)."""
        with call(NAMES[0]) as (one, _):
            for first in (0, 22, 63, 192):
                assert one.protect(bytes([first]) + rtp(1)[1:]) == b""


class TestSources:
    """libsrtp keeps something for each SSRC: nobody makes it grow without end."""

    @pytest.mark.parametrize("rtcp", [False, True])
    def test_so_many_and_no_more(self, rtcp: bool) -> None:
        def packet(source: int, number: int) -> bytes:
            return sender_report(source) if rtcp else rtp(number, source=source)

        with call(NAMES[0]) as (one, other):
            sent = []
            for source in range(1, row.MOST_SOURCES + 1):
                sent.append(one.protect(packet(source, 1), rtcp=rtcp))
                assert other.unprotect(sent[-1], rtcp=rtcp) == packet(source, 1)
            with call(NAMES[0]) as (another, _):
                strange = another.protect(packet(999, 1), rtcp=rtcp)
            assert one.protect(packet(999, 1), rtcp=rtcp) == b""
            assert other.unprotect(strange, rtcp=rtcp) == b""
            assert other.row[row.FORGED] == 1
            for source in (1, 7, row.MOST_SOURCES):
                again = one.protect(packet(source, 2), rtcp=rtcp)
                assert other.unprotect(again, rtcp=rtcp) == packet(source, 2)


class TestHostile:
    @pytest.mark.parametrize("name", NAMES)
    @settings(deadline=None, max_examples=40)
    @given(data=st.data())
    def test_any_octets(self, name: str, data: st.DataObject) -> None:
        """Nothing that has no tag of ours gets through, and nothing is written beyond it."""
        with call(name) as (one, other):
            for _ in range(3):
                length = data.draw(st.integers(0, 2028))
                chance = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
                packet = bytearray(chance.bytes(length))
                packet[:1] = bytes([data.draw(st.integers(0, 255))]) if length else b""
                rtcp = data.draw(st.booleans())
                assert other.unprotect(bytes(packet), rtcp=rtcp, room=length) == b""
                sent = one.protect(bytes(packet), rtcp=rtcp)
                assert len(sent) <= length + row.TRAILER
