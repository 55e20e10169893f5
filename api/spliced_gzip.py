"""Gzip put together from parts that were compressed before: what changes between two readers is
compressed alone, what stays is only copied.

A part is raw deflate that ends on a whole byte and refers to nothing outside itself, so parts make
one stream in any order. They become one gzip member, because browsers read only the first. Its
checksum comes from those of the parts, without a look at what they hold: appending n bytes
multiplies a CRC by x^8n modulo the CRC's polynomial, and adding is XOR. This is what zlib's
`crc32_combine` does, after Mark Adler's answer at https://stackoverflow.com/a/23126768 and
`multmodp` in https://github.com/madler/zlib/blob/master/crc32.c.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""Of a gzip member, RFC 1952: deflate, no name, no time, no system, so that equal pages are equal
bytes."""
_END = b"\x03\x00"
"""The last block of a deflate stream, with nothing in it."""
_POLYNOMIAL = 0xEDB88320
"""Of CRC-32. The highest bit stands for x^0, as in zlib."""
_ONE, _X8 = 1 << 31, 1 << 23


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes, compressed."""

    deflated: bytes
    size: int
    """Bytes before compression."""
    crc: int
    """CRC-32 of these bytes."""
    shift: int
    """What the CRC of all before is multiplied by when these bytes are appended."""


def part(content: bytes) -> Part:
    """These bytes, compressed on their own."""
    stream = zlib.compressobj(6, wbits=-15)
    deflated = stream.compress(content) + stream.flush(zlib.Z_FULL_FLUSH)
    return Part(deflated, len(content), zlib.crc32(content), _shift(len(content)))


def member(parts: Sequence[Part]) -> bytes:
    """The parts one after another, as one gzip member."""
    crc = 0
    for one in parts:
        crc = _product(crc, one.shift) ^ one.crc
    size = sum(one.size for one in parts) & 0xFFFFFFFF
    trailer = crc.to_bytes(4, "little") + size.to_bytes(4, "little")
    return b"".join((_HEADER, *(one.deflated for one in parts), _END, trailer))


def _product(left: int, right: int) -> int:
    """Of two polynomials, modulo the CRC's."""
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


def _shift(length: int) -> int:
    """x^(8 * length), by squaring as often as the length has binary digits."""
    power, square = _ONE, _X8
    while length:
        if length & 1:
            power = _product(power, square)
        square = _product(square, square)
        length >>= 1
    return power
