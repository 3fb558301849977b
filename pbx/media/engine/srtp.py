"""Opens and closes SRTP sessions: libsrtp's policies, by ctypes, when a stream is set up."""

import contextlib
import ctypes
import functools
from dataclasses import dataclass
from typing import Any

from pbx.media.engine.kernels import srtp as row
from pbx.media.engine.libraries import SRTP, Libraries

_ANY = {row.INBOUND: 2, row.OUTBOUND: 3}
"""`srtp_ssrc_type_t`: sessions of whatever SSRC."""

_WINDOW = 128
"""Packets that may come later than their successors; 64 is the least that RFC 3711 allows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to protect media.

    Args:
        name: of the crypto suite in `a=crypto` (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
        number: of the DTLS-SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2); 0 none.
        key: octets of the master key.
        salt: octets of the master salt.
        tag: bits that prove who has sent a packet of RTP.
    """

    name: str
    number: int
    key: int
    salt: int
    tag: int


PROFILES = (
    Profile("AEAD_AES_256_GCM", 8, 32, 12, 128),
    Profile("AEAD_AES_128_GCM", 7, 16, 12, 128),
    Profile("AES_256_CM_HMAC_SHA1_80", 0, 32, 14, 80),
    Profile("AES_CM_128_HMAC_SHA1_80", 1, 16, 14, 80),
    Profile("AES_256_CM_HMAC_SHA1_32", 0, 32, 14, 32),
    Profile("AES_CM_128_HMAC_SHA1_32", 2, 16, 14, 32),
)
"""The best one first."""


class SrtpError(Exception):
    """A session that can't be had; says why, in one sentence."""


class _CryptoPolicy(ctypes.Structure):
    """`srtp_crypto_policy_t` of libsrtp 2.x."""

    _fields_ = [
        ("cipher_type", ctypes.c_uint32),
        ("cipher_key_len", ctypes.c_int),
        ("auth_type", ctypes.c_uint32),
        ("auth_key_len", ctypes.c_int),
        ("auth_tag_len", ctypes.c_int),
        ("sec_serv", ctypes.c_int),
    ]


class _Policy(ctypes.Structure):
    """`srtp_policy_t` of libsrtp 2.x."""

    _fields_ = [
        ("ssrc_type", ctypes.c_int),
        ("ssrc_value", ctypes.c_uint),
        ("rtp", _CryptoPolicy),
        ("rtcp", _CryptoPolicy),
        ("key", ctypes.c_char_p),
        ("keys", ctypes.c_void_p),
        ("num_master_keys", ctypes.c_ulong),
        ("deprecated_ekt", ctypes.c_void_p),
        ("window_size", ctypes.c_ulong),
        ("allow_repeat_tx", ctypes.c_int),
        ("enc_xtn_hdr", ctypes.c_void_p),
        ("enc_xtn_hdr_count", ctypes.c_int),
        ("next", ctypes.c_void_p),
    ]


def open_session(libraries: Libraries, suite: str, key: bytes, direction: int) -> int:
    """Begin to protect or unprotect with a key; returns the session's address.

    Args:
        libraries: what this machine has.
        suite: the name of one of `PROFILES`.
        key: master key and, behind it, master salt.
        direction: `kernels.srtp.OUTBOUND` or `INBOUND`.

    Raises:
        SrtpError: libsrtp is missing or can't do it, or the key has the wrong length.
    """
    profile = next((one for one in PROFILES if one.name == suite), None)
    if profile is None:
        raise SrtpError(f"no crypto suite is called {suite!r}")
    if SRTP not in libraries.loaded:
        raise SrtpError(f"{suite} needs a library that is not installed")
    if not _usable():
        raise SrtpError("libsrtp cannot be used on this machine")
    if len(key) != profile.key + profile.salt:
        raise SrtpError(
            f"{suite} takes {profile.key + profile.salt} octets of key and salt, not {len(key)}"
        )
    return _create(libraries.loaded[SRTP], profile, key, _ANY[direction])


def close_session(libraries: Libraries, session: int) -> None:
    """Give a session back, with its keys; no kernel may be using it."""
    libraries.loaded[SRTP].srtp_dealloc(ctypes.c_void_p(session))


def suites(libraries: Libraries) -> list[str]:
    """Return the names of the suites that this machine can do, the best one first."""
    known = []
    for profile in PROFILES:
        with contextlib.suppress(SrtpError):
            key = bytes(profile.key + profile.salt)
            close_session(libraries, open_session(libraries, profile.name, key, row.OUTBOUND))
            known.append(profile.name)
    return known


@functools.cache
def _usable() -> bool:
    """Set libsrtp up, which must be done once in a process; returns whether it's content."""
    return bool(ctypes.CDLL(SRTP).srtp_init() == 0)


def _create(library: Any, profile: Profile, key: bytes, direction: int) -> int:
    policy = _Policy()
    for part, name, tag in ((policy.rtp, "rtp", profile.tag), (policy.rtcp, "rtcp", 80)):
        if profile.number:
            fill = getattr(library, f"srtp_crypto_policy_set_from_profile_for_{name}")
            if fill(ctypes.byref(part), profile.number) != 0:
                raise SrtpError(f"this libsrtp does not know {profile.name}")
        else:
            # RFC 6188 §4: as with 128 bits, the tag of RTCP is never shortened.
            getattr(library, f"srtp_crypto_policy_set_aes_cm_256_hmac_sha1_{tag}")(
                ctypes.byref(part)
            )
    policy.ssrc_type = direction
    policy.key = key
    policy.window_size = _WINDOW
    session = ctypes.c_void_p()
    if library.srtp_create(ctypes.byref(session), ctypes.byref(policy)) != 0 or not session.value:
        raise SrtpError(f"this libsrtp cannot do {profile.name}")
    return session.value
