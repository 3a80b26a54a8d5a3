"""SYN cookies: a listener that keeps nothing until the third packet (RFC 4987 §3.6, RFC 8684 §3.1).

The number of the SYN/ACK is the cookie: five bits of time, three of MSS, and 24 that only we can compute.
What else the SYN offered comes back in the timestamp, six bits of it; without timestamps it is not
answered. Our MPTCP key follows from the cookie, and the third packet brings both keys [R8684-3.1-18].
"""

from typing import Final

from mptcp.numbers import MASK_32, compute_signed_32
from mptcp.parameters import COOKIE_PERIOD, KEY_LENGTH, TIMESTAMP_TICK
from mptcp.ports import compute_digest, compute_message
from mptcp.subflow.arrive import find_timestamps
from mptcp.values import FourTuple, Micros
from mptcp.wire.handshake import CapableAck, CapableData, CapableSyn
from mptcp.wire.options import MaximumSegmentSize, Option, SackPermitted, Timestamps, WindowScale
from mptcp.wire.segment import SYN, Segment

SIZES: Final = (88, 536, 1_220, 1_360, 1_440, 1_460, 4_312, 8_940)
"""What can be remembered of an MSS, octets: the largest that is not above it [R4987-3.6-02]."""

NO_SCALE: Final = 15  # in the four low bits of a timestamp; any other value is the peer's shift
SACK_BIT: Final = 16
MEMORY: Final = 32  # what timestamps remember are residues of twice this number


def find_index(mss: int) -> int:
    """Which of ``SIZES`` stands for ``mss`` octets."""
    index = len(SIZES) - 1
    while index > 0 and SIZES[index] > mss:
        index -= 1
    return index


def compute_cookie(secret: bytes, four: FourTuple, irs: int, period: int, index: int) -> int:
    """The 32 bits for a SYN with the number ``irs``; ``period`` is the time, ``index`` one of ``SIZES``.

    [R4987-3.6-01] Without the secret nobody can tell which would be good.
    """
    message = b"cookie" + compute_message(four) + irs.to_bytes(4, "big") + period.to_bytes(8, "big")
    digest = compute_digest(secret, message + index.to_bytes(1, "big"))
    return (period % 32) << 27 | index << 24 | int.from_bytes(digest[:3], "big")


def find_size(secret: bytes, four: FourTuple, irs: int, cookie: int, now: Micros) -> int:
    """The MSS that ``cookie`` stands for; 0 if it is not ours, or older than two periods."""
    present = now // COOKIE_PERIOD
    age = (present - (cookie >> 27)) % 32
    index = cookie >> 24 & 7
    if age > 1 or age > present or compute_cookie(secret, four, irs, present - age, index) != cookie:
        return 0
    return SIZES[index]


def compute_key(secret: bytes, four: FourTuple, cookie: int) -> bytes:
    """Our MPTCP key, the same whenever it is made [R8684-3.1-18] [R8684-3.1-12] [R8684-3.1-17]."""
    message = b"key" + compute_message(four) + cookie.to_bytes(4, "big")
    return compute_digest(secret, message)[:KEY_LENGTH]


def reduce(segment: Segment, is_multipath: bool) -> Segment:
    """A SYN without what could not be remembered of it, and its text: only that is answered."""
    timestamps = find_timestamps(segment)
    options: list[Option] = []
    for option in segment.options:
        is_remembered = isinstance(option, (WindowScale, SackPermitted)) and timestamps is not None
        is_repeated = isinstance(option, CapableSyn) and is_multipath
        if is_remembered or is_repeated or isinstance(option, (MaximumSegmentSize, Timestamps)):
            options.append(option)
    return make_syn(segment, segment.sequence, tuple(options))


def make_syn(segment: Segment, sequence: int, options: tuple[Option, ...]) -> Segment:
    """A SYN from and to where ``segment`` goes."""
    return Segment(
        segment.source,
        segment.destination,
        segment.source_port,
        segment.destination_port,
        sequence,
        0,
        SYN,
        segment.window,
        0,
        options,
        (),
    )


def is_multipath(syn: Segment) -> bool:
    """Whether a SYN offers MPTCP."""
    return any(isinstance(option, CapableSyn) for option in syn.options)


def find_mss(syn: Segment, default: int) -> int:
    """The MSS that a SYN announces, octets; ``default`` if none."""
    for option in syn.options:
        if isinstance(option, MaximumSegmentSize):
            return option.size
    return default


def compute_memory(syn: Segment) -> int:
    """The six bits for the timestamp of our answer."""
    memory = NO_SCALE
    for option in syn.options:
        if isinstance(option, WindowScale):
            memory = memory & SACK_BIT | min(option.shift, NO_SCALE - 1)
        elif isinstance(option, SackPermitted):
            memory |= SACK_BIT
    return memory


def compute_delay(stamp: int, memory: int) -> int:
    """By how many ticks a timestamp must be turned back to end in ``memory`` [R4987-3.6-03].

    Back, never forth: later ones must not look older.
    """
    return (stamp - memory) % (2 * MEMORY)


def recover(secret: bytes, four: FourTuple, segment: Segment, ts_offset: int, now: Micros) -> Segment | None:
    """The SYN that ``segment``, the third packet, is evidence of; None if it is of none."""
    irs = segment.sequence - 1 & MASK_32
    size = find_size(secret, four, irs, segment.acknowledgment - 1 & MASK_32, now)
    if size == 0:
        return None
    options: list[Option] = [MaximumSegmentSize(size)]
    timestamps = find_timestamps(segment)
    if timestamps is not None:
        age = compute_signed_32(now // TIMESTAMP_TICK + ts_offset - timestamps.echo)
        if not 0 <= age <= 2 * COOKIE_PERIOD // TIMESTAMP_TICK:
            return None  # not what we sent: what it says of scale and SACK would be a guess
        options.append(Timestamps(timestamps.value, 0))
        shift = timestamps.echo % (2 * MEMORY) % SACK_BIT
        if shift != NO_SCALE:
            options.append(WindowScale(shift))
        if timestamps.echo & SACK_BIT:
            options.append(SackPermitted())
    for option in segment.options:
        if isinstance(option, (CapableAck, CapableData)):
            options.append(CapableSyn(option.version, option.flags))  # it answers ours, so there was one
            break
    return make_syn(segment, irs, tuple(options))
