"""TUN: a network interface whose other end is a file descriptor.

The kernel's end has addresses and routes like any interface; what it sends there we read, one
packet per read, and what we write it takes for received.
"""

import array
import errno
import fcntl
import ipaddress
import os
import struct
from typing import Final

from mptcp.values import Address
from mptcp_stack.device import Device
from mptcp_stack.framing import Framing, Virtual
from mptcp_stack.namespace import call_inside
from mptcp_stack.network import open_attribute, set_up

CLONE_DEVICE: Final = "/dev/net/tun"
TUNSETIFF: Final = 0x400454CA
IFF_TUN: Final = 0x0001  # packets without a link layer
IFF_NAPI: Final = 0x0010  # what we write is received as from a network card
IFF_NO_PI: Final = 0x1000  # and without the four octets of packet information
IFF_VNET_HDR: Final = 0x4000  # each packet behind ten octets of ``framing.Virtual``
TUNGETFEATURES: Final = 0x800454CF
TUNSETOFFLOAD: Final = 0x400454D0
OFFLOADS: Final = 0x01 | 0x02 | 0x04 | 0x08  # what we take as it is: CSUM, TSO4, TSO6, TSO_ECN
LONGEST_NAME: Final = 15  # octets; the kernel would cut it silently
JOINING: Final = 50_000  # ns that a full packet waits for the next one of its connection, without PSH
QUEUE_LENGTH: Final = 10_000  # packets the kernel keeps for us; with its default of 500 it drops bursts


def open_tun(
    name: str = "tun%d",
    *,
    ours: tuple[str, ...],
    theirs: tuple[str, ...] = (),
    mtu: int = 1500,
    namespace: str | None = None,
    path: str = CLONE_DEVICE,
    offloads: bool = True,
    threaded: bool = False,
) -> Device:
    """Make a TUN interface (or attach to one that waits for us) and open our end of it.

    ``ours`` are the stack's addresses ("10.77.0.2"), ``theirs`` the kernel's with their prefix
    ("10.77.0.1/24"), set only when given; ``%d`` in the name becomes the first free number; ``mtu`` in
    octets. The interface lives in ``namespace`` (None: the caller's) until the device is closed.
    ``offloads``: long packets and unfinished checksums pass, if this kernel can; else it is a plain one.
    ``threaded``: a thread of the kernel receives what we write and joins what belongs together, if this
    kernel can (5.12): many short packets go two times as fast, if the thread has a processor to itself, and
    one alone waits for it. On two processors 1,714 Mbit/s to the kernel became 4,367 and 5,400 connections a
    second 7,900, no more came in, and a round trip of one octet took 153 µs instead of 128: so nobody gets it
    who does not ask.

    Raises OSError with one clear sentence: no right, no /dev/net/tun, in use, no such namespace;
    ValueError for a wrong address.
    """
    addresses = tuple(ipaddress.ip_address(text).packed for text in ours)
    interfaces = tuple(str(ipaddress.ip_interface(text)) for text in theirs)
    return call_inside(namespace, lambda: _open(name, addresses, interfaces, mtu, path, offloads, threaded))


def _open(
    name: str,
    addresses: tuple[Address, ...],
    interfaces: tuple[str, ...],
    mtu: int,
    path: str,
    offloads: bool,
    threaded: bool,
) -> Device:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"cannot open {path}: {explain(error.errno)}") from error
    try:
        label = "" if "%" in name else f" {name}"
        if len(name.encode()) > LONGEST_NAME:
            raise OSError(errno.EINVAL, f"cannot open a TUN interface{label}: the name is too long")
        try:
            features = get_features(descriptor)
            offloads = offloads and features & IFF_VNET_HDR != 0
            threaded = threaded and features & IFF_NAPI != 0 and has_threads()
            flags = IFF_TUN | IFF_NO_PI | (IFF_VNET_HDR if offloads else 0) | (IFF_NAPI if threaded else 0)
            answer = fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            if offloads:
                fcntl.ioctl(descriptor, TUNSETOFFLOAD, OFFLOADS)
        except OSError as error:
            sentence = f"cannot open a TUN interface{label}: {explain(error.errno)}"
            raise OSError(error.errno, sentence) from error
        name = answer[:16].rstrip(b"\0").decode()
        if threaded:
            receive_in_thread(name)
        if interfaces:
            set_up(name, interfaces, mtu, QUEUE_LENGTH)
    except BaseException:
        os.close(descriptor)
        raise
    return Device(descriptor, name, addresses, mtu, Virtual() if offloads else Framing())


def get_features(descriptor: int) -> int:
    """The flags (``IFF_…``) that this kernel's TUN devices know."""
    features = array.array("I", [0])
    fcntl.ioctl(descriptor, TUNGETFEATURES, features)
    return features[0]


def has_threads() -> bool:
    """Whether this kernel has threads that receive, and we may ask for one."""
    try:
        os.close(open_attribute("lo", "threaded"))
    except OSError:
        return False
    return True


def receive_in_thread(name: str) -> None:
    """Have an interface's packets received by a thread of the kernel, and joined by it."""
    for attribute, value in (("threaded", 1), ("gro_flush_timeout", JOINING)):
        descriptor = open_attribute(name, attribute)
        try:
            os.write(descriptor, str(value).encode())
        finally:
            os.close(descriptor)


def explain(number: int | None) -> str:
    """What an errno means to someone who wants a TUN interface."""
    if number in (errno.EPERM, errno.EACCES):
        return "this needs root (or CAP_NET_ADMIN)"
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return "this kernel has no TUN device here"
    if number == errno.EBUSY:
        return "it is in use"
    if number == errno.EINVAL:
        return "it is there and is not a TUN interface, or the name is not allowed"
    return os.strerror(number or 0)
