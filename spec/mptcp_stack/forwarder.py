"""A wire with faults: a small program that carries packets between two file descriptors.

    python -m mptcp_stack.forwarder FD FD --seed 7        # descriptors that keep packets apart: TUN, sockets

It is told on standard input what the wire is like, a line of JSON for each change, and answers each on
standard output with what became of the packets so far. It ends when its standard input does.

    {"ways": [0, 1], "line": {"rate": 25000000, "delay": 25000, "loss": 0.01}}
    {"hold": true}          # from now on nothing comes out, until {"hold": false}

Way 0 leads from the first descriptor to the second. What chance does is the same for the same seed.

Nothing but the standard library: it runs by its path alone, and starts quickly.
"""

import argparse
import contextlib
import dataclasses
import heapq
import json
import os
import random
import select
import signal
import struct
import sys
import time
from typing import Any, Final, final

LARGEST_PACKET: Final = 65_600  # octets that one read may bring
BURST: Final = 64  # packets taken from one side before the other has its turn
ICMP_TOO_BIG: Final = (3, 4)
ICMPV6_TOO_BIG: Final = (2, 0)
MOST_QUOTED: Final = {4: 548, 6: 1_232}  # octets of the packet that ICMP sends back: RFC 1812, RFC 4443
PROTOCOL_TCP: Final = 6
END_OF_OPTIONS, NO_OPERATION, MPTCP_OPTION = 0, 1, 30  # kinds of TCP options


@dataclasses.dataclass(frozen=True)
class Line:
    """What one direction of a wire is like; the defaults are a perfect one.

    rate            bit/s; 0 means without limit
    delay           µs from the last bit sent to its arrival
    jitter          µs: up to so much longer, by chance; packets may overtake each other
    loss            probability, 0 … 1
    reorder         probability that a packet takes ``reorder_delay`` longer
    reorder_delay   µs
    duplicate       probability that a packet arrives twice
    queue           packets that may wait for the line if it has a rate; more are dropped at the tail
    mtu             octets of the longest packet carried; 0: any
    icmp            whether the sender of a longer one is told
    is_up           whether it carries anything
    alter           packets with text, by their number from 1 as they come by, in which one bit of the text is
                    changed, so that TCP's checksum still holds
    refuse          subtypes of MPTCP's option whose packets are lost
    """

    rate: int = 0
    delay: int = 0
    jitter: int = 0
    loss: float = 0.0
    reorder: float = 0.0
    reorder_delay: int = 3_000
    duplicate: float = 0.0
    queue: int = 1_000
    mtu: int = 0
    icmp: bool = True
    is_up: bool = True
    alter: tuple[int, ...] = ()
    refuse: tuple[int, ...] = ()


COUNTS: Final = (
    "packets", "texts", "octets", "lost", "overflowed", "oversized", "reordered", "duplicated", "altered",
    "refused", "longest", "waiting",
)  # fmt: skip


PERFECT: Final = Line()


