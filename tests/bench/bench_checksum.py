"""How fast the checksum of a mapping is: 64 KB of text on this build, beside what else reads 64 KB.

``python tests/bench/bench_checksum.py`` prints the table. A copy reads the octets and writes them, and
numpy adds up words of 32 bits in vector registers: no checksum can be much faster. The Internet checksum
in its plain words, and as one large number modulo 65535, are what Python gives without care.
"""

from collections.abc import Callable

from bench_parse import clock
from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp.keys import compute_dss_checksum
from mptcp.values import Text
from mptcp.wire.checksum import checksum_by_the_book

SIZE = 65_535  # octets: the longest mapping
TEXT = bytes(range(255)) * 257


def make_ours() -> dict[str, Callable[[], object]]:
    """The checksum of a mapping, with its pseudo-header."""
    text = (Text(TEXT, 0, SIZE),)
    return {"mapping": lambda: compute_dss_checksum(1 << 63, 1, SIZE, text)}


def make_theirs() -> dict[str, Callable[[], object]]:
    """Others that read the same octets."""
    room = bytearray(SIZE)

    def copy() -> None:
        room[:] = TEXT

    others: dict[str, Callable[[], object]] = {
        "one copy of the octets": copy,
        "one large number modulo 65535": lambda: int.from_bytes(TEXT, "big") % 65_535,
        "RFC 1071 by the book": lambda: checksum_by_the_book(TEXT),
    }
    try:
        import numpy
    except ImportError:
        return others
    even = TEXT + b"\0"
    others["numpy, words of 32 bits"] = lambda: int(numpy.frombuffer(even, ">u4").sum(dtype=numpy.uint64))
    others["numpy, in the machine's own order"] = lambda: int(
        numpy.frombuffer(even, "=u4").sum(dtype=numpy.uint64)
    )
    return others


def clock_us() -> dict[str, float]:
    """Ours alone."""
    return clock(make_ours(), 1.0)


def measure() -> Table:
    """Ours beside all others."""
    spent = clock(make_ours() | make_theirs())
    ours = spent.pop("mapping")
    if mptcp.build() == "compiled":
        spent = {"interpreted": ask_interpreted(__file__)["mapping"], **spent}
    figures = [Figure("checksum", SIZE / ours, "GB/s", name, SIZE / theirs) for name, theirs in spent.items()]
    return Table("Checksum of a mapping of 65,535 octets", figures)


if __name__ == "__main__":
    present(measure, clock_us)
