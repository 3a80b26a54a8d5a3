"""A router: sends a packet on by its longest matching prefix and takes one hop off its limit."""

from struct import Struct
from typing import NamedTuple

from mptcp.errors import Malformed
from mptcp.values import Address
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.icmp import Quote, TooBig, emit
from mptcp.wire.ip import TCP, Datagram, parse
from mptcp.wire.octets import emit_16
from mptcp_model.state import State


class Route(NamedTuple):
    """Addresses that begin with the first ``bits`` of ``prefix`` lie beyond ``link`` with ``mtu``."""

    prefix: Address
    bits: int
    link: str
    mtu: int


class Router(State):
    """Routes by prefix, for both families; the first of ``addresses`` of a family is its own.

    One that is ``silent`` tells nobody of what it drops: a black hole for packets that are too big.

    Counters: ``forwarded``, ``expired`` (hop limit), ``too_big``, ``lost`` (no route, malformed).
    """

    FIELDS = ("name", "addresses", "routes", "silent", "forwarded", "expired", "too_big", "lost")

    def __init__(self, name: str, addresses: tuple[Address, ...]) -> None:
        self.name = name
        self.addresses = addresses
        self.routes: list[Route] = []
        self.silent = False
        self.forwarded = 0
        self.expired = 0
        self.too_big = 0
        self.lost = 0

    def add_route(self, prefix: Address, bits: int, link: str, mtu: int) -> None:
        """Send what is for ``prefix``/``bits`` by ``link``, which carries ``mtu`` octets."""
        self.routes.append(Route(prefix, bits, link, mtu))

    def set_mtu(self, link: str, mtu: int) -> None:
        """From now on ``link`` carries ``mtu`` octets."""
        self.routes = [route._replace(mtu=mtu) if route.link == link else route for route in self.routes]

    def find(self, address: Address) -> Route | None:
        """The route to ``address`` with the longest prefix."""
        matching = [route for route in self.routes if is_within(address, route.prefix, route.bits)]
        return max(matching, key=lambda route: route.bits, default=None)

    def arrive(self, packet: bytes) -> list[tuple[str, bytes]]:
        """Send ``packet`` on, answer it, or drop it; what leaves, with the name of its link."""
        try:
            datagram = parse(packet)
        except Malformed:
            self.lost += 1
            return []
        if datagram.hop_limit <= 1:
            self.expired += 1
            return []
        route = self.find(datagram.destination)
        if route is None:
            self.lost += 1
            return []
        if len(packet) > route.mtu:
            self.too_big += 1
            return [] if self.silent else self.refuse(packet, datagram, route.mtu)
        self.forwarded += 1
        return [(route.link, compute_next_hop(packet))]

    def refuse(self, packet: bytes, datagram: Datagram, mtu: int) -> list[tuple[str, bytes]]:
        """Tell the sender of a segment that only ``mtu`` octets go through: all of ours have DF."""
        back = self.find(datagram.source)
        own = [address for address in self.addresses if len(address) == len(datagram.source)]
        if back is None or not own or datagram.protocol != TCP:
            return []
        at = datagram.start
        source_port, destination_port, sequence = Struct("!HHI").unpack_from(packet, at)
        quote = Quote(datagram.source, datagram.destination, source_port, destination_port, sequence)
        return [(back.link, emit(TooBig(mtu, quote), own[0], datagram.source, packet))]


def is_within(address: Address, prefix: Address, bits: int) -> bool:
    """Whether ``address`` begins with the first ``bits`` of ``prefix``, of the same family."""
    if len(address) != len(prefix):
        return False
    rest = 8 * len(prefix) - bits
    return int.from_bytes(address, "big") >> rest == int.from_bytes(prefix, "big") >> rest


def compute_next_hop(packet: bytes) -> bytes:
    """``packet`` with one hop less and, in IPv4, the header checksum that goes with it."""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([packet[7] - 1]) + packet[8:]
    length = (packet[0] & 15) * 4
    header = packet[:8] + bytes([packet[8] - 1, packet[9], 0, 0]) + packet[12:length]
    checksum = compute_checksum(compute_sum(header, 0, length))
    return header[:10] + emit_16(checksum) + header[12:] + packet[length:]
