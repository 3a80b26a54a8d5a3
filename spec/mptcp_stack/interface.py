"""An interface that is there already, and whose addresses the kernel has too: AF_PACKET.

The kernel goes on using it. A few ports are ours instead: those that we listen on, and those from
``FIRST_SHARED_PORT`` on, which the kernel itself does not call from. It is kept from hearing what comes
for them, and so from answering.
"""

import contextlib
import fcntl
import ipaddress
import os
import shlex
import socket
import struct
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Final, final

from pyroute2 import IPRoute

from mptcp.values import Address, Port
from mptcp.wire.ip import read_destination
from mptcp.wire.segment import Outgoing
from mptcp_stack.device import FIRST_SHARED_PORT, Device
from mptcp_stack.framing import HEADER, Framing, emit_header, is_checked
from mptcp_stack.namespace import call_inside

LAST_PORT: Final = 65_535

SOL_PACKET: Final = 263
PACKET_VNET_HDR: Final = 15
PACKET_IGNORE_OUTGOING: Final = 23
ETH_P_ALL: Final = 0x0003
SIOCGIFMTU: Final = 0x8921
SIOCGIFHWADDR: Final = 0x8927
ETHERNET: Final = 1  # ARPHRD_ETHER
LOOPBACK: Final = 772  # ARPHRD_LOOPBACK: frames as on Ethernet
LINK_HEADER: Final = 14  # octets: two addresses and the type
ETHER_TYPES: Final = {4: b"\x08\x00", 6: b"\x86\xdd"}
RECEIVE_BUFFER: Final = 16 << 20  # octets; nothing slows the kernel down when we do
SO_RCVBUFFORCE: Final = 33

FRESH: Final = 60.0  # seconds for which a neighbour's address is believed
PATIENCE: Final = 0.05  # seconds that a neighbour is given to answer
OWNER: Final = "mptcp-"  # and the number of the process, in the comment of each rule
DISCARD: Final = 9  # the port that nobody minds being knocked at


@final
class Ethernet(Framing):
    """A virtual-network header and an Ethernet header, to whichever neighbour is next on the way."""

    def __init__(self, name: str, hardware: bytes, namespace: str | None) -> None:
        super().__init__(HEADER.size + LINK_HEADER, True)
        self._name: Final = name
        self._hardware: Final = hardware
        self._namespace: Final = namespace
        self._known: Final[dict[Address, tuple[bytes, float]]] = {}

    def emit(self, outgoing: Outgoing) -> bytes | None:
        """See ``Framing``."""
        there = self._find(read_destination(outgoing.header))
        if there is None:
            return None
        kind = ETHER_TYPES[outgoing.header[0] >> 4]
        return emit_header(outgoing, LINK_HEADER) + there + self._hardware + kind

    def is_checked(self, packet: bytes) -> bool:
        """See ``Framing``."""
        return is_checked(packet)

    def _find(self, destination: Address) -> bytes | None:
        """The hardware address for ``destination``; None while nobody answers for it."""
        known = self._known.get(destination)
        now = time.monotonic()
        if known is not None and now - known[1] < FRESH:
            return known[0]
        try:
            found = call_inside(self._namespace, lambda: find_neighbour(self._name, destination))
        except OSError:
            found = None
        if found is not None:
            self._known[destination] = (found, now)
        return found


def find_neighbour(name: str, destination: Address) -> bytes | None:
    """Ask the kernel who is next on the way to ``destination``, and have it ask the link if need be."""
    target = str(ipaddress.ip_address(destination))
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=name)[0]
        route = list(routes.route("get", dst=target, oif=index))[0]
        target = route.get_attr("RTA_GATEWAY") or target
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        deadline = time.monotonic() + PATIENCE
        while True:
            for entry in routes.get_neighbours(family, dst=target, ifindex=index):
                text = entry.get_attr("NDA_LLADDR")
                if text:
                    return bytes.fromhex(text.replace(":", ""))
            if time.monotonic() > deadline:
                return None
            with socket.socket(family, socket.SOCK_DGRAM) as knocker, contextlib.suppress(OSError):
                knocker.sendto(b"", (target, DISCARD))
            time.sleep(PATIENCE / 10)


def open_interface(
    name: str,
    *,
    ours: tuple[str, ...] = (),
    listening: tuple[Port, ...] = (),
    namespace: str | None = None,
) -> Device:
    """Our share of the interface ``name``: its addresses (or those of them in ``ours``), ``listening`` ports.

    Closing the device gives the ports back to the kernel. Raises OSError with one clear sentence: no
    right, no such interface, no address, a port in use; ValueError for a wrong address.
    """
    wanted = tuple(str(ipaddress.ip_address(text)) for text in ours)
    return call_inside(namespace, lambda: _open(name, wanted, listening, namespace))


