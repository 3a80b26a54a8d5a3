"""How fast octets become values and values octets: on this build, the interpreted build, in dpkt and scapy.

One packet: IPv4, a segment with 1,400 octets of text, timestamps and a DSS (8-octet Data ACK and DSN,
one with its highest bit set and one without), laid out as by Linux. ``python
tests/bench/bench_parse.py`` prints the table. The ratios are the point: all contenders run in turns,
in bursts of milliseconds, and of each the fastest burst counts, so that what else the machine does
disturbs no one's share.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable

from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.checksum import compute_sum
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import NOP, Timestamps

BURST = 0.003  # seconds
SPAN = 4.0  # seconds for all contenders together
GOALS = {"parse": 150, "build": 150}  # ns


def make_segment() -> segment.Segment:
    """What everybody builds and parses."""
    mapping = Mapping(0x0080_A375_8BF3_6E86, True, 19, 1400, None, False)
    dss = Dss(DataAck(0x9AC0_C6C2_9EF6_1A06, True), mapping)
    options = (NOP, NOP, Timestamps(0x8123_4567, 0x1234_5678), dss, NOP, NOP)
    text = (Text(bytes(range(200)) * 7, 0, 1400),)
    return segment.Segment(
        b"\x0a\0\0\1", b"\x0a\0\0\2", 443, 50_000, 3_000_000_000, 7, segment.ACK, 500, 0, options, text
    )


def clock(contenders: dict[str, Callable[[], object]], span: float = SPAN) -> dict[str, float]:
    """Nanoseconds that one call of each contender takes in its fastest burst."""
    many = {}
    for name, call in contenders.items():
        start = time.perf_counter()
        call()
        many[name] = max(1, int(BURST / (time.perf_counter() - start)))
    best = dict.fromkeys(contenders, float("inf"))
    end = time.perf_counter() + span
    while time.perf_counter() < end:
        for name, call in contenders.items():
            some = range(many[name])
            start = time.perf_counter()
            for _ in some:
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / many[name])
    return {name: seconds * 1e9 for name, seconds in best.items()}


def make_ours(made: segment.Segment) -> dict[str, Callable[[], object]]:
    """Parse and build, each with and without the TCP checksum, which a device can see to; the sum of 64 KB.

    A hundred at a time, called by ``map``: a loop of Python would cost a good part of what it calls.
    """
    packet, large = segment.emit(made, 64, 1).octets(), bytes(65_536)
    packets, segments = [packet] * 100, [made] * 100
    hops, sizes, trusted = [64] * 100, [1_400] * 100, [True] * 100

    def consume(calls: Iterable[object]) -> None:
        deque(calls, maxlen=0)

    return {
        "parse": lambda: consume(map(segment.parse, packets, map(ip.parse, packets), trusted)),
        "parse and verify": lambda: consume(map(segment.parse, packets, map(ip.parse, packets))),
        "build": lambda: consume(map(segment.emit, segments, hops, hops, sizes)),
        "build and sum": lambda: consume(map(segment.emit, segments, hops)),
        "sum": lambda: compute_sum(large, 0, 65_536),
    }


def make_theirs(made: segment.Segment) -> dict[str, Callable[[], object]]:
    """The same by others, options included; scapy decodes a packet's options while it builds it."""
    import dpkt
    from scapy.layers.inet import IP

    parse_dpkt, parse_options = dpkt.ip.IP, dpkt.tcp.parse_opts
    packet = segment.emit(made, 64, 1).octets()
    ten = range(10)

    def by_dpkt() -> None:
        for _ in ten:
            parse_options(parse_dpkt(packet).data.opts)

    def by_scapy() -> None:
        IP(packet)

    return {"dpkt": by_dpkt, "scapy": by_scapy}


def clock_us() -> dict[str, float]:
    """Ours alone."""
    return clock(make_ours(make_segment()), SPAN / 2)


def measure() -> Table:
    """Ours beside all others'."""
    made = make_segment()
    spent = clock(make_ours(made) | make_theirs(made))
    table = Table("One packet with 1,400 octets of text, timestamps and DSS: into values and back")
    pure = ask_interpreted(__file__) if mptcp.build() == "compiled" else {}
    for name, key, count, others in (
        ("parse", "parse", 100, {"dpkt": 10, "scapy": 1}),
        ("parse, TCP checksum verified", "parse and verify", 100, {}),
        ("build, the device sums", "build", 100, {}),
        ("build, TCP checksum summed", "build and sum", 100, {}),
        ("Internet checksum of 64 KB", "sum", 1, {}),
    ):
        ours = spent[key] / count
        if key in GOALS:
            table.figures.append(Figure(name, ours, "ns", goal=GOALS[key]))
        if pure:
            table.figures.append(Figure(name, ours, "ns", "interpreted", pure[key] / count))
        for other, at_once in others.items():
            table.figures.append(Figure(name, ours, "ns", other, spent[other] / at_once))
    return table


if __name__ == "__main__":
    present(measure, clock_us)
