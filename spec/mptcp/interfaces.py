"""The host's own addresses, which come and go while it runs (RFC 8684 §3.4)."""

from mptcp.errors import Refused
from mptcp.ports import is_unicast
from mptcp.values import Address, Port, Record


class Interfaces(Record):
    """``addresses``, and what was said of some. Raises Refused: no address."""

    FIELDS = ("addresses", "signals", "spares")

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        for address in addresses:
            if len(address) not in (4, 16):
                raise Refused("an address has 4 or 16 octets")
        self.addresses = addresses
        self.signals: dict[Address, Port] = {}  # peers are told of these; port 0: where they are anyway
        self.spares: dict[Address, bool] = {}  # for backup subflows

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.addresses,)

    def has(self, address: Address) -> bool:
        """Whether it is ours."""
        return address in self.addresses

    def check(self, address: Address) -> None:
        """Raises Refused: not ours."""
        if address not in self.addresses:
            raise Refused("not an address of this host")

    def add(self, address: Address, is_backup: bool, is_signal: bool, port: Port) -> None:
        """One more. Raises Refused: not the address of one host, no port, or ours already."""
        if len(address) not in (4, 16) or not is_unicast(address):
            raise Refused("an address has 4 or 16 octets, and is that of one host")
        if not 0 <= port <= 65_535:
            raise Refused("a port is between 1 and 65535")
        if address in self.addresses:
            raise Refused("already an address of this host")
        self.addresses = (*self.addresses, address)
        self.spares[address] = is_backup
        if is_signal:
            self.signals[address] = port

    def remove(self, address: Address) -> None:
        """One less. Raises Refused: not ours."""
        self.check(address)
        self.addresses = tuple([one for one in self.addresses if one != address])
        self.signals.pop(address, 0)
        self.spares.pop(address, False)
