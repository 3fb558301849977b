"""Opens and closes SRTP sessions: libsrtp's policies, by ctypes, when a stream is set up."""

import ctypes
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbx.media.engine.kernels import srtp as row
from pbx.media.engine.libraries import SRTP, Libraries
from pbx.media.engine.tables import Words

_ANY_INBOUND = 2
_ANY_OUTBOUND = 3

_WINDOW = 128
"""Packets that may come later than their successors; 64 is the least that RFC 3711 allows."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to protect media.

    Args:
        name: of the crypto suite in `a=crypto` (RFC 4568 §6.2, RFC 7714 §14.2).
        number: of the DTLS-SRTP protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
        key: octets of the master key.
        salt: octets of the master salt.
    """

    name: str
    number: int
    key: int
    salt: int


PROFILES = (
    Profile("AES_CM_128_HMAC_SHA1_80", 1, 16, 14),
    Profile("AES_CM_128_HMAC_SHA1_32", 2, 16, 14),
    Profile("AEAD_AES_128_GCM", 7, 16, 12),
    Profile("AEAD_AES_256_GCM", 8, 32, 12),
)


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


def make_row() -> Words:
    """Return the row of a peer without sessions."""
    return np.zeros(row.WIDTH, np.int64)


def open_sessions(
    libraries: Libraries, sessions: Words, profile: Profile, sending: bytes, receiving: bytes
) -> None:
    """Begin to protect and unprotect with these keys; the row must have no sessions.

    Args:
        libraries: what this machine has.
        sessions: of `make_row`, or a row of a table of such.
        profile: one of `PROFILES`; both directions use it.
        sending, receiving: master key and, behind it, master salt.

    Raises:
        SrtpError: libsrtp is missing or can't do it, or a key has the wrong length.
    """
    if SRTP not in libraries.loaded:
        raise SrtpError(f"{profile.name} needs a library that is not installed")
    library = libraries.loaded[SRTP]
    if not _usable():
        raise SrtpError("libsrtp cannot be used on this machine")
    sessions[:] = 0
    try:
        sessions[row.OUTBOUND] = _create(library, profile, sending, _ANY_OUTBOUND)
        sessions[row.INBOUND] = _create(library, profile, receiving, _ANY_INBOUND)
    except SrtpError:
        close_sessions(libraries, sessions)
        raise


def close_sessions(libraries: Libraries, sessions: Words) -> None:
    """Give back a row's sessions; no kernel may be using them. Harmless to repeat."""
    for word in (row.OUTBOUND, row.INBOUND):
        if sessions[word]:
            libraries.loaded[SRTP].srtp_dealloc(ctypes.c_void_p(int(sessions[word])))
    sessions[:] = 0


@functools.cache
def _usable() -> bool:
    """Set libsrtp up, which must be done once in a process; returns whether it's content."""
    return bool(ctypes.CDLL(SRTP).srtp_init() == 0)


def _create(library: Any, profile: Profile, key: bytes, direction: int) -> int:
    if len(key) != profile.key + profile.salt:
        raise SrtpError(
            f"{profile.name} takes {profile.key + profile.salt} octets of key and salt, "
            f"not {len(key)}"
        )
    policy = _Policy()
    for part, name in ((policy.rtp, "rtp"), (policy.rtcp, "rtcp")):
        fill = getattr(library, f"srtp_crypto_policy_set_from_profile_for_{name}")
        if fill(ctypes.byref(part), profile.number) != 0:
            raise SrtpError(f"this libsrtp does not know {profile.name}")
    policy.ssrc_type = direction
    policy.key = key
    policy.window_size = _WINDOW
    session = ctypes.c_void_p()
    if library.srtp_create(ctypes.byref(session), ctypes.byref(policy)) != 0 or not session.value:
        raise SrtpError(f"this libsrtp cannot do {profile.name}")
    return session.value
