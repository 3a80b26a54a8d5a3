"""ADD_ADDR, its echo, REMOVE_ADDR and MP_PRIO: RFC 8684 §3.4, §3.3.8, and RFC 6824 for version 0."""

from typing import Final, final

from mptcp.errors import Refused
from mptcp.parameters import MPTCP_OPTION, OPTION_SPACE
from mptcp.values import Address, Port
from mptcp.wire.octets import emit_16, u16
from mptcp.wire.options import Option

ADD_ADDR: Final = 0x3  # option subtypes; RFC 8684 §7.2
REMOVE_ADDR: Final = 0x4
PRIO: Final = 0x5

ECHO: Final = 0x01  # flag E of ADD_ADDR; RFC 8684 §3.4.1
BACKUP: Final = 0x01  # flag B of MP_PRIO; RFC 8684 §3.3.8
ADD_ADDR_HMAC: Final = 8  # octets; RFC 8684 §3.4.1


def check_address(address_id: int, address: Address, port: Port | None) -> None:
    """Refused unless each fits its field; a port that is there is not 0.

    Port 0 and no port would have the same HMAC, so an explicit 0 is not allowed.
    """
    if not 0 <= address_id <= 0xFF:
        raise Refused("an address ID has 8 bits")
    if len(address) not in (4, 16):
        raise Refused("an address has 4 octets or 16")
    if port is not None and not 1 <= port <= 0xFFFF:
        raise Refused("a port lies between 1 and 65535")


def emit_address(nibble: int, address_id: int, address: Address, port: Port | None, hmac: bytes) -> bytes:
    """The layout that all forms of ADD_ADDR share."""
    rest = address if port is None else address + emit_16(port)
    rest += hmac
    return bytes((MPTCP_OPTION, 4 + len(rest), ADD_ADDR << 4 | nibble, address_id)) + rest


@final
class AddAddr(Option):
    """ADD_ADDR: an address, perhaps a port, under an ID, signed with 64 bits of an HMAC."""

    __match_args__ = ("address_id", "address", "port", "hmac")

    def __init__(self, address_id: int, address: Address, port: Port | None, hmac: bytes) -> None:
        check_address(address_id, address, port)
        if len(hmac) != ADD_ADDR_HMAC:
            raise Refused("the HMAC of ADD_ADDR has 8 octets")
        self.address_id: Final = address_id
        self.address: Final = address
        self.port: Final = port
        self.hmac: Final = hmac

    def emit(self) -> bytes:
        """RFC 8684 §3.4.1, figure 12."""
        # [R8684-3.4.1-18] the flags beside E are zero
        return emit_address(0, self.address_id, self.address, self.port, self.hmac)


@final
class AddAddrEcho(Option):
    """ADD_ADDR with flag E: the receiver of an ADD_ADDR says that it came. [R8684-3.4.1-20]"""

    __match_args__ = ("address_id", "address", "port")

    def __init__(self, address_id: int, address: Address, port: Port | None) -> None:
        check_address(address_id, address, port)
        self.address_id: Final = address_id
        self.address: Final = address
        self.port: Final = port

    def emit(self) -> bytes:
        """RFC 8684 §3.4.1, figure 12."""
        return emit_address(ECHO, self.address_id, self.address, self.port, b"")


@final
class AddAddrV0(Option):
    """ADD_ADDR of version 0: neither HMAC nor echo, but the IP version. [R6824-3.4.1-02]"""

    __match_args__ = ("address_id", "address", "port")

    def __init__(self, address_id: int, address: Address, port: Port | None) -> None:
        check_address(address_id, address, port)
        self.address_id: Final = address_id
        self.address: Final = address
        self.port: Final = port

    def emit(self) -> bytes:
        """RFC 6824 §3.4.1, figure 12."""
        nibble = 4 if len(self.address) == 4 else 6
        return emit_address(nibble, self.address_id, self.address, self.port, b"")


@final
class RemoveAddr(Option):
    """REMOVE_ADDR: the IDs, one or more, of addresses that are gone. [R8684-3.4.2-05]"""

    __match_args__ = ("ids",)

    def __init__(self, ids: tuple[int, ...]) -> None:
        if not 1 <= len(ids) <= OPTION_SPACE - 3:
            raise Refused("REMOVE_ADDR has 1 to 37 IDs")
        for address_id in ids:
            if not 0 <= address_id <= 0xFF:
                raise Refused("an address ID has 8 bits")
        self.ids: Final = ids

    def emit(self) -> bytes:
        """RFC 8684 §3.4.2, figure 13."""
        return bytes((MPTCP_OPTION, 3 + len(self.ids), REMOVE_ADDR << 4)) + bytes(self.ids)


@final
class Prio(Option):
    """MP_PRIO: whether the subflow it comes on is a backup from now on. [R8684-3.3.8-04]"""

    __match_args__ = ("backup",)

    def __init__(self, backup: bool) -> None:
        self.backup: Final = backup

    def emit(self) -> bytes:
        """RFC 8684 §3.3.8, figure 11."""
        return bytes((MPTCP_OPTION, 3, PRIO << 4 | int(self.backup)))


@final
class PrioV0(Option):
    """MP_PRIO of version 0 with an address ID: for all subflows of that address. [R6824-3.3.8-01]"""

    __match_args__ = ("backup", "address_id")

    def __init__(self, backup: bool, address_id: int) -> None:
        if not 0 <= address_id <= 0xFF:
            raise Refused("an address ID has 8 bits")
        self.backup: Final = backup
        self.address_id: Final = address_id

    def emit(self) -> bytes:
        """RFC 6824 §3.3.8, figure 11."""
        return bytes((MPTCP_OPTION, 4, PRIO << 4 | int(self.backup), self.address_id))


def parse_add_addr(packet: bytes, at: int, length: int, version: int) -> Option | None:
    """The ADD_ADDR of ``length`` >= 3 octets at ``at``; None if such a one does not exist."""
    nibble = packet[at + 2] & 0xF
    # [R8684-3.4.1-19] of the flags only E counts
    signed = version > 0 and not nibble & ECHO
    size = length - ADD_ADDR_HMAC if signed else length  # [R8684-3.4.1-03] 8, 10, 20 or 22
    if size not in (8, 10, 20, 22):
        return None
    family = 4 if size < 20 else 16
    address_id = packet[at + 3]
    address = packet[at + 4 : at + 4 + family]
    port: int | None = None
    if size - family == 6:  # [R8684-3.4.1-11]
        port = u16(packet, at + 4 + family)
        if port == 0:
            return None
    if version == 0:
        if nibble != (4 if family == 4 else 6):
            return None
        return AddAddrV0(address_id, address, port)
    if signed:
        return AddAddr(address_id, address, port, packet[at + size : at + length])
    return AddAddrEcho(address_id, address, port)


def parse_remove_addr(packet: bytes, at: int, length: int) -> Option | None:
    """The REMOVE_ADDR of ``length`` >= 3 octets at ``at``; None if it names no address."""
    if length < 4:
        return None
    return RemoveAddr(tuple(packet[at + 3 : at + length]))


def parse_prio(packet: bytes, at: int, length: int, version: int) -> Option | None:
    """The MP_PRIO of ``length`` >= 3 octets at ``at``; None if such a one does not exist."""
    backup = (packet[at + 2] & BACKUP) != 0
    if length == 3:
        return Prio(backup)
    if length == 4 and version == 0:
        return PrioV0(backup, packet[at + 3])
    return None
