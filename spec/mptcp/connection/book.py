"""The addresses of both hosts by their Address IDs (RFC 8684 §3.2, §3.4): a record without behaviour.

[R8684-3.2-09] [R8684-3.4.1-06] [R8684-4-09] [R6824-3.2-02] Each connection keeps a book of its own; ID 0
is the address of the first subflow [R8684-3.2-08].
"""

from mptcp.subflow.control import NEVER
from mptcp.values import Address, FourTuple, Micros, Port, Record


class Local(Record):
    """One of our addresses, and how its announcement goes."""

    FIELDS = ("address", "port", "is_backup", "is_signal", "tries", "announce_at", "is_echoed")

    def __init__(self, address: Address, port: Port, is_backup: bool, is_signal: bool) -> None:
        self.address = address
        self.port = port  # where the peer may connect to; 0: where the connection is
        self.is_backup = is_backup  # subflows from it are asked to be backups
        self.is_signal = is_signal  # the peer may be told of it
        self.tries = 0  # ADD_ADDRs sent
        self.announce_at: Micros = NEVER  # when the next one is due
        self.is_echoed = False  # the peer has it

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.address, self.port, self.is_backup, self.is_signal)


class Remote(Record):
    """One of the peer's addresses: soft state, as it told us [R8684-3.4.1-08]."""

    FIELDS = ("address", "port", "is_removed")

    def __init__(self, address: Address, port: Port) -> None:
        self.address = address
        self.port = port  # where to connect to
        self.is_removed = False  # nothing new is to go there

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.address, self.port)


class Book(Record):
    """What a connection knows of addresses, and of the attempts to use them."""

    FIELDS = (
        "locals",
        "remotes",
        "rests",
        "barred",
        "strangers",
        "failures",
        "removed",
        "vacated",
        "is_due",
        "wake_at",
        "was_joined",
    )

    def __init__(self) -> None:
        self.locals: dict[int, Local] = {}
        self.remotes: dict[int, Remote] = {}
        self.rests: dict[tuple[int, int], Micros] = {}  # pair of IDs: not to be tried before
        self.barred: list[tuple[int, int]] = []  # pairs that the peer said are of no use [R8684-3.6-08]
        self.strangers: dict[Address, int] = {}  # who joined from there with a wrong HMAC, how often
        self.failures = 0  # joins that failed since the last one that did not
        self.removed: list[int] = []  # IDs that the peer has not been told are gone
        self.vacated: dict[FourTuple, Micros] = {}  # of subflows whose address went: not to be used before
        self.is_due = True  # the path manager has something new to look at
        self.wake_at: Micros = NEVER  # when it has again, whatever happens
        self.was_joined = False  # there was more than one subflow once, or will be