def _open(name: str, wanted: tuple[str, ...], listening: tuple[Port, ...], namespace: str | None) -> Device:
    with contextlib.ExitStack() as resources:
        addresses = choose_addresses(name, wanted)
        try:
            packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise PermissionError(error.errno, "an interface needs root (or CAP_NET_RAW)") from error
        resources.enter_context(packets)
        hardware, mtu = describe(packets, name)
        packets.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        packets.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        with contextlib.suppress(OSError):
            packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        for port in listening:
            resources.enter_context(reserve(port))
        resources.enter_context(keep_quiet(name, listening, namespace))
        packets.bind((name, ETH_P_ALL))
        kept = resources.pop_all()  # the reserved ports, the rules
        ports = frozenset((*listening, *range(FIRST_SHARED_PORT, LAST_PORT + 1)))
        return Device(
            packets.detach(),
            name,
            tuple(ipaddress.ip_address(text).packed for text in addresses),
            mtu,
            Ethernet(name, hardware, namespace),
            ports,
            kept,
        )


def choose_addresses(name: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of an interface that others can reach, or those of them that are wanted."""
    with IPRoute() as routes:
        found = routes.link_lookup(ifname=name)
        if not found:
            raise OSError(f"there is no interface {name}")
        entries = [entry.get_attr("IFA_ADDRESS") for entry in routes.get_addr(index=found[0])]
    addresses = [text for text in entries if not ipaddress.ip_address(text).is_link_local]
    missing = [text for text in wanted if text not in addresses]
    if missing:
        raise OSError(f"{missing[0]} is not an address of the interface {name}")
    if not addresses:
        raise OSError(f"the interface {name} has no address")
    return wanted or tuple(addresses)


def describe(handle: socket.socket, name: str) -> tuple[bytes, int]:
    """The hardware address (6 octets) and the MTU (octets) of an interface like Ethernet."""
    request = struct.pack("16s16x", name.encode()[:15])
    answer = fcntl.ioctl(handle, SIOCGIFHWADDR, request)
    kind = struct.unpack_from("H", answer, 16)[0]
    if kind not in (ETHERNET, LOOPBACK):
        raise OSError(f"the interface {name} is not like Ethernet")
    mtu: int = struct.unpack_from("i", fcntl.ioctl(handle, SIOCGIFMTU, request), 16)[0]
    return answer[18:24], min(mtu, LAST_PORT)


def reserve(port: Port) -> socket.socket:
    """Take ``port`` from the kernel's programs. Raises OSError if one of them has it."""
    holder = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        holder.bind(("::", port))
    except OSError as error:
        holder.close()
        raise OSError(error.errno, f"port {port} is in use") from error
    return holder


def keep_quiet(name: str, listening: tuple[Port, ...], namespace: str | None) -> contextlib.ExitStack:
    """Drop our ports' segments before the kernel's TCP hears them; closing what is returned ends it."""
    guard = contextlib.ExitStack()
    mark = ("-m", "comment", "--comment", f"{OWNER}{os.getpid()}")
    ranges = [*map(str, listening), f"{FIRST_SHARED_PORT}:{LAST_PORT}"]
    with contextlib.ExitStack() as undo:
        undo.push(guard)
        for table in ("iptables", "ip6tables"):
            sweep(table)
            for ports in ranges:
                rule = ("INPUT", "-i", name, "-p", "tcp", "--dport", ports, *mark, "-j", "DROP")
                run(table, "-I", *rule)
                guard.callback(call_inside, namespace, partial(run, table, "-D", *rule))
        undo.pop_all()
    return guard


def sweep(table: str) -> None:
    """Remove the rules of those who did not get to it."""
    for line in run(table, "-S", "INPUT").splitlines():
        words = shlex.split(line)
        if "--comment" not in words:
            continue
        owner = words[words.index("--comment") + 1]
        if owner.startswith(OWNER) and not Path("/proc", owner.removeprefix(OWNER)).exists():
            run(table, "-D", *words[1:])


def run(table: str, *arguments: str) -> str:
    """What iptables answers. Raises OSError."""
    try:
        done = subprocess.run([table, "-w", *arguments], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise OSError(error.errno, f"sharing an interface needs {table}") from error
    except subprocess.CalledProcessError as error:
        raise OSError(f"{table}: {error.stderr.strip().splitlines()[-1]}") from error
    return done.stdout
