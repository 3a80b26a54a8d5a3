"""How fast captures are told: `mptcp decode --json` on this build beside tshark and scapy, and its memory.

The capture is the traffic of tests/traces again and again, each time on other ports, checksums mended: many
connections of one subflow to four that open, carry some data and close, one after the other. ``python
tests/bench/bench_decode.py`` makes it and prints the table. tshark writes its JSON of
all fields; scapy reads packets and, in a row of its own, turns them into JSON; of scapy's time what it takes
to start is left out, and it gets the first packets alone. All run one after the other in this one run, each
in a process of its own, their output to nowhere. What counts is processor time, which says the same on a
machine that has other things to do.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from struct import pack, unpack_from

from figures import Figure, Table, present

from mptcp_model.decoding.captures import read_frames
from mptcp_model.decoding.conversation import Conversation
from mptcp_model.decoding.sights import look

TRACES = Path(__file__).parent.parent / "traces"
SIZE = 100_000_000  # octets
SOME = 10_000  # packets for scapy
SHARE = 3  # the part of the file for the second look at memory
PORTS = range(1_024, 65_536)
SERVERS = frozenset((4433,))
TSHARK, SCAPY_JSON = "tshark -T json", "scapy, packets read and as JSON"
GOALS = {TSHARK: 3.0, SCAPY_JSON: 30.0}  # how many times as fast as these it should be


def add_port(frame: bytearray, start: int, at: int, turn: int) -> None:
    """Another port in place of the one at ``at``, unless a server's; the TCP checksum as RFC 1624 has it."""
    old = int.from_bytes(frame[at : at + 2], "big")
    if old in SERVERS:
        return
    new = PORTS[(old + turn * 7 - PORTS.start) % len(PORTS)]
    frame[at : at + 2] = new.to_bytes(2, "big")
    total = (~int.from_bytes(frame[start + 16 : start + 18], "big") & 0xFFFF) + (~old & 0xFFFF) + new
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    frame[start + 16 : start + 18] = (~total & 0xFFFF).to_bytes(2, "big")


def read_trace(path: Path) -> list[tuple[bytes, bytes]]:
    """Record headers and frames of a little-endian pcap file of Ethernet; none if it is another."""
    octets = path.read_bytes()
    if octets[:4] != b"\xd4\xc3\xb2\xa1" or octets[20:24] != pack("<I", 1):
        return []
    records, at = [], 24
    while at < len(octets):
        (length,) = unpack_from("<I", octets, at + 8)
        records.append((octets[at : at + 16], octets[at + 16 : at + 16 + length]))
        at += 16 + length
    return records


def is_closed(path: Path) -> bool:
    """Whether all that is opened in a capture is closed there."""
    conversation = Conversation()
    with path.open("rb") as stream:
        for _ in look(read_frames(stream), conversation):
            pass
    return all(place.subflow.closed for place in conversation.flows.values())


def make_capture(path: Path, size: int) -> int:
    """Write a capture of at least ``size`` octets; how many packets it has."""
    traces = [read_trace(one) for one in sorted(TRACES.glob("*.pcap")) if is_closed(one)]
    packets = written = turn = 0
    with path.open("wb") as sink:
        sink.write(pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1))
        while written < size:
            for records in traces:
                for head, octets in records:
                    frame = bytearray(octets)
                    start = 34 if frame[12:14] == b"\x08\x00" else 54
                    add_port(frame, start, start, turn)
                    add_port(frame, start, start + 2, turn)
                    sink.write(head + frame)
                    written += 16 + len(frame)
                    packets += 1
                if written >= size:
                    break
            turn += 1
    return packets


DECODE = """
import resource, sys
from mptcp_stack.command import run
status = run(["decode", "--json", sys.argv[1]])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""
SCAPY = """
import sys
from itertools import islice
from scapy.layers.l2 import Ether
from scapy.layers.inet import TCP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapReader
for packet in islice(PcapReader(sys.argv[1]), int(sys.argv[2])):
    if len(sys.argv) > 3:
        print(packet.json())
"""


def spend(*command: str, **environment: str) -> tuple[float, int]:
    """Seconds of processor time of a process whose output goes nowhere; the last number that it says."""
    began = os.times()
    ended = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | environment, check=True
    )
    spent = os.times()
    seconds = spent.children_user + spent.children_system - began.children_user - began.children_system
    words = ended.stderr.split()
    return seconds, int(words[-1]) if words and words[-1].isdigit() else 0


def clock_all(path: Path, packets: int, short: Path) -> tuple[float, dict[str, float], list[int]]:
    """Microseconds of processor time for a packet, ours and each contender's; our memory, KB, for the short
    file and for the whole.
    """
    python = (sys.executable, "-c")
    seconds, whole = spend(*python, DECODE, str(path))
    _, part = spend(*python, DECODE, str(short))
    others = {}
    if shutil.which("tshark") is not None:
        others[TSHARK] = spend("tshark", "-r", str(path), "-T", "json")[0] / packets * 1e6
    starting, _ = spend(*python, SCAPY, str(path), "0")
    for name, extra in (("scapy, packets read", ()), (SCAPY_JSON, ("json",))):
        spent, _ = spend(*python, SCAPY, str(path), str(SOME), *extra)
        others[name] = (spent - starting) / SOME * 1e6
    return seconds / packets * 1e6, others, [part, whole]


def measure() -> Table:
    """Make the captures and tell them."""
    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder, "long.pcap"), Path(folder, "short.pcap")
        packets = make_capture(path, SIZE)
        make_capture(short, SIZE // SHARE)
        ours, others, (part, whole) = clock_all(path, packets, short)
    table = Table(f"mptcp decode --json, a capture of {SIZE / 1e6:g} MB: processor time for each packet")
    table.figures = [
        Figure("decode", ours, "µs", name, theirs, goal_ratio=GOALS.get(name))
        for name, theirs in others.items()
    ]
    table.figures.append(Figure("largest memory", whole / 1e3, "MB", "for a third of the file", part / 1e3))
    if shutil.which("tshark") is None:
        table.remarks.append("tshark is not installed: skipped")
    return table


if __name__ == "__main__":
    present(measure)
