"""The kernel's path manager: which addresses it may use and tell of (``ip mptcp`` does the same).

Each call works in the calling thread's namespace and raises OSError when the kernel refuses.
"""

import ipaddress
import sys
from typing import Any, Final

from pyroute2 import MPTCP, IPRoute
from pyroute2.netlink.exceptions import NetlinkError

FLAGS: Final = {"signal": 1, "subflow": 2, "backup": 4, "fullmesh": 8}  # linux/mptcp_pm.h


def set_limits(subflows: int, accepted: int) -> None:
    """Subflows beside the first of a connection, and addresses of the peer that are used."""
    _call("limits", "set", subflows=subflows, rcv_add_addrs=accepted)


def add(address: str, flags: tuple[str, ...], number: int, port: int, device: str | None) -> None:
    """An endpoint. ``number`` is its Address ID; 0 lets the kernel choose."""
    fields = name_address(address)
    fields["flags"] = sum(FLAGS[flag] for flag in flags)
    if number:
        fields["id"] = number
    if port:
        fields["port"] = port
    if device is not None:
        with IPRoute() as routes:
            fields["if_idx"] = routes.link_lookup(ifname=device)[0].to_bytes(4, sys.byteorder)
    _call("endpoint", "add", **fields)


def delete(number: int, address: str | None) -> None:
    """Take an endpoint back; of Address ID 0, the address of the first subflow, by its address."""
    _call("endpoint", "del", id=number, **(name_address(address) if address else {}))


def flush() -> None:
    """Take all endpoints back."""
    _call("endpoint", "flush")


def name_address(address: str) -> dict[str, Any]:
    """An address as netlink has it."""
    return {f"addr{ipaddress.ip_address(address).version}": address}


def _call(what: str, *arguments: Any, **fields: Any) -> None:
    try:
        with MPTCP() as manager:
            getattr(manager, what)(*arguments, **fields)
    except NetlinkError as error:
        raise OSError(error.code, f"the kernel's path manager refuses: {error.args[1]}") from error
