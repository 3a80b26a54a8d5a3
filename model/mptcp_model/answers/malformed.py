"""Octets that are illegal, and what a reader should make of them.

Packets that cannot be read, with the offset and the reason; option areas in which an option is to be skipped
(its length fits no layout), or from which on nothing can be read. The verdicts are the parser's; the tests
hold them against the lengths that the RFCs give.
"""

from collections.abc import Iterator
from typing import Any, Final

from mptcp.errors import Malformed
from mptcp.parameters import MPTCP_OPTION, OPTION_SPACE
from mptcp.values import Text
from mptcp.wire import addresses, dss, handshake, ip, segment
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.dss import DataAck, Dss
from mptcp.wire.octets import emit_16
from mptcp.wire.options import NOP, Leftover, Option, Unknown
from mptcp.wire.segment import ACK, SYN, Segment
from mptcp_model.answers.octets import make_octets
from mptcp_model.answers.options import ADDRESSES
from mptcp_model.decoding.names import spell_fields
from mptcp_model.scribe import spell_flags

TITLE: Final = "Octets that are illegal: packets with where and why, option areas with what is read of them"

FLAGS: Final = (SYN, SYN | ACK, ACK)
DSS_FLAGS: Final = dss.HAS_ACK | dss.HAS_MAPPING  # with narrow numbers: 18 octets, or 20 with a checksum


def make() -> list[dict[str, Any]]:
    """The vectors."""
    packets = [judge_packet(name, octets) for name, octets in list_packets()]
    lengths = [judge_area(*one) for one in list_lengths()]
    areas = [judge_area(name, octets, ACK, 1) for name, octets in list_areas()]
    return packets + [one for one in lengths + areas if one["verdict"] != "legal"]


def judge_packet(name: str, octets: bytes) -> dict[str, Any]:
    """A packet with the verdict on it."""
    made: dict[str, Any] = {"name": name, "kind": "packet", "octets": octets.hex()}
    try:
        segment.parse(octets, ip.parse(octets))
    except Malformed as malformed:
        return made | {"verdict": "malformed", "offset": malformed.offset, "reason": malformed.reason}
    return made | {"verdict": "legal"}


def judge_area(name: str, octets: bytes, flags: int, version: int) -> dict[str, Any]:
    """An option area with what is read of it."""
    found = segment.parse_options(octets, 0, len(octets), flags, version)
    verdict = "legal"
    if any(isinstance(option, Unknown) for option in found):
        verdict = "skipped"
    if found and isinstance(found[-1], Leftover):
        verdict = "cut"
    return {
        "name": name,
        "kind": "options",
        "octets": octets.hex(),
        "flags": spell_flags(flags),
        "version": version,
        "verdict": verdict,
        "read": [spell_fields(option) for option in found],
    }


# -- packets --------------------------------------------------------------------------------------


def make_packet(family: int, *options: Option) -> bytes:
    """A good one."""
    address = ADDRESSES[family]
    text = make_octets("text", 5)
    made = Segment(address, address, 1, 2, 3, 4, ACK, 5, 0, options, (Text(text, 0, 5),))
    return segment.emit(made, identification=7).octets()


def change(octets: bytes, at: int, new: bytes, mend: bool = True) -> bytes:
    """The packet with other octets at ``at``; its IPv4 header's checksum is mended if wanted."""
    octets = octets[:at] + new + octets[at + len(new) :]
    if mend and octets[0] >> 4 == 4:
        header = octets[:10] + b"\0\0" + octets[12 : (octets[0] & 0xF) * 4]
        octets = octets[:10] + emit_16(compute_checksum(compute_sum(header, 0, len(header)))) + octets[12:]
    return octets


def shorten(octets: bytes, size: int) -> bytes:
    """The first ``size`` octets of the packet, whose header says so."""
    if octets[0] >> 4 == 4:
        return change(octets[:size], 2, emit_16(size))
    return octets[:4] + emit_16(size - 40) + octets[6:size]


