"""What a lab sets up inside its namespace. Each call works in the calling thread's namespace.

Raises OSError when the kernel refuses.
"""

import array
import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

BURST: Final = 20_000  # octets that a token bucket lets pass at once
IFA_F_NODAD: Final = 2
MAIN_TABLE: Final = 254
LAST_RULES: Final = 33_000  # priorities behind the rule of the main table
SIOCETHTOOL: Final = 0x8946
FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # system calls since Linux 5.2, the same on every machine
FSCONFIG_CMD_CREATE: Final = 6
SWITCHES: Final = (0x1F, 0x24, 0x2C, 0x15, 0x17, 0x19)  # ETHTOOL_S… TSO GSO GRO RXCSUM TXCSUM SG


def prepare(sysctls: Mapping[str, str]) -> None:
    """The sysctls, and the loopback up."""
    for name, value in sysctls.items():
        write_sysctl(name, value)
    with IPRoute() as routes:
        routes.link("set", index=1, state="up")


def write_sysctl(name: str, value: str) -> None:
    """``name`` is dotted: "net.mptcp.enabled"."""
    Path("/proc/sys", *name.split(".")).write_text(value)


def add_veth(name: str, other_name: str, other_namespace: str) -> None:
    """A veth pair, one end here, one there."""
    with IPRoute() as routes:
        routes.link(
            "add", ifname=name, kind="veth", peer={"ifname": other_name, "net_ns_fd": other_namespace}
        )


def set_up(name: str, addresses: tuple[str, ...], mtu: int = 1500, queue: int = 1_000) -> None:
    """Give an interface its addresses ("10.78.0.1/24") without a duplicate test, MTU (octets) and queue
    (packets), and set it up.
    """
    try:
        with IPRoute() as routes:
            index = routes.link_lookup(ifname=name)[0]
            routes.link("set", index=index, mtu=mtu, txqlen=queue, state="up")
            for text in addresses:
                interface = ipaddress.ip_interface(text)
                routes.addr(
                    "add",
                    index=index,
                    address=str(interface.ip),
                    prefixlen=interface.network.prefixlen,
                    flags=IFA_F_NODAD if interface.version == 6 else 0,
                )
    except NetlinkError as error:
        raise OSError(error.code, f"cannot set up the interface {name}: {error.args[1]}") from error


def switch_offload_off(name: str) -> None:
    """What ``ethtool -K NAME tso off gso off gro off …`` does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in SWITCHES:
            value = array.array("I", [command, 0])
            request = struct.pack("16sP16x", name.encode(), value.buffer_info()[0])
            fcntl.ioctl(handle, SIOCETHTOOL, request)


def add_default_routes(gateways: tuple[str, ...]) -> None:
    """A default route for each family."""
    with IPRoute() as routes:
        for gateway in gateways:
            routes.route("add", dst="default", gateway=gateway, family=find_family(gateway))


def limit_rate(name: str, rate: int, queue: int) -> None:
    """A token bucket (TBF) on what an interface sends: ``rate`` bit/s, ``queue`` octets wait."""
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=name)[0]
        bucket = {"kind": "tbf", "rate": rate // 8, "burst": BURST, "limit": queue}
        routes.tc("replace", index=index, handle=0x10000, **bucket)


def add_routes(name: str, networks: tuple[str, ...], table: int = MAIN_TABLE) -> None:
    """What is for these networks ("10.79.0.0/24", "default") leaves by an interface."""
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=name)[0]
        for text in networks:
            routes.route("add", dst=text, oif=index, family=find_family(text), table=table)


def route_by_source(name: str, table: int, networks: tuple[str, ...] = ()) -> None:
    """What comes from these networks leaves by an interface, wherever it goes.

    Without any, what comes from the interface's own addresses does where no other way is known.
    """
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=name)[0]
        own = [str(message.get_attr("IFA_ADDRESS")) for message in routes.get_addr(index=index)]
        if not networks:
            for family in (socket.AF_INET, socket.AF_INET6):
                routes.route("add", dst="default", oif=index, family=family, table=table)
        for text in networks or own:
            priority = table if networks else LAST_RULES + table
            routes.rule("add", src=text, table=table, priority=priority, family=find_family(text))


def open_attribute(interface: str, attribute: str) -> int:
    """A descriptor of /sys/class/net/INTERFACE/ATTRIBUTE as it is here, for writing; the caller closes it.

    What is mounted on /sys may be of another namespace, so a tree of its own is made, and mounted nowhere.
    """
    kind = call_system(FSOPEN, b"sysfs", 0)
    try:
        call_system(FSCONFIG, kind, FSCONFIG_CMD_CREATE, None, None, 0)
        tree = call_system(FSMOUNT, kind, 0, 0)
    finally:
        os.close(kind)
    try:
        return os.open(f"class/net/{interface}/{attribute}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=tree)
    finally:
        os.close(tree)


def call_system(number: int, *arguments: bytes | int | None) -> int:
    """A system call that Python has no name for. Raises OSError."""
    answer = ctypes.CDLL(None, use_errno=True).syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(answer)


def find_family(text: str) -> int:
    """The family of a written address or network."""
    return socket.AF_INET6 if ":" in text else socket.AF_INET


def read_counters() -> dict[str, int]:
    """The counters of /proc/net/snmp and /proc/net/netstat under nstat's names."""
    counters: dict[str, int] = {}
    for table in ("snmp", "netstat"):
        lines = Path("/proc/thread-self/net", table).read_text().splitlines()
        for heads, values in zip(lines[0::2], lines[1::2], strict=True):
            group = heads.split(":")[0]
            for head, value in zip(heads.split()[1:], values.split()[1:], strict=True):
                counters[group + head] = int(value)
    return counters


def list_addresses() -> set[str]:
    """The addresses that interfaces here have."""
    with IPRoute() as routes:
        return {str(message.get_attr("IFA_ADDRESS")) for message in routes.get_addr()}
