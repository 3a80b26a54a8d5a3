"""How fast octets become values: our parse on this build beside the interpreted build, dpkt and scapy.

One packet: IPv4, a segment with 1,400 octets of text, timestamps and a DSS (8-octet Data ACK and DSN,
one with its highest bit set and one without), laid out as by Linux. ``python
tests/bench/bench_parse.py`` prints the table. The ratios are the point: all contenders run in turns,
in bursts of milliseconds, and of each the fastest burst counts, so that what else the machine does
disturbs no one's share.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import mptcp
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.checksum import compute_sum
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import NOP, Timestamps

Row = tuple[str, float, float]
"""A contender, its nanoseconds per packet, and how many times longer it takes than we do."""

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


def clock_interpreted() -> dict[str, float]:
    """Our own on the interpreted build, in a process of its own."""
    environment = dict(os.environ, MPTCP_PURE="1")
    command = [sys.executable, __file__, "--only-us"]
    return dict(json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout))


def measure() -> list[Row]:
    """All rows: contender, ns per packet, ratio to our parse without checksum on this build."""
    packet = make_packet()
    spent = clock(make_ours(packet) | make_theirs(packet))
    pure = clock_interpreted()
    build = mptcp.build()
    rows = [
        (f"mptcp, {build}", spent["trusted"] / 100),
        (f"mptcp, {build}, TCP checksum verified", spent["verified"] / 100),
        ("mptcp, interpreted", pure["trusted"] / 100),
        ("mptcp, interpreted, TCP checksum verified", pure["verified"] / 100),
        ("dpkt", spent["dpkt"] / 10),
        ("scapy", spent["scapy"]),
        (f"Internet checksum of 64 KB, {build}", spent["sum"]),
        ("Internet checksum of 64 KB, interpreted", pure["sum"]),
    ]
    return [(name, nanoseconds, nanoseconds / rows[0][1]) for name, nanoseconds in rows]


def main() -> None:
    """Print the table, or with --only-us this build's numbers as JSON."""
    if "--only-us" in sys.argv:
        print(json.dumps(clock(make_ours(make_packet()), SPAN / 2)))
        return
    print("Parse one packet with 1,400 octets of text, timestamps and DSS into values")
    print(f"{'':44}{'ns':>12}{'ratio':>8}")
    for name, nanoseconds, ratio in measure():
        print(f"{name:44}{nanoseconds:12,.0f}{ratio:8.1f}")


if __name__ == "__main__":
    main()
