"""The device of the command line: a TUN interface in the namespace where the command runs."""

import ipaddress
import os
import socket
from typing import Final

from mptcp_stack.device import Device
from mptcp_stack.namespace import call_inside
from mptcp_stack.network import list_addresses
from mptcp_stack.tun import open_tun

ALONE: Final = 77  # our networks are 10.77.N.0/24 and fd77:N::/64
BEHIND_WIRES: Final = 79  # in a lab with paths, where the networks of the wires have these numbers

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def attach(name: str | None, addresses: tuple[str, ...]) -> Device:
    """Make an interface, give the kernel its addresses, take ours; or attach to one that is there.

    An ``address`` of ours may have a prefix ("10.77.0.2/24"; 24 and 64 are meant otherwise); the kernel gets
    the network's first other address. Without any, 10.77.N.2 and fd77:N::2 of the first N that is free.
    An interface that is there already, by ``name``, keeps the addresses that it has.

    Raises ValueError for what is not an address, OSError for the rest, in one sentence.
    """
    ours = [parse_interface(text) for text in addresses] or choose_interfaces()
    is_there = name is not None and name in [known for _, known in socket.if_nameindex()]
    return open_tun(
        name or "tun%d",
        ours=tuple(str(interface.ip) for interface in ours),
        theirs=() if is_there else tuple(describe_kernel_end(interface) for interface in ours),
    )


def parse_interface(text: str) -> Interface:
    """An address of ours with its network. Raises ValueError."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError(f"{text} is not an IP address") from None
    if "/" not in text:
        interface = ipaddress.ip_interface(f"{text}/{24 if interface.version == 4 else 64}")
    return interface


def describe_kernel_end(ours: Interface) -> str:
    """The kernel's address beside ours: the first other one of the network, with its prefix.

    Raises ValueError if the network has room for one only.
    """
    network = ours.network
    for number in (1, 2):
        if number < network.num_addresses and network[number] != ours.ip:
            return f"{network[number]}/{network.prefixlen}"
    raise ValueError(f"{ours} leaves no address for the kernel")


def choose_interfaces() -> list[Interface]:
    """The first of our default networks that no interface here has."""
    taken = call_inside(None, list_addresses)
    net = BEHIND_WIRES if "MPTCP_LAB_FAR" in os.environ else ALONE
    for number in range(256):
        if f"10.{net}.{number}.1" not in taken:
            return [parse_interface(f"10.{net}.{number}.2"), parse_interface(f"fd{net}:{number:x}::2")]
    raise OSError(f"no network of 10.{net}.0.0/16 is free: say --address")
