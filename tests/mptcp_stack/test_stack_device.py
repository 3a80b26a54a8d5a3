"""Devices: one packet per read and write, and what they say when they cannot."""

import errno
import os
import socket
import sys
from collections.abc import Callable
from ipaddress import ip_address
from types import FrameType
from typing import Any

import pytest

from mptcp.values import Text
from mptcp.wire.segment import Outgoing
from mptcp_stack.device import Device
from mptcp_stack.flow import DeviceGone

OURS = ip_address("10.0.0.1").packed
OURS_V6 = ip_address("fd00::1").packed


@pytest.fixture
def device_and_wire() -> tuple[Device, socket.socket]:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    far.settimeout(5)
    return Device(near.detach(), "near", (OURS, OURS_V6)), far


def make_v4(destination: bytes) -> bytes:
    return bytes([0x45]) + bytes(15) + destination


def make_v6(destination: bytes) -> bytes:
    return bytes([0x60]) + bytes(23) + destination


def test_reads_a_packet_at_a_time(device_and_wire: tuple[Device, socket.socket]) -> None:
    """Packets stay apart, and nothing there is None."""
    device, wire = device_and_wire
    assert device.read() is None
    wire.send(b"one")
    wire.send(b"another")
    assert [device.read(), device.read(), device.read()] == [b"one", b"another", None]
    device.close()
    wire.close()


def test_writes_header_and_pieces(device_and_wire: tuple[Device, socket.socket]) -> None:
    """The text goes out from where it lies."""
    device, wire = device_and_wire
    pieces = (Text(b"abcdef", 2, 4), Text(b"xyz", 0, 1))
    assert device.write(Outgoing(b"header", pieces, 0))
    assert wire.recv(100) == b"headercdx"
    device.close()
    wire.close()


def test_writes_more_pieces_than_one_call_takes(device_and_wire: tuple[Device, socket.socket]) -> None:
    """An application that wrote single octets makes no difference."""
    device, wire = device_and_wire
    assert device.write(Outgoing(b"header", tuple(Text(b"ab", 1, 2) for _ in range(1400)), 0))
    assert wire.recv(2000) == b"header" + b"b" * 1400
    device.close()
    wire.close()


def test_is_full(device_and_wire: tuple[Device, socket.socket]) -> None:
    """A full device says so and takes packets again later."""
    device, wire = device_and_wire
    packet = Outgoing(bytes(1000), (), 0)
    count = 0
    while device.write(packet):
        count += 1
    assert count > 1
    for _ in range(count):
        wire.recv(2000)
    assert device.write(packet)
    device.close()
    wire.close()


def test_refuses_one_packet(device_and_wire: tuple[Device, socket.socket]) -> None:
    """A packet that cannot be sent is lost and counted, as on a cable."""
    device, wire = device_and_wire
    assert device.write(Outgoing(bytes(10_000_000), (), 0))
    assert device.dropped == 1
    device.close()
    wire.close()


def test_is_gone(device_and_wire: tuple[Device, socket.socket]) -> None:
    """What has no other end any more says so in one sentence."""
    device, wire = device_and_wire
    wire.close()
    with pytest.raises(DeviceGone, match="the device near has gone away") as caught:
        device.read()
    assert caught.value.errno == errno.ENETDOWN
    with pytest.raises(DeviceGone):
        device.write(Outgoing(b"header", (), 0))
    device.close()
    device.close()
    assert device.fileno() == -1


def test_never_blocks(device_and_wire: tuple[Device, socket.socket]) -> None:
    """Its descriptor is non-blocking, whatever it was."""
    device, wire = device_and_wire
    assert not os.get_blocking(device.fileno())
    device.close()
    wire.close()


@pytest.mark.parametrize(
    ("packet", "ours"),
    [
        (make_v4(OURS), True),
        (make_v6(OURS_V6), True),
        (make_v4(ip_address("10.0.0.9").packed), False),
        (make_v6(ip_address("ff02::16").packed), False),  # a multicast listener report
        (make_v6(ip_address("ff02::2").packed), False),  # a router solicitation
        (b"", False),
        (b"\x45", False),
        (b"\x60" + bytes(20), False),
        (b"\x00" + bytes(60), False),
    ],
)
def test_knows_what_is_ours(packet: bytes, ours: bool, device_and_wire: tuple[Device, socket.socket]) -> None:
    """By the destination, whatever the octets."""
    device, wire = device_and_wire
    assert device.is_ours(packet) is ours
    device.close()
    wire.close()


def test_writes_some(device_and_wire: tuple[Device, socket.socket]) -> None:
    """A list of packets in their order, as many as there is room for; one that is refused is lost."""
    device, wire = device_and_wire
    first, last = (Outgoing(b"header", (Text(text, 0, 3),), 0) for text in (b"one", b"two"))
    assert device.write_some([first, Outgoing(bytes(10_000_000), (), 0), last]) == 3
    assert (wire.recv(100), wire.recv(100), device.dropped) == (b"headerone", b"headertwo", 1)
    many = [Outgoing(bytes(1000), (), 0)] * 1_000
    taken = device.write_some(many)
    assert 1 < taken < len(many)
    for _ in range(taken):
        wire.recv(2000)
    assert device.write_some([last]) == 1
    assert wire.recv(100) == b"headertwo"
    device.close()
    wire.close()


def test_closed_while_it_closes(cable: Callable[..., tuple[Device, Device]]) -> None:
    """By a signal's handler, before any line of closing: a descriptor is closed once."""
    lines = 0
    before = sys.gettrace()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if frame.f_code is not Device.close.__code__:
            return None
        if event == "line":
            lines -= 1
            if lines == 0:
                left.close()
        return trace

    for line in range(1, 10):
        left, right = cable()
        lines = line
        sys.settrace(trace)
        try:
            left.close()
        finally:
            sys.settrace(before)
        right.close()
    assert lines > 0
