"""SRTP and SRTCP sender in plain Python, AES and all: RFC 3711 and RFC 7714 for short tests."""

import hmac
from dataclasses import dataclass


def _double(value: int) -> int:
    return value << 1 ^ (0x11B if value & 0x80 else 0)


def _times(one: int, other: int) -> int:
    product = 0
    for bit in range(8):
        product ^= one if other >> bit & 1 else 0
        one = _double(one)
    return product


def _sbox() -> bytes:
    box = bytearray(256)
    for value in range(256):
        inverse = next((one for one in range(256) if _times(value, one) == 1), 0)
        turned = inverse
        for shift in range(1, 5):
            turned ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
        box[value] = turned ^ 0x63
    return bytes(box)


_SBOX = _sbox()


class Aes:
    """FIPS 197, encryption of one block with 128 or 256 bits of key."""

    def __init__(self, key: bytes) -> None:
        length = len(key) // 4
        self.rounds = length + 6
        words = [key[at : at + 4] for at in range(0, len(key), 4)]
        constant = 1
        while len(words) < 4 * (self.rounds + 1):
            word = words[-1]
            if len(words) % length == 0:
                word = bytes(_SBOX[one] for one in word[1:] + word[:1])
                word = bytes([word[0] ^ constant]) + word[1:]
                constant = _double(constant)
            elif length > 6 and len(words) % length == 4:
                word = bytes(_SBOX[one] for one in word)
            words.append(xor(word, words[-length]))
        self.keys = [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]

    def block(self, block: bytes) -> bytes:
        state = xor(block, self.keys[0])
        for number in range(1, self.rounds + 1):
            state = bytes(_SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16))
            if number < self.rounds:
                state = b"".join(_mix(state[at : at + 4]) for at in range(0, 16, 4))
            state = xor(state, self.keys[number])
        return state

    def counter_stream(self, start: int, length: int) -> bytes:
        """Return the key stream whose first counter block is `start`."""
        blocks = range(start, start + -(-length // 16))
        return b"".join(self.block(one.to_bytes(16, "big")) for one in blocks)[:length]


def _mix(column: bytes) -> bytes:
    return bytes(
        _double(column[at])
        ^ _double(column[(at + 1) % 4])
        ^ column[(at + 1) % 4]
        ^ column[(at + 2) % 4]
        ^ column[(at + 3) % 4]
        for at in range(4)
    )


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def derive(key: bytes, salt: bytes, label: int, length: int) -> bytes:
    """RFC 3711 §4.3 with a key derivation rate of 0; RFC 7714 §11 with 96 bits of salt."""
    start = int.from_bytes(salt.ljust(14, b"\0"), "big") ^ label << 48
    return Aes(key).counter_stream(start << 16, length)


def gcm(key: bytes, nonce: bytes, text: bytes, associated: bytes) -> bytes:
    """NIST SP 800-38D: the encrypted text and its tag."""
    aes = Aes(key)
    hash_key = int.from_bytes(aes.block(bytes(16)), "big")
    first = int.from_bytes(nonce + bytes(4), "big")
    secret = xor(text, aes.counter_stream(first + 2, len(text)))
    padded = [part + bytes(-len(part) % 16) for part in (associated, secret)]
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(secret)).to_bytes(8, "big")
    blocks = b"".join(padded) + lengths
    total = 0
    for at in range(0, len(blocks), 16):
        total ^= int.from_bytes(blocks[at : at + 16], "big")
        product, shifted = 0, hash_key
        for bit in range(127, -1, -1):
            product ^= shifted if total >> bit & 1 else 0
            shifted = shifted >> 1 ^ (0xE1 << 120 if shifted & 1 else 0)
        total = product
    return secret + xor(total.to_bytes(16, "big"), aes.counter_stream(first + 1, 16))


@dataclass
class Sender:
    """Protects RTCP, and RTP packets without extensions or contributing sources.

    Args:
        key, salt: the master key and salt.
        tag: octets of the HMAC-SHA1 tag; 0: AES-GCM.
        rollovers: how often the sequence number has begun anew.
        report_index: of the next RTCP packet.
    """

    key: bytes
    salt: bytes
    tag: int
    rollovers: int = 0
    report_index: int = 0

    def protect(self, packet: bytes) -> bytes:
        header, text = packet[:12], packet[12:]
        index = self.rollovers << 16 | int.from_bytes(packet[2:4], "big")
        source = int.from_bytes(packet[8:12], "big")
        session_key = derive(self.key, self.salt, 0, len(self.key))
        session_salt = derive(self.key, self.salt, 2, len(self.salt))
        if not self.tag:
            nonce = (source << 48 | index).to_bytes(12, "big")
            return header + gcm(session_key, xor(nonce, session_salt), text, header)
        start = int.from_bytes(session_salt, "big") << 16 ^ source << 64 ^ index << 16
        secret = header + xor(text, Aes(session_key).counter_stream(start, len(text)))
        authentication = derive(self.key, self.salt, 1, 20)
        signed = secret + self.rollovers.to_bytes(4, "big")
        return secret + hmac.digest(authentication, signed, "sha1")[: self.tag]

    def protect_report(self, packet: bytes, *, encrypted: bool = True) -> bytes:
        """RFC 3711 §3.4, RFC 7714 §9: the first 8 octets stay plain; the tag is never shortened."""
        header, text = packet[:8], packet[8:]
        source = int.from_bytes(packet[4:8], "big")
        index = self.report_index
        trailer = (encrypted << 31 | index).to_bytes(4, "big")
        self.report_index = (index + 1) % 2**31
        session_key = derive(self.key, self.salt, 3, len(self.key))
        session_salt = derive(self.key, self.salt, 5, len(self.salt))
        if not self.tag:
            nonce = xor((source << 48 | index).to_bytes(12, "big"), session_salt)
            if encrypted:
                return header + gcm(session_key, nonce, text, header + trailer) + trailer
            return packet + gcm(session_key, nonce, b"", packet + trailer) + trailer
        if encrypted:
            start = int.from_bytes(session_salt, "big") << 16 ^ source << 64 ^ index << 16
            text = xor(text, Aes(session_key).counter_stream(start, len(text)))
        signed = header + text + trailer
        authentication = derive(self.key, self.salt, 4, 20)
        return signed + hmac.digest(authentication, signed, "sha1")[:10]
