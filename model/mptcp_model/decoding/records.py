"""What is known of connections from outside: their hosts, subflows and directions.

Numbers are offsets, as everywhere inside: 0 is the octet of the SYN, or the IDSN. What was not seen is None.
"""

from typing import Final, NamedTuple, final

from mptcp.keys import compute_idsn, compute_token
from mptcp.native import mypyc_attr
from mptcp.values import Address, Port, Value
from mptcp_model.decoding.sums import Unfinished

KEPT_MAPPINGS: Final = 256
"""Of each direction, the latest: no sender has more on the way without an acknowledgment for them."""


class End(NamedTuple):
    """One end of a flow."""

    address: Address
    port: Port


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Mapped(Value):
    """The ``length`` octets of text from ``ssn`` on of a subflow are those from ``dsn`` on of the data."""

    __match_args__ = ("ssn", "dsn", "length")

    def __init__(self, ssn: int, dsn: int, length: int) -> None:
        self.ssn: Final = ssn
        self.dsn: Final = dsn
        self.length: Final = length


@final
class Host:
    """One end of a connection: its key and what follows from it, and how far its data was seen to go."""

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.token: int | None = None
        self.idsn: int | None = None
        self.highest = 0

    def learn(self, key: bytes, version: int) -> None:
        """The key is ``key``."""
        self.key, self.token, self.idsn = key, compute_token(key, version), compute_idsn(key, version)


@final
class Direction:
    """One way of a subflow: what its sender said on it."""

    def __init__(self, host: Host, letter: str) -> None:
        self.host: Final = host  # that sends
        self.letter: Final = letter  # A for the host that opened the connection, B for the other
        self.isn: int | None = None
        self.highest = 0  # the largest offset seen, of its own numbers or those that acknowledge them
        self.begun = False  # its SYN was seen
        self.early = 0  # octets of text on its SYN that were accepted: no SSN counts them; RFC 8684 §B.3
        self.scale: int | None = None  # by which its windows are shifted, as its SYN says
        self.nonce: bytes | None = None  # of its MP_JOIN
        self.address_id: int | None = None
        self.ended = False  # a FIN was seen
        self.mappings: Final[list[Mapped]] = []
        self.unfinished: list[Unfinished] = []  # mappings with a checksum, text missing
        self.head = ""  # what a teller says of it each time

    def keep(self, ssn: int, dsn: int, length: int) -> None:
        """Remember a mapping, unless it is the latest one again."""
        mappings = self.mappings
        if mappings:
            latest = mappings[-1]
            if latest.ssn == ssn and latest.dsn == dsn and latest.length == length:
                return
        mappings.append(Mapped(ssn, dsn, length))
        if len(mappings) > KEPT_MAPPINGS:
            del mappings[0]


@final
class Subflow:
    """A TCP connection, and which subflow of which connection it is."""

    def __init__(
        self,
        number: int,
        connection: "Connection",
        source: End,
        destination: End,
        forth: Direction,
        back: Direction,
        joined: bool,
    ) -> None:
        self.number: Final = number  # within the connection, from 1
        self.connection: Final = connection
        self.source: Final = source  # of the SYN, or of the first segment seen
        self.destination: Final = destination
        self.forth: Final = forth
        self.back: Final = back
        self.joined: Final = joined  # began with MP_JOIN
        self.closed = False


@final
class Connection:
    """A connection of one subflow or many; of plain TCP as well."""

    def __init__(self, number: int, hosts: tuple[Host, Host]) -> None:
        self.number: Final = number  # within the capture, from 1
        self.hosts: Final = hosts  # the one that opened it, the other
        self.version: int | None = None  # of MPTCP, once both have spoken it; None as long as it is TCP
        self.subflows: Final[list[Subflow]] = []
        self.kept = 0  # subflows that are not forgotten yet
