"""A conversation of packets in plain lines: who to whom, flags, text, options."""

import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Final, final

from mptcp.errors import Malformed
from mptcp.wire import ip
from mptcp.wire.dss import Dss
from mptcp.wire.options import EndOfList, NoOperation, Option
from mptcp.wire.segment import Segment, parse

FLAGS: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
PADDING: Final = (NoOperation, EndOfList)


@final
class Transcript:
    """Keeps the first ``limit`` packets that it sees, counts the others; ``names`` for the addresses."""

    def __init__(self, names: Mapping[str, str], limit: int = 40) -> None:
        self._names: Final = dict(names)
        self._limit: Final = limit
        self._packets: Final[list[tuple[float, bytes]]] = []
        self._more = 0

    def add(self, packet: bytes) -> None:
        """A packet passes now."""
        if len(self._packets) < self._limit:
            self._packets.append((time.monotonic(), packet))
        else:
            self._more += 1

    def lines(self) -> Iterator[str]:
        """One line for each packet that was kept."""
        for moment, packet in self._packets:
            yield f"{moment - self._packets[0][0]:9.6f}  {self.describe(packet)}"
        if self._more:
            yield f"and {self._more} more"

    def describe(self, packet: bytes) -> str:
        """A packet in words."""
        try:
            datagram = ip.parse(packet)
            segment = parse(packet, datagram)
        except Malformed as error:
            return f"not a segment: {error}"
        source = self._name(datagram.source)
        destination = self._name(datagram.destination)
        return f"{source:>8} → {destination:8}  {describe_segment(segment)}"

    def _name(self, address: bytes) -> str:
        text = str(ip_address(address))
        return self._names.get(text, text)


def describe_segment(segment: Segment) -> str:
    """Flags, octets of text, window, and the options that mean something."""
    flags = " ".join(name for bit, name in enumerate(FLAGS) if segment.flags >> bit & 1)
    text = f"{segment.text_length} octets" if segment.text_length else ""
    options = [describe_option(one) for one in segment.options if not isinstance(one, PADDING)]
    return f"{flags:8} {text:11} window {segment.window:5}  {' '.join(options)}"


def describe_option(option: Option) -> str:
    """An option's name; of a DSS what it acknowledges and maps, too."""
    if not isinstance(option, Dss):
        return type(option).__name__
    words = ["Dss"]
    if option.ack is not None:
        words.append(f"ack {option.ack.number}")
    if option.mapping is not None:
        mapping = option.mapping
        what = (
            "DATA_FIN" if mapping.fin and mapping.ssn == 0 else f"{mapping.length} octets from {mapping.ssn}"
        )
        words.append(f"dsn {mapping.dsn} ({what})")
    return "[" + " ".join(words) + "]"
