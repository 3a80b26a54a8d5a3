"""One direction of a wire: rate, delay, loss, queue, congestion marks, reordering, duplication.

A link is told what is sent and returns what will arrive and when; it keeps no reference to either
end. Three numbers are drawn for each packet, whatever happens to it, so that a change of one
setting leaves the other kinds of misfortune where they were.
"""

from dataclasses import dataclass
from random import Random
from typing import Self

from mptcp.values import Micros
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.ip import parse
from mptcp.wire.octets import emit_16
from mptcp.wire.segment import CE, NOT_ECT
from mptcp_model.state import State


@dataclass(frozen=True)
class Line:
    """What a link is like; the defaults are a perfect wire.

    rate             bit/s; 0 means without limit
    delay            µs from the last bit sent to its arrival
    loss             probability, 0 … 1
    lose             packets lost by their number: the first that the link is given is 1
    queue            octets that may wait for the line; more are dropped at the tail; 0: no limit
    queue_packets    the same in packets
    mark             octets that wait for the line from which on packets that may be are marked
                     (RFC 3168 §5) instead of lost; 0: none is
    reorder          probability that a packet takes ``reorder_delay`` longer
    reorder_delay    µs
    duplicate        probability that a packet arrives twice
    mtu              octets of the longest packet carried
    """

    rate: int = 0
    delay: Micros = 0
    loss: float = 0.0
    lose: frozenset[int] = frozenset()
    queue: int = 0
    queue_packets: int = 0
    mark: int = 0
    reorder: float = 0.0
    reorder_delay: Micros = 0
    duplicate: float = 0.0
    mtu: int = 1500


class Dice(State):
    """A seeded ``random.Random`` that can be copied and keyed like all state here."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)

    def copy(self) -> Self:
        """Dice that will fall the same way."""
        twin = type(self)("")
        twin.random.setstate(self.random.getstate())
        return twin

    def key(self) -> tuple[object, ...]:
        """The generator's state."""
        return self.random.getstate()

    def roll(self) -> float:
        """A number in [0, 1)."""
        return self.random.random()


class Counters(State):
    """What became of the packets that a link was given."""

    FIELDS = (
        "packets",
        "octets",
        "delivered",
        "lost",
        "overflowed",
        "marked",
        "oversized",
        "reordered",
        "duplicated",
        "longest_queue",
    )

    def __init__(self) -> None:
        self.packets = 0
        self.octets = 0
        self.delivered = 0
        self.lost = 0
        self.overflowed = 0
        self.marked = 0
        self.oversized = 0
        self.reordered = 0
        self.duplicated = 0
        self.longest_queue = 0


class Link(State):
    """One direction from a node to the node named ``target``."""

    FIELDS = ("name", "target", "line", "dice", "counters", "free_at", "waiting", "waiting_octets")

    def __init__(self, name: str, target: str, line: Line, seed: str) -> None:
        self.name = name
        self.target = target
        self.line = line
        self.dice = Dice(f"{seed}/{name}")
        self.counters = Counters()
        self.free_at: Micros = 0
        self.waiting: list[tuple[Micros, int]] = []
        self.waiting_octets = 0

    def mark(self, packet: bytes, now: Micros) -> bytes:
        """``packet``, marked if it may be and too many octets wait."""
        if not self.line.mark:
            return packet
        self.leave(now)
        if self.waiting_octets < self.line.mark:
            return packet
        marked = mark(packet)
        self.counters.marked += marked != packet
        return marked

    def send(self, packet: bytes, now: Micros) -> list[Micros]:
        """Take ``packet`` at the moment ``now``; when it will arrive: never, once or twice."""
        line, counters = self.line, self.counters
        lost, reordered, duplicated = self.dice.roll(), self.dice.roll(), self.dice.roll()
        counters.packets += 1
        counters.octets += len(packet)
        if len(packet) > line.mtu:
            counters.oversized += 1
            return []
        if not self.is_room(len(packet), now):
            counters.overflowed += 1
            return []
        departure = self.depart(len(packet), now)
        if lost < line.loss or counters.packets in line.lose:
            counters.lost += 1
            return []
        arrival = departure + line.delay
        if reordered < line.reorder:
            counters.reordered += 1
            arrival += line.reorder_delay
        arrivals = [arrival]
        if duplicated < line.duplicate:
            counters.duplicated += 1
            arrivals.append(arrival)
        counters.delivered += len(arrivals)
        return arrivals

    def is_room(self, length: int, now: Micros) -> bool:
        """Whether ``length`` more octets may wait for the line."""
        self.leave(now)
        line = self.line
        if line.queue and self.waiting_octets + length > line.queue:
            return False
        return not line.queue_packets or len(self.waiting) < line.queue_packets

    def leave(self, now: Micros) -> None:
        """Whatever has left by ``now`` waits no more."""
        while self.waiting and self.waiting[0][0] <= now:
            self.waiting_octets -= self.waiting.pop(0)[1]

    def depart(self, length: int, now: Micros) -> Micros:
        """Put ``length`` octets behind those that wait; the moment when their last bit has left."""
        if not self.line.rate:
            return now
        start = max(now, self.free_at)
        self.free_at = start - (-length * 8_000_000 // self.line.rate)
        self.waiting.append((self.free_at, length))
        self.waiting_octets += length
        self.counters.longest_queue = max(self.counters.longest_queue, self.waiting_octets)
        return self.free_at


def mark(packet: bytes) -> bytes:
    """``packet`` with CE, if its sender is ECN-capable; with the header checksum that goes with it."""
    datagram = parse(packet)
    if datagram.traffic_class & CE in (NOT_ECT, CE):
        return packet
    if datagram.version == 6:
        return packet[:1] + bytes([packet[1] | CE << 4]) + packet[2:]
    header = packet[:1] + bytes([packet[1] | CE]) + packet[2:10] + bytes(2) + packet[12 : datagram.start]
    checksum = compute_checksum(compute_sum(header, 0, len(header)))
    return header[:10] + emit_16(checksum) + header[12:] + packet[datagram.start :]
