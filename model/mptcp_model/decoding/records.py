"""What is known of connections from outside: their hosts, subflows and directions.

Numbers are offsets, as everywhere inside: 0 is the octet of the SYN, or the IDSN. What was not seen is None.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from mptcp.keys import compute_idsn, compute_token
from mptcp.values import Address, Port
from mptcp_model.decoding.sums import Unfinished

KEPT_MAPPINGS: Final = 256
"""Of each direction, the latest: no sender has more on the way without an acknowledgment for them."""


class End(NamedTuple):
    """One end of a flow."""

    address: Address
    port: Port


class Mapped(NamedTuple):
    """The ``length`` octets of text from ``ssn`` on of a subflow are those from ``dsn`` on of the data."""

    ssn: int
    dsn: int
    length: int


@dataclass(slots=True)
class Host:
    """One end of a connection: its key and what follows from it, and how far its data was seen to go."""

    key: bytes | None = None
    token: int | None = None
    idsn: int | None = None
    highest: int = 0

    def learn(self, key: bytes, version: int) -> None:
        """The key is ``key``."""
        self.key, self.token, self.idsn = key, compute_token(key, version), compute_idsn(key, version)


@dataclass(slots=True)
class Direction:
    """One way of a subflow: what its sender said on it."""

    host: Host  # that sends
    letter: str  # A for the host that opened the connection, B for the other
    isn: int | None = None
    highest: int = 0  # the largest offset seen, of its own numbers or those that acknowledge them
    begun: bool = False  # its SYN was seen
    early: int = 0  # octets of text on its SYN that were accepted: no SSN counts them; RFC 8684 §B.3
    scale: int | None = None  # by which its windows are shifted, as its SYN says
    nonce: bytes | None = None  # of its MP_JOIN
    address_id: int | None = None
    ended: bool = False  # a FIN was seen
    mappings: deque[Mapped] = field(default_factory=lambda: deque(maxlen=KEPT_MAPPINGS))
    unfinished: list[Unfinished] = field(default_factory=list)  # mappings with a checksum, text missing
    head: str = ""  # what a teller says of it each time


@dataclass(slots=True)
class Subflow:
    """A TCP connection, and which subflow of which connection it is."""

    number: int  # within the connection, from 1
    connection: "Connection"
    source: End  # of the SYN, or of the first segment seen
    destination: End
    forth: Direction
    back: Direction
    joined: bool = False  # began with MP_JOIN
    closed: bool = False


@dataclass(slots=True)
class Connection:
    """A connection of one subflow or many; of plain TCP as well."""

    number: int  # within the capture, from 1
    hosts: tuple[Host, Host]  # the one that opened it, the other
    version: int | None = None  # of MPTCP, once both have spoken it; None as long as it is TCP
    subflows: list[Subflow] = field(default_factory=list)
    kept: int = 0  # subflows that are not forgotten yet
