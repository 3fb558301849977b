"""The binary layout of record files, `.cdr`: what there was before CSV, with proof of each record.

miniSIPServer's own layout was never published; this one is ours, version 1. All numbers are little-endian:

    file    = magic  version  columns  crc  *record
    magic   = "MSSCDR" CR LF         ; a transfer as text breaks it, and shows
    version = u16                    ; 1
    columns = u16                    ; values of a record: 15, those of pbx.store.record_file.COLUMNS
    crc     = u32                    ; CRC-32 (IEEE 802.3, as zlib's) of the 12 octets before
    record  = size  *value  crc
    size    = u16                    ; octets of the values
    value   = u16 *OCTET             ; its octets, UTF-8 without control characters
    crc     = u32                    ; CRC-32 of the file's own crc, size and values

Nothing is guessed: a record counts when its CRC, its sizes, its text and its times are right. Where one
is not, it can't be known where the next begins, so that all after it is refused.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from pbx.cdr.binary import Unproved
from pbx.store.record_file import COLUMNS, printable

VERSION = 1

MAGIC = b"MSSCDR\r\n"

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")

_START = MAGIC + struct.pack("<HH", VERSION, len(COLUMNS))
_START_CRC = zlib.crc32(_START)

HEADER = _START + _U32.pack(_START_CRC)
"""What a file begins with."""


def encode_record(values: Sequence[str]) -> bytes:
    """Return a record.

    Args:
        values: those of `COLUMNS`.

    Raises:
        ValueError: there are more or fewer, they have control characters, or they are too long.
    """
    if len(values) != len(COLUMNS) or not all(map(printable, values)):
        raise ValueError("no values of a record")
    texts = [value.encode() for value in values]
    size = sum(map(len, texts)) + len(texts) * _U16.size
    if size > 0xFFFF:
        raise ValueError(f"a record of {size} octets")
    body = _U16.pack(size) + b"".join(_U16.pack(len(text)) + text for text in texts)
    return body + _U32.pack(zlib.crc32(body, _START_CRC))


class PackedLayout:
    """Version 1 of the layout."""

    name = "miniSIPServer CDR 1"

    def fits(self, head: bytes) -> bool:
        """Tell whether a file that begins so is in this layout."""
        return head.startswith(HEADER)

    def rows(self, file: BinaryIO) -> Iterator[list[str]]:
        """Return the values of the records.

        Raises:
            Unproved: from there on the file can't be trusted, or it ends within a record.
        """
        file.read(len(HEADER))
        while start := _read(file, _U16.size):
            (size,) = _U16.unpack(start)
            values = _read(file, size)
            (crc,) = _U32.unpack(_read(file, _U32.size))
            if crc != zlib.crc32(start + values, _START_CRC):
                raise Unproved("unproved")
            yield _values(values)


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size and (data or size != _U16.size):
        raise Unproved("torn")
    return data


def _values(data: bytes) -> list[str]:
    values = []
    place = 0
    for _ in COLUMNS:
        begin = place + _U16.size
        if begin > len(data):
            raise Unproved("unproved")
        place = begin + _U16.unpack_from(data, begin - _U16.size)[0]
        try:
            values.append(data[begin:place].decode())
        except UnicodeDecodeError as error:
            raise Unproved("unproved") from error
    if place != len(data) or not all(map(printable, values)):
        raise Unproved("unproved")
    return values
