"""How fast octets become values: our parse on this build beside the interpreted build, dpkt and scapy.

One packet: IPv4, a segment with 1,400 octets of text, timestamps and a DSS (8-octet Data ACK, 8-octet
DSN), as Linux lays them out. ``python tests/bench/bench_parse.py`` prints the table; the ratios
are the point, since all rows come from one run on one machine.
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

SPAN = 0.15  # seconds that one contender is given per round
ROUNDS = 5  # the best one counts: what disturbs only makes slower


def make_packet() -> bytes:
    """The packet that everybody parses."""
    dss = Dss(DataAck(0x9AC0_C6C2_9EF6_1A06, True), Mapping(0xE3DB_22C6_785A_0D58, True, 19, 1400, None, False))
    options = (NOP, NOP, Timestamps(0x8123_4567, 0x1234_5678), dss, NOP, NOP)
    text = (Text(bytes(range(200)) * 7, 0, 1400),)
    made = segment.Segment(
        b"\x0a\0\0\1", b"\x0a\0\0\2", 443, 50_000, 3_000_000_000, 7, segment.ACK, 500, 0, options, text
    )
    return segment.emit(made, identification=1).octets()


def clock(call: Callable[[], object], many: int = 1) -> float:
    """Nanoseconds of one of the ``many`` things that ``call`` does; the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        times, spent = 0, 0.0
        while spent < SPAN:
            start = time.perf_counter()
            call()
            spent += time.perf_counter() - start
            times += many
        best = min(best, spent / times)
    return best * 1e9


def parse_trusted(packet: bytes) -> segment.Segment:
    """What a host does when the device has verified the checksum."""
    return segment.parse(packet, ip.parse(packet), True)


def clock_us(packet: bytes) -> dict[str, float]:
    """Nanoseconds per packet on this build, without and with the TCP checksum; GB/s of the sum."""
    parse_ip, parse_tcp = ip.parse, segment.parse
    some = range(1000)

    def trusted() -> None:
        for _ in some:
            parse_tcp(packet, parse_ip(packet), True)

    def verified() -> None:
        for _ in some:
            parse_tcp(packet, parse_ip(packet))

    large = bytes(65_536)
    nanoseconds = clock(lambda: [compute_sum(large, 0, 65_536) for _ in range(50)], 50)
    return {"trusted": clock(trusted, 1000), "verified": clock(verified, 1000), "sum": 65_536 / nanoseconds}


def clock_interpreted() -> dict[str, float]:
    """The same on the interpreted build, in a process of its own."""
    environment = dict(os.environ, MPTCP_PURE="1")
    command = [sys.executable, __file__, "--only-us"]
    return dict(json.loads(subprocess.run(command, env=environment, capture_output=True, check=True).stdout))


def measure() -> list[Row]:
    """All rows: contender, ns per packet, ratio to our parse without checksum on this build."""
    import dpkt
    from scapy.layers.inet import IP

    packet = make_packet()

    def parse_dpkt() -> object:
        one = dpkt.ip.IP(packet)
        return dpkt.tcp.parse_opts(one.data.opts)

    us = clock_us(packet)
    interpreted = clock_interpreted()
    build = mptcp.build()
    named = [
        (f"mptcp, {build}", us["trusted"]),
        (f"mptcp, {build}, TCP checksum verified", us["verified"]),
        ("mptcp, interpreted", interpreted["trusted"]),
        ("mptcp, interpreted, TCP checksum verified", interpreted["verified"]),
        ("dpkt", clock(parse_dpkt)),
        ("scapy", clock(lambda: IP(packet))),
    ]
    return [(name, spent, spent / us["trusted"]) for name, spent in named]


def main() -> None:
    """Print the table, or with --only-us this build's numbers as JSON."""
    if "--only-us" in sys.argv:
        print(json.dumps(clock_us(make_packet())))
        return
    print("Parse one packet of 1,400 octets of text, timestamps, DSS, into values")
    print(f"{'':44}{'ns':>10}{'ratio':>8}")
    for name, nanoseconds, ratio in measure():
        print(f"{name:44}{nanoseconds:10,.0f}{ratio:8.1f}")


if __name__ == "__main__":
    main()
