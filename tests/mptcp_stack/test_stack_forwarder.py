"""A wire with faults: what is late, lost, doubled, too long or falsified, with time in the test's hands."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from mptcp.errors import Malformed
from mptcp.values import Text
from mptcp.wire import icmp, ip
from mptcp.wire.addresses import AddAddrEcho, Prio
from mptcp.wire.dss import DataAck, Dss
from mptcp.wire.options import Option, Timestamps
from mptcp.wire.segment import Segment, emit, parse
from mptcp_stack.flow import DeviceGone
from mptcp_stack.forwarder import Line, Way, falsify, find_subtypes, find_text, make_too_big
from mptcp_stack.wire import Wire, make_device, make_ends

ENDS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
PERFECT = Line()


class Bench:
    """A way whose ends the test holds."""

    def __init__(self, line: Line, seed: str = "1") -> None:
        self.before, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        target, self.behind = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.before, source, target, self.behind):
            end.setblocking(False)
        self._kept = (source, target)
        self.way = Way(source.fileno(), target.fileno(), seed)
        self.way.line = line

    def pass_on(self, now: int) -> list[bytes]:
        """What comes out by the moment ``now``, µs."""
        self.way.put_out(now)
        return drain(self.behind)

    def close(self) -> None:
        for end in (self.before, self.behind, *self._kept):
            end.close()


def drain(end: socket.socket) -> list[bytes]:
    packets = []
    while True:
        try:
            packets.append(end.recv(70_000))
        except BlockingIOError:
            return packets


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(PERFECT)
    yield bench
    bench.close()


def make_packet(version: int, octets: bytes, *options: Option) -> bytes:
    here, there = (ip_address(text).packed for text in ENDS[version])
    text = (Text(octets, 0, len(octets)),) if octets else ()
    return emit(Segment(here, there, 1000, 80, 7, 0, 0x10, 99, 0, options, text)).octets()


def test_late_by_delay_and_rate(bench: Bench) -> None:
    """8,000 bit at 1 Mbit/s take 8 ms; the delay comes on top; the second waits for the first."""
    bench.way.line = Line(rate=1_000_000, delay=500)
    bench.way.take(bytes(1_000), 0)
    bench.way.take(bytes(500), 0)
    assert bench.way.find_due() == 8_500
    assert bench.pass_on(8_499) == []
    assert [len(packet) for packet in bench.pass_on(8_500)] == [1_000]
    assert bench.way.find_due() == 12_500
    assert [len(packet) for packet in bench.pass_on(12_500)] == [500]
    assert bench.way.find_due() is None


def test_queue_is_full(bench: Bench) -> None:
    """Of those that wait for the line, the last are dropped, until there is room again."""
    bench.way.line = Line(rate=1_000_000, queue=2)
    for _ in range(3):
        bench.way.take(bytes(1_000), 0)
    assert bench.way.counts["overflowed"] == 1
    bench.way.take(bytes(1_000), 8_000)
    assert bench.way.counts["overflowed"] == 1
    assert len(bench.pass_on(24_000)) == 3


def test_late_ones_are_overtaken(bench: Bench) -> None:
    """One packet 3 ms late arrives behind the next."""
    bench.way.line = Line(reorder=1.0)
    bench.way.take(b"first", 0)
    bench.way.line = PERFECT
    bench.way.take(b"second", 10)
    assert bench.pass_on(10_000) == [b"second", b"first"]
    assert bench.way.counts["reordered"] == 1


@pytest.mark.parametrize("fault", ["loss", "duplicate", "reorder"])
def test_chance_is_as_large_as_told_and_the_same_again(fault: str) -> None:
    """Of 10,000 packets 4 to 6 % where 5 % are told; the same seed chooses the same ones."""
    counts = {"loss": "lost", "duplicate": "duplicated", "reorder": "reordered"}
    outcomes = []
    for seed in ("1", "1", "2"):
        bench = Bench(replace(PERFECT, **{fault: 0.05}), seed)
        out: list[bytes] = []
        for number in range(10_000):
            bench.way.take(number.to_bytes(2, "big"), number)
            out += bench.pass_on(number)
        out += bench.pass_on(1_000_000)
        assert 400 < bench.way.counts[counts[fault]] < 600
        outcomes.append(out)
        bench.close()
    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_held_and_down(bench: Bench) -> None:
    """What is held waits; what is sent while the line is down is lost."""
    bench.way.held = True
    bench.way.take(b"one", 0)
    assert bench.pass_on(10) == []
    assert bench.way.find_due() is None
    assert bench.way.report()["waiting"] == 1
    bench.way.held = False
    assert bench.pass_on(10) == [b"one"]
    bench.way.line = Line(is_up=False)
    bench.way.take(b"two", 20)
    assert bench.pass_on(30) == []
    assert bench.way.counts["lost"] == 1


@pytest.mark.parametrize("version", [4, 6])
def test_too_big(version: int, bench: Bench) -> None:
    """Its sender is told by ICMP that our own parser believes; or nobody is."""
    packet = make_packet(version, bytes(1_400))
    bench.way.line = Line(mtu=1_300)
    bench.way.take(packet, 0)
    bench.way.take(make_packet(version, bytes(100)), 0)
    assert len(bench.pass_on(0)) == 1
    answer = drain(bench.before)[0]
    datagram = ip.parse(answer)
    report = icmp.parse(answer, datagram)
    assert isinstance(report, icmp.TooBig)
    assert (report.mtu, report.quote.sequence, report.quote.destination_port) == (1_300, 7, 80)
    assert datagram.destination == ip_address(ENDS[version][0]).packed
    assert answer == make_too_big(packet, 1_300)
    bench.way.line = Line(mtu=1_300, icmp=False)
    bench.way.take(packet, 0)
    assert (drain(bench.before), bench.pass_on(0)) == ([], [])
    assert bench.way.counts["oversized"] == 2


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("length", [1, 2, 1_001])
def test_falsified(version: int, length: int, bench: Bench) -> None:
    """The text is another, and TCP's checksum holds; the chosen ones only, and none without text."""
    packet = make_packet(version, b"x" * length)
    bench.way.line = Line(alter=(2,))
    for one in (packet, make_packet(version, b""), packet, packet):
        bench.way.take(one, 0)
    first, _, second, third = bench.pass_on(0)
    assert first == third == packet != second
    start = find_text(packet)
    assert start is not None
    assert second == falsify(packet, start)
    segment = parse(second, ip.parse(second))
    assert segment.text_length == length
    with pytest.raises(Malformed, match="checksum"):
        parse(packet[:start] + second[start:], ip.parse(packet))