@final
class Way:
    """One direction, from a descriptor to another. Times are µs."""

    def __init__(self, source: int, target: int, seed: str) -> None:
        self.source: Final = source
        self.target: Final = target
        self.line = PERFECT
        self.held = False
        self.stuck = False  # the target takes no more at the moment
        self.counts: Final = dict.fromkeys(COUNTS, 0)
        self._chance: Final = random.Random(seed)
        self._ahead: list[tuple[int, int, bytes]] = []  # due, number, packet: a heap
        self._leaving: list[int] = []  # when those that wait for the line will have left it: a heap
        self._free_at = 0
        self._number = 0

    def take(self, packet: bytes, now: int) -> None:
        """A packet has come in."""
        line, counts, roll = self.line, self.counts, self._chance.random
        counts["packets"] += 1
        counts["octets"] += len(packet)
        counts["longest"] = max(counts["longest"], len(packet))
        # drawn whatever happens: a change of one kind of misfortune leaves the others where they were
        lost, late, twice, jitter = roll(), roll(), roll(), roll()
        if not line.is_up or lost < line.loss:
            counts["lost"] += 1
            return
        if line.mtu and len(packet) > line.mtu:
            self._refuse(packet)
            return
        if line.refuse and find_subtypes(packet) & set(line.refuse):
            counts["refused"] += 1
            return
        start = find_text(packet)
        if start is not None:
            counts["texts"] += 1
            if counts["texts"] in line.alter:
                counts["altered"] += 1
                packet = falsify(packet, start)
        due = now + line.delay
        if line.rate:
            if not self._find_room(now):
                counts["overflowed"] += 1
                return
            self._free_at = max(now, self._free_at) + len(packet) * 8_000_000 // line.rate
            heapq.heappush(self._leaving, self._free_at)
            due = self._free_at + line.delay
        if line.jitter:
            due += int(jitter * line.jitter)
        if late < line.reorder:
            counts["reordered"] += 1
            due += line.reorder_delay
        self._put(due, packet)
        if twice < line.duplicate:
            counts["duplicated"] += 1
            self._put(due, packet)

    def _put(self, due: int, packet: bytes) -> None:
        self._number += 1
        heapq.heappush(self._ahead, (due, self._number, packet))

    def _find_room(self, now: int) -> bool:
        """Whether one more may wait for the line."""
        while self._leaving and self._leaving[0] <= now:
            heapq.heappop(self._leaving)
        return len(self._leaving) < self.line.queue

    def _refuse(self, packet: bytes) -> None:
        """A packet is too long; its sender may be told."""
        self.counts["oversized"] += 1
        if self.line.icmp:
            write(self.source, make_too_big(packet, self.line.mtu))

    def put_out(self, now: int) -> None:
        """Hand over what is due."""
        ahead = self._ahead
        self.stuck = False
        while ahead and ahead[0][0] <= now and not self.held:
            if not write(self.target, ahead[0][2]):
                self.stuck = True
                return
            heapq.heappop(ahead)

    def find_due(self) -> int | None:
        """When the next packet is to be handed over, if time alone is to pass."""
        return self._ahead[0][0] if self._ahead and not self.held and not self.stuck else None

    def report(self) -> dict[str, int]:
        """What became of the packets so far."""
        self.counts["waiting"] = len(self._ahead)
        return self.counts


def write(descriptor: int, packet: bytes) -> bool:
    """Write a packet; False if there is no room now. One that is refused for itself is lost, as on a wire."""
    try:
        os.write(descriptor, packet)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


# -- octets ---------------------------------------------------------------------------------------------


def compute_checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    octets += bytes(len(octets) % 2)
    words: tuple[int, ...] = struct.unpack(f"!{len(octets) // 2}H", octets)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def make_too_big(packet: bytes, mtu: int) -> bytes:
    """What a router on the way says about a packet, in the name of the one that it was for."""
    version = packet[0] >> 4
    quoted = packet[: MOST_QUOTED[version]]
    if version == 4:
        icmp = struct.pack("!BBHHH", *ICMP_TOO_BIG, 0, 0, mtu) + quoted
        icmp = icmp[:2] + struct.pack("!H", compute_checksum(icmp)) + icmp[4:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0)
        head += packet[16:20] + packet[12:16]
        return head[:10] + struct.pack("!H", compute_checksum(head)) + head[12:] + icmp
    source, target = packet[24:40], packet[8:24]
    icmp = struct.pack("!BBHI", *ICMPV6_TOO_BIG, 0, mtu) + quoted
    pseudo = source + target + struct.pack("!II", len(icmp), 58)
    icmp = icmp[:2] + struct.pack("!H", compute_checksum(pseudo + icmp)) + icmp[4:]
    return struct.pack("!IHBB", 6 << 28, len(icmp), 58, 64) + source + target + icmp


def find_segment(packet: bytes) -> tuple[int, int] | None:
    """Where a TCP segment begins in a packet, and where its text would; None if there is none."""
    if len(packet) < 40:
        return None
    start, protocol = ((packet[0] & 15) * 4, packet[9]) if packet[0] >> 4 == 4 else (40, packet[6])
    if protocol != PROTOCOL_TCP or len(packet) < start + 20:
        return None
    return start, start + (packet[start + 12] >> 4) * 4


