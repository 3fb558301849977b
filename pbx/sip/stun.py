"""STUN on the SIP port (RFC 8489, RFC 3489), which phones keep their path through a NAT open with."""

import ipaddress
import struct
import zlib

from pbx.sip.flow import Address

MAGIC_COOKIE = 0x2112A442
"""RFC 8489 §5."""

_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")

_HEADER = struct.Struct("!HH16s")
"""Type, length, and 16 octets of which RFC 8489 has its cookie in the first four; RFC 3489 has a
transaction id of all."""
_ATTRIBUTE = struct.Struct("!HH")

_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111

_MAPPED_ADDRESS = 0x0001
_CHANGE_REQUEST = 0x0003
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_XOR_MAPPED_ADDRESS = 0x0020
_FINGERPRINT = 0x8028
_FINGERPRINT_MASK = 0x5354554E

_IGNORED = frozenset({0x0006, 0x0008, 0x0014, 0x0015, 0x001C, 0x001D, 0x001E, 0x0020})
"""USERNAME, MESSAGE-INTEGRITY, REALM, NONCE and their like: nothing on the SIP port asks for a
password (RFC 5626 §8), so they change no answer."""


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN's and not SIP's.

    STUN begins with an octet of 0 to 3 (RFC 7983 §7), and has its magic cookie in the second word;
    that of RFC 3489 has none, but for a Binding request its length is known.
    """
    if len(data) < 8 or data[0] >= 4:
        return False
    return _has_cookie(data) or (
        data[:2] == _BINDING_REQUEST.to_bytes(2, "big")
        and len(data) == _HEADER.size + int.from_bytes(data[2:4], "big")
    )


def _has_cookie(data: bytes) -> bool:
    return data[4:8] == _COOKIE


def answer(data: bytes, source: Address) -> bytes | None:
    """Return the answer to a Binding request (RFC 8489 §6.3.1); None for what gets none.

    Args:
        data: a datagram of which `is_stun` is true.
        source: where it came from, which the answer tells.
    """
    attributes = _attributes(data)
    if attributes is None:
        return None
    kind, _, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST:
        # An indication only keeps the path open (§6.3.2); we ask nothing, so no response is ours.
        return None
    # §6.3.1: "If the request contains one or more unknown comprehension-required attributes"
    unknown = [each for each in attributes if each < 0x8000 and each not in _IGNORED]
    if unknown:
        return _message(_BINDING_ERROR, transaction, _unknown(unknown))
    mapped = _xor_mapped if _has_cookie(data) else _mapped
    return _message(_BINDING_SUCCESS, transaction, mapped(source, transaction))


def _attributes(data: bytes) -> list[int] | None:
    """The attributes' types in a whole, undamaged message; None for anything else (§6.3)."""
    if len(data) < _HEADER.size:
        return None
    length = _HEADER.unpack_from(data)[1]
    if length % 4 or len(data) != _HEADER.size + length:
        return None
    found, offset = [], _HEADER.size
    while offset < len(data):
        kind, size = _ATTRIBUTE.unpack_from(data, offset)
        begin = offset + _ATTRIBUTE.size
        # §14: values are padded to a multiple of four octets
        after = begin + size + -size % 4
        if after > len(data):
            return None
        if kind == _FINGERPRINT:
            # §14.7: of everything before it, and the last attribute
            right = (zlib.crc32(data[:offset]) ^ _FINGERPRINT_MASK).to_bytes(4, "big")
            if data[begin:] != right:
                return None
        if kind != _CHANGE_REQUEST or _has_cookie(data) or any(data[begin : begin + size]):
            # RFC 3489 §11.2.4: clients of that time ask for no change by a request for none
            found.append(kind)
        offset = after
    return found


def _message(kind: int, transaction: bytes, attributes: bytes) -> bytes:
    return _HEADER.pack(kind, len(attributes), transaction) + attributes


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _xor_mapped(source: Address, transaction: bytes) -> bytes:
    """§14.2: the source, covered so that no NAT on the way takes it for an address to change."""
    address = ipaddress.ip_address(source.host).packed
    covered = bytes(octet ^ cover for octet, cover in zip(address, transaction, strict=False))
    port = source.port ^ (MAGIC_COOKIE >> 16)
    return _attribute(_XOR_MAPPED_ADDRESS, _place(port, covered))


def _mapped(source: Address, transaction: bytes) -> bytes:
    """RFC 3489 §11.2.1, RFC 8489 §11: who sends no cookie knows the plain address alone."""
    return _attribute(
        _MAPPED_ADDRESS, _place(source.port, ipaddress.ip_address(source.host).packed)
    )


def _place(port: int, address: bytes) -> bytes:
    return struct.pack("!xBH", 1 if len(address) == 4 else 2, port) + address


def _unknown(kinds: list[int]) -> bytes:
    """§14.8, §14.13: error 420, and which attributes are meant."""
    reason = b"Unknown Attribute"
    # Eight at the most: who forges a source gains nothing by long lists.
    named = b"".join(kind.to_bytes(2, "big") for kind in dict.fromkeys(kinds[:8]))
    return _attribute(_ERROR_CODE, bytes((0, 0, 4, 20)) + reason) + _attribute(
        _UNKNOWN_ATTRIBUTES, named
    )
