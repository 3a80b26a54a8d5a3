"""How fast captures are told: `mptcp decode --json` on this build beside tshark and scapy, and its memory.

The capture is the traffic of tests/traces again and again, each time on other ports, checksums mended: many
connections of one subflow to four that open, carry some data and close, one after the other. ``python
tests/bench/bench_decode.py [MEGABYTES]`` makes it (100 MB) and prints the table. tshark writes its JSON of
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

import mptcp
from mptcp_model.decoding.captures import read_frames
from mptcp_model.decoding.conversation import Conversation
from mptcp_model.decoding.sights import look

TRACES = Path(__file__).parent.parent / "traces"
SOME = 10_000  # packets for scapy
SHARE = 3  # the part of the file for the second look at memory
PORTS = range(1_024, 65_536)
SERVERS = frozenset((4433,))


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


def measure(path: Path, packets: int, short: Path) -> tuple[list[tuple[str, float]], list[int]]:
    """Microseconds of processor time that each contender takes for a packet, ours first; our memory, KB,
    for the short file and for the whole.
    """
    python = (sys.executable, "-c")
    seconds, whole = spend(*python, DECODE, str(path))
    _, part = spend(*python, DECODE, str(short))
    rows = [(f"mptcp decode --json, {mptcp.build()}", seconds / packets)]
    if shutil.which("tshark") is not None:
        rows.append(("tshark -T json", spend("tshark", "-r", str(path), "-T", "json")[0] / packets))
    starting, _ = spend(*python, SCAPY, str(path), "0")
    for name, extra in (("scapy, packets read", ()), ("scapy, packets read and as JSON", ("json",))):
        seconds, _ = spend(*python, SCAPY, str(path), str(SOME), *extra)
        rows.append((name, (seconds - starting) / SOME))
    return [(name, seconds * 1e6) for name, seconds in rows], [part, whole]


def main() -> None:
    """Make the captures, print the table."""
    size = int(sys.argv[1]) * 1_000_000 if len(sys.argv) > 1 else 100_000_000
    with tempfile.TemporaryDirectory() as folder:
        path, short = Path(folder, "long.pcap"), Path(folder, "short.pcap")
        packets = make_capture(path, size)
        make_capture(short, size // SHARE)
        print(f"A capture of {size / 1e6:g} MB, {packets:,} packets: processor time for each")
        rows, (part, whole) = measure(path, packets, short)
    print(f"{'':44}{'µs':>12}{'ratio':>8}")
    for name, micros in rows:
        print(f"{name:44}{micros:12.1f}{micros / rows[0][1]:8.1f}")
    if shutil.which("tshark") is None:
        print("tshark is not installed: skipped")
    print(
        f"Largest memory of mptcp decode: {whole / 1e3:.1f} MB; for a third of the file {part / 1e3:.1f} MB"
    )


if __name__ == "__main__":
    main()