def find_text(packet: bytes) -> int | None:
    """Where the text of a TCP segment begins; None if it has none."""
    segment = find_segment(packet)
    return segment[1] if segment is not None and segment[1] < len(packet) else None


def find_subtypes(packet: bytes) -> set[int]:
    """The subtypes of the MPTCP options in a packet (RFC 8684 §3)."""
    subtypes: set[int] = set()
    segment = find_segment(packet)
    at, end = (segment[0] + 20, min(segment[1], len(packet))) if segment is not None else (0, 0)
    while at < end and packet[at] != END_OF_OPTIONS:
        if packet[at] == NO_OPERATION:
            at += 1
            continue
        if at + 2 >= end or packet[at + 1] < 2:
            break
        if packet[at] == MPTCP_OPTION:
            subtypes.add(packet[at + 2] >> 4)
        at += packet[at + 1]
    return subtypes


def falsify(packet: bytes, start: int) -> bytes:
    """The packet with one bit of its text changed, and TCP's checksum with it (RFC 1624)."""
    head = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    altered = bytearray(packet)
    altered[start] ^= 1  # the upper half of a 16-bit word: the text begins at a multiple of four
    checksum = int.from_bytes(packet[head + 16 : head + 18], "big")
    total = (~checksum & 0xFFFF) + (~(packet[start] << 8) & 0xFFFF) + (altered[start] << 8)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    altered[head + 16 : head + 18] = struct.pack("!H", ~total & 0xFFFF)
    return bytes(altered)


# -- the program ----------------------------------------------------------------------------------------


def read_clock() -> int:
    """The time, µs."""
    return time.monotonic_ns() // 1_000


@final
class Forwarder:
    """Both ways, and what is said about them."""

    def __init__(self, first: int, second: int, seed: str) -> None:
        for descriptor in (first, second):
            os.set_blocking(descriptor, False)
        self.ways: Final = (Way(first, second, f"{seed}/0"), Way(second, first, f"{seed}/1"))
        self._words = b""

    def run(self) -> None:
        """Carry packets until there is nobody left to do it for."""
        control = sys.stdin.fileno()
        sources = {way.source: way for way in self.ways}
        while True:
            now = read_clock()
            moments = [due for way in sources.values() if (due := way.find_due()) is not None]
            wait = max(0, min(moments) - now) / 1_000_000 if moments else None
            full = [way.target for way in sources.values() if way.stuck]
            ready, _, _ = select.select([control, *sources], full, [], wait)
            for descriptor in ready:
                if descriptor in sources:
                    if not self.fetch(sources[descriptor]):
                        sources.clear()  # an end is no more: nothing passes, but we can be asked
                        break
                elif not self.listen(control):
                    return
            now = read_clock()
            for way in sources.values():
                way.put_out(now)

    def fetch(self, way: Way) -> bool:
        """Take what came in on one side; False when that side is no more."""
        now = read_clock()
        for _ in range(BURST):
            try:
                packet = os.read(way.source, LARGEST_PACKET)
            except BlockingIOError:
                break
            except OSError:
                return False
            if not packet:
                return False
            way.take(packet, now)
        return True

    def listen(self, control: int) -> bool:
        """Hear what is to change, and answer; False when nobody speaks any more."""
        octets = os.read(control, 65_536)
        if not octets:
            return False
        *lines, self._words = (self._words + octets).split(b"\n")
        for line in lines:
            self.change(json.loads(line))
            print(json.dumps([way.report() for way in self.ways]), flush=True)
        return True

    def change(self, order: dict[str, Any]) -> None:
        """One order."""
        for number in order.get("ways", (0, 1)):
            way = self.ways[number]
            way.line = dataclasses.replace(way.line, **order.get("line", {}))
            way.held = order.get("hold", way.held)


def main(arguments: list[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="forwarder", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("descriptors", nargs=2, type=int, metavar="FD")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs on the wire
    first, second = options.descriptors
    with contextlib.suppress(BrokenPipeError):  # nobody hears our answer
        Forwarder(first, second, options.seed).run()


if __name__ == "__main__":
    main(sys.argv[1:])