@pytest.mark.parametrize("version", [4, 6])
def test_options_that_do_not_pass(version: int, bench: Bench) -> None:
    """Packets with an option of MPTCP that the line refuses are lost; all others pass."""
    signals = (Timestamps(1, 2), Dss(DataAck(5, True), None), Prio(True))
    echo = make_packet(version, b"", AddAddrEcho(1, bytes(4), None))
    others = [make_packet(version, b"text"), make_packet(version, b"text", *signals), b"no packet"]
    bench.way.line = Line(refuse=(3,))
    for one in (others[0], echo, *others[1:]):
        bench.way.take(one, 0)
    assert bench.pass_on(0) == others
    assert (bench.way.counts["refused"], bench.way.counts["longest"]) == (1, max(map(len, [echo, *others])))
    assert [find_subtypes(one) for one in (*others, echo)] == [set(), {2, 5}, set(), {3}]
    head = find_text(make_packet(version, b"x", Prio(True)))
    assert head is not None
    for kind in (2, 30, 99):  # an option that is longer than its header, or than nothing
        for length in (0, 1, 200):
            damaged = bytearray(make_packet(version, b"", Prio(True)))
            damaged[head - 4 : head - 2] = bytes((kind, length))
            assert find_subtypes(bytes(damaged)) <= {5}


def test_a_wire_between_two_processes() -> None:
    """The program itself: changed, held and released while it runs, and what it counts."""
    left, near = make_device("left", (), 1500)
    right, far = make_device("right", (), 1500)
    wire = Wire(near, far, PERFECT)
    try:
        wire.hold(ways=(0,))
        os.write(left.fileno(), b"there")
        wire.wait_until(lambda there, back: there["waiting"] == 1)
        assert right.read() is None
        os.write(right.fileno(), b"back")
        wire.wait_until(lambda there, back: back["packets"] == 1 and back["waiting"] == 0)
        assert left.read() == b"back"
        wire.release()
        wire.wait_until(lambda there, back: there["waiting"] == 0)
        assert right.read() == b"there"
        wire.change(ways=(1,), is_up=False)
        os.write(right.fileno(), b"lost")
        wire.wait_until(lambda there, back: back["lost"] == 1)
        with pytest.raises(TimeoutError):
            wire.wait_until(lambda there, back: False, timeout=0)
        left.close()
        assert wire.counts()[0]["octets"] == 5
    finally:
        wire.close()
    with pytest.raises(DeviceGone):
        right.read()
    with pytest.raises(OSError, match="the wire has been cut"):
        wire.counts()
    wire.close()
    right.close()


def test_ends_keep_packets_apart() -> None:
    """Many packets fit before anybody reads, each by itself."""
    ours, theirs = make_ends()
    for number in range(1_000):
        os.write(ours, bytes([number % 256]) * 1_500)
    assert os.read(theirs, 70_000) == bytes(1_500)
    os.close(ours)
    os.close(theirs)