def list_packets() -> Iterator[tuple[str, bytes]]:
    """Packets of which each has one fault."""
    four, six = make_packet(0, NOP, NOP), make_packet(1, NOP, NOP)
    for version, octets in ((4, four), (6, six)):
        for size in (0, 1, 19, 20, 21, 39, 40, 41, len(octets) - 1):
            if size < len(octets):
                yield f"IPv{version}, {size} octets of {len(octets)}", octets[:size]
        start = len(octets) - 29
        yield f"IPv{version}, 19 octets of TCP", shorten(octets, start + 19)
        yield f"IPv{version}, wrong TCP checksum", octets[:-1] + bytes((octets[-1] ^ 1,))
        for words in (0, 4, 9, 15):
            yield (
                f"IPv{version}, data offset {words}, checksum as it was",
                octets[: start + 12] + bytes((words << 4,)) + octets[start + 13 :],
            )
    for version in (0, 5, 15):
        yield f"version {version}", change(four, 0, bytes((version << 4 | 5,)))
    yield "IPv4, wrong header checksum", change(four, 10, bytes((four[10] ^ 1,)), mend=False)
    yield "IPv4, header of 16 octets", change(four, 0, b"\x44")
    yield "IPv4, total length 19", change(four, 2, b"\x00\x13")
    yield "IPv4, total length beyond the end", change(four, 2, emit_16(len(four) + 1))
    yield "IPv4, first fragment", change(four, 6, b"\x20\x00")
    yield "IPv4, later fragment", change(four, 6, b"\x00\x01")
    yield "IPv6, payload length beyond the end", change(six, 4, emit_16(len(six) - 39))
    for name, kind, header in (
        ("a fragment", ip.FRAGMENT, bytes((ip.TCP, 0, 0, 1, 0, 0, 0, 0))),
        ("a later fragment", ip.FRAGMENT, bytes((ip.TCP, 0, 0, 8, 0, 0, 0, 0))),
        ("a source route with segments left", ip.ROUTING, bytes((ip.TCP, 0, 0, 1, 0, 0, 0, 0))),
        (
            "hop-by-hop options that do not come first",
            ip.DESTINATION,
            bytes((0, 0)) + bytes(6) + bytes((6, 0)) + bytes(6),
        ),
        ("a destination header longer than the packet", ip.DESTINATION, bytes((ip.TCP, 255)) + bytes(6)),
    ):
        inner = header + six[40:]
        yield f"IPv6, {name}", six[:4] + emit_16(len(inner)) + bytes((kind,)) + six[7:40] + inner
    yield (
        "IPv6, an extension header and no octet of it",
        six[:4] + b"\0\0" + bytes((ip.DESTINATION,)) + six[7:40],
    )


# -- options --------------------------------------------------------------------------------------


def list_lengths() -> Iterator[tuple[str, bytes, int, int]]:
    """Every length that an option of MPTCP can have, for every subtype, on each packet of a handshake."""
    for version in (0, 1):
        for subtype in range(16):
            for length in range(2, OPTION_SPACE + 1):
                first = subtype << 4 | find_nibble(subtype, version, length)
                second = DSS_FLAGS if subtype == dss.DSS else 7
                body = bytes((first, second, *make_octets("body", length)))[: length - 2]
                for flags in FLAGS if subtype in (handshake.CAPABLE, handshake.JOIN) else (ACK,):
                    name = f"subtype {subtype}, {length} octets, version {version}"
                    yield name, bytes((MPTCP_OPTION, length)) + body, flags, version


def find_nibble(subtype: int, version: int, length: int) -> int:
    """What the four bits beside the subtype would be if the length were right."""
    if subtype == handshake.CAPABLE:
        return version
    if subtype == addresses.ADD_ADDR and version == 0:
        return 4 if length < 20 else 6
    return 0


def list_areas() -> Iterator[tuple[str, bytes]]:
    """Option areas that end too soon, and options of TCP whose lengths are wrong."""
    dss = Dss(DataAck(1, False), None).emit()
    for length in (0, 1, 9, 255):
        yield f"a length of {length} behind a DSS", dss + bytes((MPTCP_OPTION, length)) + bytes(6)
    yield "a kind without a length", dss + bytes((MPTCP_OPTION,))
    yield "a DSS cut short", dss[:-1]
    for kind, length in (
        (2, 3),
        (2, 5),
        (3, 2),
        (3, 4),
        (4, 3),
        (5, 2),
        (5, 9),
        (5, 11),
        (8, 9),
        (8, 11),
        (34, 3),
        (34, 20),
    ):
        yield f"kind {kind} of {length} octets", bytes((kind, length)) + make_octets("body", length - 2)
    for flags in range(32):  # of a DSS: A, a, M, m, F and a length that is one short
        size = 4 + (0, 0, 4, 8)[(flags & 1) * 2 + (flags >> 1 & 1)]
        if flags & 4:
            size += 14 if flags & 8 else 10
        octets = bytes((MPTCP_OPTION, size - 1, 0x20, flags)) + make_octets("body", size)
        yield f"DSS with flags {flags:02x}, one octet short", octets[: size - 1]
        octets = bytes((MPTCP_OPTION, size + 1, 0x20, flags)) + make_octets("body", size)
        yield f"DSS with flags {flags:02x}, one octet too many", octets[: size + 1]
