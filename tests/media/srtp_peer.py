"""A phone's side of SRTP, by a libsrtp that isn't ours: pylibsrtp brings its own."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pylibsrtp import Error, Policy, Session

from pbx.media.engine.srtp import PROFILES
from pbx.media.protocol import Srtp
from tests.media.engine_process import Phone

POLICIES = {
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
SUITES = list(POLICIES)
"""Those that pylibsrtp knows."""

COMMON = "AES_CM_128_HMAC_SHA1_80"

KEY_OCTETS = {profile.name: profile.key + profile.salt for profile in PROFILES}


def new_key(suite: str) -> bytes:
    """A random master key and salt."""
    return secrets.token_bytes(KEY_OCTETS[suite])


def session(suite: str, key: bytes, direction: int) -> Session:
    policy = Policy(key, direction, srtp_profile=POLICIES[suite])
    policy.window_size = 128
    return Session(policy)


@dataclass
class SrtpPeer:
    """What a phone protects and unprotects with.

    Args:
        suite: the crypto suite.
        sending: the phone's own key and salt.
        receiving: the engine's.
    """

    suite: str = COMMON
    sending: bytes = b""
    receiving: bytes = b""
    _outbound: Session = field(init=False)
    _inbound: Session = field(init=False)

    def __post_init__(self) -> None:
        self.sending = self.sending or new_key(self.suite)
        self.receiving = self.receiving or new_key(self.suite)
        self._outbound = session(self.suite, self.sending, Policy.SSRC_ANY_OUTBOUND)
        self._inbound = session(self.suite, self.receiving, Policy.SSRC_ANY_INBOUND)

    @property
    def srtp(self) -> Srtp:
        """What the engine is told of this phone."""
        return Srtp(self.suite, self.receiving, self.sending)

    def protect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        change = self._outbound.protect_rtcp if rtcp else self._outbound.protect
        return bytes(change(packet))

    def unprotect(self, packet: bytes, *, rtcp: bool = False) -> bytes:
        """Return what was protected.

        Raises:
            Error: it isn't for this phone.
        """
        change = self._inbound.unprotect_rtcp if rtcp else self._inbound.unprotect
        return bytes(change(packet))


class SecureSocket:
    """A socket whose packets are protected and unprotected on the way."""

    def __init__(self, plain: socket.socket, peer: SrtpPeer) -> None:
        self.plain = plain
        self.peer = peer
        self._is_rtcp: Callable[[bytes], bool] = lambda packet: 192 <= packet[1] <= 223

    def sendto(self, packet: bytes, address: tuple[str, int]) -> None:
        protected = self.peer.protect(packet, rtcp=self._is_rtcp(packet))
        self.plain.sendto(protected, address)

    def recv(self, size: int) -> bytes:
        packet = self.plain.recv(size)
        return self.peer.unprotect(packet, rtcp=self._is_rtcp(packet))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


def secure(phone: Phone, peer: SrtpPeer) -> SrtpPeer:
    """Let a phone speak SRTP and SRTCP from now on; returns `peer`."""
    for name in ("rtp", "rtcp"):
        setattr(phone, name, SecureSocket(raw(getattr(phone, name)), peer))
    return peer


def raw(of: Any) -> socket.socket:
    """Return the socket itself, for packets that go or come as they are."""
    plain: socket.socket = of.plain if isinstance(of, SecureSocket) else of
    return plain


__all__ = ["COMMON", "SUITES", "Error", "SrtpPeer", "new_key", "raw", "secure"]
