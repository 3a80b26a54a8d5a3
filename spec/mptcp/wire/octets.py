"""Numbers in octets: big-endian, unsigned, as every header of this folder has them.

The one place that knows how; a caller makes sure first that the octets are there.
"""

from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_be,
    read_i32_be,
    read_i64_be,
    write_i16_be,
    write_i32_be,
    write_i64_be,
)

from mptcp.errors import Refused
from mptcp.native import i64
from mptcp.numbers import HALF_32, MASK_16, MASK_32

HALF_16: Final = 0x8000


def u16(octets: bytes, at: i64) -> i64:
    """The 16-bit number whose first octet is ``octets[at]``."""
    number = i64(read_i16_be(octets, at))
    return number & MASK_16


def u32(octets: bytes, at: i64) -> i64:
    """The 32-bit number whose first octet is ``octets[at]``."""
    number = i64(read_i32_be(octets, at))
    return number & MASK_32


def u64(octets: bytes, at: i64) -> int:
    """The 64-bit number whose first octet is ``octets[at]``."""
    number: int = read_i64_be(octets, at)
    if octets[at] & 0x80:  # what was read has a sign; the first octet tells it more cheaply
        return number + 0x1_0000_0000_0000_0000
    return number


def emit_16(number: int) -> bytes:
    """``number`` in two octets."""
    return number.to_bytes(2, "big")


def emit_32(number: int) -> bytes:
    """``number`` in four octets."""
    return number.to_bytes(4, "big")


def emit_64(number: int) -> bytes:
    """``number`` in eight octets; Refused if it does not fit."""
    try:
        return number.to_bytes(8, "big")
    except OverflowError:
        raise Refused("a number of 64 bits is not negative") from None


def write_64(writer: BytesWriter, number: int) -> None:
    """Put ``number``, 0 … 2**64 - 1, in eight octets behind what is written already."""
    if number.bit_length() <= 62:  # fast path: as the machine has it, not in many pieces
        write_i64_be(writer, number)
    else:
        writer.write(emit_64(number))


def write_16(writer: BytesWriter, number: i64) -> None:
    """Put the lower 16 bits of ``number`` behind what is written already."""
    signed: int = ((number & MASK_16) ^ HALF_16) - HALF_16
    write_i16_be(writer, signed)


def write_32(writer: BytesWriter, number: i64) -> None:
    """Put the lower 32 bits of ``number`` behind what is written already."""
    signed: int = ((number & MASK_32) ^ HALF_32) - HALF_32
    write_i32_be(writer, signed)
