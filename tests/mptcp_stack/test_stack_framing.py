"""Long packets and unfinished checksums: what a device says of them, and what it does without offload."""

import socket
import struct
from ipaddress import ip_address

import pytest

from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.segment import ACK, PSH, Outgoing, Segment
from mptcp_stack.device import Device
from mptcp_stack.framing import Framing, Virtual, emit_header

HERE = {4: ip_address("10.0.0.1").packed, 6: ip_address("fd00::1").packed}
THERE = {4: ip_address("10.0.0.2").packed, 6: ip_address("fd00::2").packed}
TEXT = bytes(range(250)) * 20


def make(version: int, length: int, size: int) -> Outgoing:
    """A packet with ``length`` octets of text that may be cut at ``size``."""
    text = (Text(TEXT, 0, length),) if length else ()
    one = Segment(HERE[version], THERE[version], 443, 50_000, 7, 9, ACK | PSH, 500, 0, (), text)
    return segment.emit(one, segment_size=size)


def open_pair(offloads: bool) -> tuple[Device, socket.socket]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.settimeout(5)
    return Device(
        near.detach(), "near", (HERE[4], HERE[6]), framing=Virtual() if offloads else Framing()
    ), far


@pytest.mark.parametrize(
    ("version", "length", "size", "expected"),
    [
        (4, 0, 0, (0, 0, 0, 0, 0, 0)),
        (4, 1000, 1448, (1, 0, 0, 0, 20, 16)),
        (4, 5000, 1448, (1, 1, 40, 1448, 20, 16)),
        (6, 5000, 1428, (1, 4, 60, 1428, 40, 16)),
    ],
)
def test_header(version: int, length: int, size: int, expected: tuple[int, ...]) -> None:
    """Nothing to do, a checksum to finish, a packet to cut."""
    assert struct.unpack("<BBHHHH", emit_header(make(version, length, size))) == expected


@pytest.mark.parametrize(("flags", "checked"), [(0, False), (1, True), (2, True), (3, True), (4, False)])
def test_the_kernel_vouches(flags: int, checked: bool) -> None:
    """For what it has verified, and for what never left the machine."""
    device, wire = open_pair(True)
    wire.send(bytes([flags]) + bytes(9) + b"packet")
    packet = device.read()
    assert packet is not None
    assert packet[device.framing.size :] == b"packet"
    assert device.checked is checked
    device.close()
    wire.close()


@pytest.mark.parametrize("version", [4, 6])
def test_long_packets_leave_whole(version: int) -> None:
    """With offload: one write, behind its header."""
    device, wire = open_pair(True)
    long = make(version, 5000, 1000)
    assert device.fit(long) == [long]
    assert device.write(long)
    sent = wire.recv(70_000)
    assert sent[:10] == emit_header(long)
    assert sent[10:] == long.header + TEXT
    device.close()
    wire.close()


@pytest.mark.parametrize("version", [4, 6])
def test_long_packets_are_cut(version: int) -> None:
    """Without offload: segments of the size, each whole in itself."""
    device, wire = open_pair(False)
    parts = device.fit(make(version, 4500, 1000))
    text = b""
    for part in parts:
        assert device.write(part)
        packet = wire.recv(70_000)
        one = segment.parse(packet, ip.parse(packet))
        assert one.sequence == 7 + len(text)
        text += b"".join(piece.octets() for piece in one.text)
    assert [len(part.text[0]) for part in parts] == [1000, 1000, 1000, 1000, 500]
    assert text == TEXT[:4500]
    device.close()
    wire.close()
