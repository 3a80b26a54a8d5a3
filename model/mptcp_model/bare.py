"""A bare host and single packets, for tests that need no dialogue."""

from typing import Any, Final

from mptcp.choices import Choices
from mptcp.host import Host
from mptcp.parameters import SECOND
from mptcp.values import Address, Text
from mptcp.wire import ip, segment
from mptcp.wire.segment import Segment
from mptcp_model.dialogue import HOST_IPV4, HOST_IPV6, PEER_IPV4, SEED

OTHER_IPV4: Final = bytes([10, 0, 0, 3])
LATER: Final = 1_000 * SECOND


def make_host(**choices: Any) -> Host:
    """A host with two addresses of each kind."""
    return Host((HOST_IPV4, OTHER_IPV4, HOST_IPV6), SEED, Choices(**choices))


def make_packet(
    flags: int,
    source: Address = PEER_IPV4,
    destination: Address = HOST_IPV4,
    source_port: int = 40_000,
    destination_port: int = 80,
    text: bytes = b"",
    sequence: int = 0,
) -> bytes:
    """A packet for the host."""
    texts = (Text(text, 0, len(text)),) if text else ()
    one = Segment(source, destination, source_port, destination_port, sequence, 0, flags, 1_000, 0, (), texts)
    return segment.emit(one).octets()


def read_packets(host: Host, now: int = 0) -> list[Segment]:
    """What leaves now, parsed."""
    packets = [one.octets() for one in host.transmit(now)]
    return [segment.parse(packet, ip.parse(packet)) for packet in packets]
