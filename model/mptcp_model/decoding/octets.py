"""Octets that somebody typed: a packet, a frame, a segment without IP, or options alone."""

import re
from typing import Final

from mptcp.errors import Malformed
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER, OPTION_SPACE, TCP_HEADER
from mptcp.wire import segment
from mptcp.wire.ip import DESTINATION, HOP_BY_HOP, ROUTING, TCP, Datagram
from mptcp.wire.options import Leftover, Option, Unknown
from mptcp.wire.segment import ACK, RST, SYN, Segment
from mptcp_model.decoding.captures import Frame
from mptcp_model.decoding.links import ETHERNET, RAW, find_packet

SEPARATORS: Final = re.compile(r"\\x|\b0x|[\s:,.-]")
NOBODY: Final = bytes(4)  # the address of those who have none here
EXTENSIONS: Final = (TCP, HOP_BY_HOP, ROUTING, DESTINATION)  # what may follow an IPv6 header before TCP
USUAL_FLAGS: Final = (ACK, SYN, SYN | ACK, RST | ACK)
"""Segments on which an option without one may have stood, the likeliest first."""


def read_hexadecimal(words: str) -> bytes | None:
    """The octets that ``words`` spell, with or without separators; None if they spell none."""
    digits = SEPARATORS.sub("", words)
    if not digits or len(digits) % 2 or not re.fullmatch("[0-9a-fA-F]+", digits):
        return None
    return bytes.fromhex(digits)


def find_frame(octets: bytes) -> Frame | None:
    """``octets`` as a frame, if they begin with an IP header or an Ethernet header before one."""
    if starts_ip(octets):
        return 0, min(RAW), octets, len(octets)
    start = find_packet(ETHERNET, octets)
    if start > 0 and starts_ip(octets[start:]):
        return 0, ETHERNET, octets, len(octets)
    return None


def starts_ip(octets: bytes) -> bool:
    """Whether an IP header of TCP begins here, whatever is wrong with it."""
    if len(octets) >= IPV4_HEADER and octets[0] in range(0x45, 0x50):
        return octets[9] == TCP
    return len(octets) >= IPV6_HEADER and octets[0] >> 4 == 6 and octets[6] in EXTENSIONS


def find_segment(octets: bytes) -> Segment:
    """``octets`` as options alone or, if they are none, as a segment; Malformed if they are neither.

    There are no addresses, and of options alone no ports, either.
    """
    options = find_options(octets)
    if options is not None:
        flags, found = options
        return Segment(NOBODY, NOBODY, 0, 0, 0, 0, flags, 0, 0, found, ())
    if len(octets) < TCP_HEADER:
        raise Malformed(0, "neither a packet, nor a segment, nor options")
    around = Datagram(4, NOBODY, NOBODY, TCP, 64, 0, 0, 0, len(octets))
    return segment.parse(octets, around, True)


def find_options(octets: bytes) -> tuple[int, tuple[Option, ...]] | None:
    """``octets`` as options, with the flags of a segment on which all of them are legal, if there is one."""
    if len(octets) > OPTION_SPACE:
        return None
    readings = [(flags, segment.parse_options(octets, 0, len(octets), flags)) for flags in USUAL_FLAGS]
    for flags, found in readings:
        if all(is_usual(option) for option in found):
            return flags, found
    return readings[0] if octets[0] == 30 else None


def is_usual(option: Option) -> bool:
    """Whether an option is one that somebody meant: legal, and behind the last one zeros."""
    return not isinstance(option, (Unknown, Leftover)) and not any(getattr(option, "padding", b""))
