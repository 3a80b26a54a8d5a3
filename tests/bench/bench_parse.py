"""How fast octets become values: our parse on this build beside the interpreted build, dpkt and scapy.

One packet: IPv4, a segment with 1,400 octets of text, timestamps and a DSS (8-octet Data ACK and DSN,
one with its highest bit set and one without), laid out as by Linux. ``python
tests/bench/bench_parse.py`` prints the table. The ratios are the point: all contenders run in turns,
in bursts of milliseconds, and of each the fastest burst counts, so that what else the machine does
disturbs no one's share.
"""

import time
from collections.abc import Callable

from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.checksum import compute_sum
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import NOP, Timestamps

BURST = 0.003  # seconds
SPAN = 4.0  # seconds for all contenders together


def make_packet() -> bytes:
    """The packet that everybody parses."""
    mapping = Mapping(0x0080_A375_8BF3_6E86, True, 19, 1400, None, False)
    dss = Dss(DataAck(0x9AC0_C6C2_9EF6_1A06, True), mapping)
    options = (NOP, NOP, Timestamps(0x8123_4567, 0x1234_5678), dss, NOP, NOP)
    text = (Text(bytes(range(200)) * 7, 0, 1400),)
    made = segment.Segment(
        b"\x0a\0\0\1", b"\x0a\0\0\2", 443, 50_000, 3_000_000_000, 7, segment.ACK, 500, 0, options, text
    )
    return segment.emit(made, identification=1).octets()


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


def make_ours(packet: bytes) -> dict[str, Callable[[], object]]:
    """Parse with and without the TCP checksum; the sum of 64 KB. A hundred at a time, in a loop like
    that of a host: calling through a closure would cost as much as the parse.
    """
    parse_ip, parse_tcp = ip.parse, segment.parse
    large, hundred = bytes(65_536), range(100)

    def trusted() -> None:
        for _ in hundred:
            parse_tcp(packet, parse_ip(packet), True)

    def verified() -> None:
        for _ in hundred:
            parse_tcp(packet, parse_ip(packet))

    return {"trusted": trusted, "verified": verified, "sum": lambda: compute_sum(large, 0, 65_536)}


def make_theirs(packet: bytes) -> dict[str, Callable[[], object]]:
    """The same by others, options included; scapy decodes a packet's options while it builds it."""
    import dpkt
    from scapy.layers.inet import IP

    parse_dpkt, parse_options = dpkt.ip.IP, dpkt.tcp.parse_opts
    ten = range(10)

    def by_dpkt() -> None:
        for _ in ten:
            parse_options(parse_dpkt(packet).data.opts)

    def by_scapy() -> None:
        IP(packet)

    return {"dpkt": by_dpkt, "scapy": by_scapy}


def clock_us() -> dict[str, float]:
    """Ours alone."""
    return clock(make_ours(make_packet()), SPAN / 2)


def measure() -> Table:
    """Our parse beside all others'."""
    packet = make_packet()
    spent = clock(make_ours(packet) | make_theirs(packet))
    table = Table("Parse one packet with 1,400 octets of text, timestamps and DSS into values")
    others = [("dpkt", spent["dpkt"] / 10), ("scapy", spent["scapy"])]
    pure = ask_interpreted(__file__) if mptcp.build() == "compiled" else {}
    if pure:
        others.insert(0, ("interpreted", pure["trusted"] / 100))
    table.figures = [Figure("parse", spent["trusted"] / 100, "ns", *other) for other in others]
    for name, key, count in (
        ("parse, TCP checksum verified", "verified", 100),
        ("Internet checksum of 64 KB", "sum", 1),
    ):
        other = ("interpreted", pure[key] / count) if pure else ()
        table.figures.append(Figure(name, spent[key] / count, "ns", *other))
    return table


if __name__ == "__main__":
    present(measure, clock_us)
