"""Sequence numbers: circles on the wire, straight lines inside.

On the wire a sequence number is a residue: modulo 2**32 for TCP (RFC 9293 §3.4), modulo 2**64
for the data sequence space (RFC 8684 §3.3.1) [R8684-2.4-01]. Inside this code it is an *offset*: the distance
from the initial number of its stream, which never wraps. Offset 0 is the octet that the SYN takes
(the ISN, or the IDSN for data), offset 1 is the first octet of text, so that a subflow's offset is
at the same time its relative subflow sequence number (SSN) of RFC 8684 §3.3.1.

The functions below are the only place where one becomes the other.
"""

from typing import Final

from mptcp.native import i64

MASK_16: Final = 0xFFFF
MASK_32: Final = 0xFFFFFFFF
MASK_64: Final = 0xFFFFFFFFFFFFFFFF
HALF_32: Final = 0x80000000
HALF_64: Final = 0x8000000000000000
PLAIN: Final = 1 << 61  # below it the compiled build computes as the machine does, beyond it far slower


def add(sequence: int, step: int) -> int:
    """The 32-bit sequence number ``step`` octets after ``sequence`` (RFC 9293 §3.4 [R9293-3.4-05])."""
    return (sequence + step) & MASK_32


def distance(earlier: int, later: int) -> int:
    """Octets from ``earlier`` to ``later`` going forward, 0 … 2**32 - 1 (RFC 9293 §3.4)."""
    return (later - earlier) & MASK_32


def before(a: int, b: int) -> bool:
    """Whether the 32-bit number ``a`` precedes ``b``: by less than half the space (RFC 9293 §3.4).

    [R9293-3.4-05]
    """
    return 0 < ((b - a) & MASK_32) < HALF_32


def after(a: int, b: int) -> bool:
    """Whether the 32-bit number ``a`` follows ``b``: by less than half the space (RFC 9293 §3.4)."""
    return 0 < ((a - b) & MASK_32) < HALF_32


def compute_signed_32(number: i64) -> i64:
    """The residue of ``number``, of at most 63 bits, modulo 2**32 that lies in [-2**31, 2**31)."""
    return ((number + HALF_32) & MASK_32) - HALF_32


def compute_signed_64(number: int) -> int:
    """The residue of ``number`` modulo 2**64 that lies in [-2**63, 2**63)."""
    if -PLAIN < number < PLAIN:  # fast path: nearly all are distances within a window
        return number
    return ((number + HALF_64) & MASK_64) - HALF_64


def compute_wire_32(initial: i64, offset: i64) -> i64:
    """The 32-bit wire number of the octet at ``offset`` of the stream that begins at ``initial``."""
    return (initial + offset) & MASK_32


def compute_offset_32(initial: i64, number: i64, near: i64) -> i64:
    """The offset whose 32-bit wire number is ``number`` and which lies nearest to offset ``near``.

    Right whenever the true offset lies in [near - 2**31, near + 2**31); may be negative for a
    number from before the stream. Serves TCP numbers and, with the low half of the IDSN as
    ``initial``, the 32-bit forms of DSN and Data ACK (RFC 8684 §3.3.1).
    """
    # [R8684-3.3.1-28] the upper half advances when the lower half wraps,
    # [R8684-3.3.1-29] and an old number near a wrap does not bump it: nearest wins
    return near + compute_signed_32(number - initial - near)


def compute_wire_64(initial: int, offset: int) -> int:
    """The 64-bit DSN of the octet at ``offset`` of the data stream that begins at ``initial``.

    ``initial`` is the IDSN and not 0, so that missing first octets show. [R8684-3.3.1-30]
    """
    return (initial + offset) & MASK_64


def compute_offset_64(initial: int, number: int) -> int:
    """The offset of the 64-bit DSN ``number``; negative for one from before the stream."""
    # [R8684-3.3.1-22] 64 bits are kept whole: the offset is exact, not a guess
    return compute_signed_64(number - initial)
