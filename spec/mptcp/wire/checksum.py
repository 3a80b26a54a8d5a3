"""The Internet checksum (RFC 1071), as IPv4, ICMP, TCP and the DSS option use it.

A *sum* is the folded ones' complement sum of 16-bit words, 0 … 65535; the *checksum* that goes
into a field is its complement. Sums add up: the sum of a whole is the sum of its parts' sums, as
long as each part but the last has an even number of octets.
"""

from librt.strings import read_i32_be, read_i64_be

from mptcp.native import i64
from mptcp.numbers import MASK_16, MASK_32
from mptcp.values import Text


def fold(total: i64) -> i64:
    """The 16-bit ones' complement sum that stands for ``total`` (not negative)."""
    while total > MASK_16:
        total = (total & MASK_16) + (total >> 16)
    return total


def compute_sum(octets: bytes, start: i64, end: i64, initial: i64 = 0) -> i64:
    """The sum of ``octets[start:end]`` and ``initial``; an odd last octet is padded by zero.

    ``initial`` is a sum, or what adds up to one: a few sums or rows of 32 bits, 0 … 2**40. Same as
    ``checksum_by_the_book`` but for the complement: eight octets at a time in two lanes of 32 bits,
    for 2**32 is 1 modulo 65535.
    """
    at, stop = start, end
    low: i64 = initial
    high: i64 = 0
    while at + 32 <= stop:
        one: i64 = read_i64_be(octets, at)
        two: i64 = read_i64_be(octets, at + 8)
        three: i64 = read_i64_be(octets, at + 16)
        four: i64 = read_i64_be(octets, at + 24)
        low += (one & MASK_32) + (two & MASK_32) + (three & MASK_32) + (four & MASK_32)
        high += (
            (one >> 32 & MASK_32) + (two >> 32 & MASK_32) + (three >> 32 & MASK_32) + (four >> 32 & MASK_32)
        )
        at += 32
    while at + 4 <= stop:
        low += i64(read_i32_be(octets, at)) & MASK_32
        at += 4
    low += high
    while at + 2 <= stop:
        low += (octets[at] << 8) + octets[at + 1]
        at += 2
    if at < stop:
        low += octets[at] << 8
    while low > MASK_16:
        low = (low & MASK_16) + (low >> 16)
    return low


def checksum_by_the_book(octets: bytes) -> int:
    """RFC 1071 §1 for reading: add up the words, fold the carries back, complement."""
    if len(octets) % 2:
        octets += b"\0"
    total = 0
    for at in range(0, len(octets), 2):
        total += octets[at] << 8 | octets[at + 1]
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def compute_text_sum(text: tuple[Text, ...], initial: i64 = 0) -> i64:
    """The sum of all pieces, one after the other, and ``initial``.

    A piece that begins at an odd place has its octets in the other halves of the words: its own
    sum is swapped before it is added (RFC 1071 §2 (B)). [R8684-3.3.1-13]
    """
    total = initial
    odd = False
    for piece in text:
        part = compute_sum(piece.packet, piece.start, piece.end)
        if odd:
            part = (part & 0xFF) << 8 | part >> 8
        total += part
        if (piece.end - piece.start) & 1:
            odd = not odd
    return fold(total)


def compute_checksum(total: i64) -> i64:
    """What goes into the checksum field when the sum of all else is ``total``."""
    return MASK_16 - fold(total)
