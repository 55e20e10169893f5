"""Gzip put together from parts: one member that says what the parts said, and checks out."""

import gzip
import random
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from api.spliced_gzip import member, part


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_parts_make_one_member_with_the_checksum_of_the_whole(contents: list[bytes]) -> None:
    """Browsers read the first member only, and some check its CRC and length."""
    packed = member([part(content) for content in contents])
    whole = b"".join(contents)
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed) == whole
    assert reader.eof
    assert reader.unused_data == b""
    assert packed[-8:-4] == zlib.crc32(whole).to_bytes(4, "little")
    assert packed[-4:] == len(whole).to_bytes(4, "little")


@settings(max_examples=30, deadline=None)  # each compresses 300 kB
@given(st.integers(0, 300_000), st.integers(0, 300_000))
def test_wherever_it_is_cut_the_checksum_is_the_same(first: int, second: int) -> None:
    """Lengths of every size, each with its own power of x."""
    whole = random.Random(0).randbytes(300_000)
    here, there = sorted((first, second))
    pieces = (whole[:here], whole[here:there], whole[there:])
    packed = member([part(piece) for piece in pieces])
    assert packed[-8:-4] == zlib.crc32(whole).to_bytes(4, "little")


def test_parts_know_nothing_of_each_other() -> None:
    """Any order and any number of times: a reference into the part before would show."""
    said = [f"第 {n} 句：三角形的内角和是 180 度。".encode() * 3000 for n in range(3)]
    parts = [part(text) for text in said]
    for order in ([0, 1, 2], [2, 1, 0], [1, 1, 1, 0]):
        together = b"".join(said[n] for n in order)
        assert gzip.decompress(member([parts[n] for n in order])) == together


def test_equal_parts_give_equal_bytes() -> None:
    """Without a time or the name of a system: what is the same can be told by its digest."""
    assert member([part(b"a"), part(b"b")]) == member([part(b"a"), part(b"b")])
    assert member([])[:10] == b"\x1f\x8b\x08" + bytes(6) + b"\xff"
