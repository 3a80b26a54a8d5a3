"""What a host has: its connections and listeners, how they are found, what waits to be done.

``Host`` adds the five calls and those of the user.
"""

from typing import Final

from mptcp.agenda import Agenda
from mptcp.assembly import assemble
from mptcp.chance import Chance
from mptcp.choices import Choices
from mptcp.connection.connection import Connection, compute_four
from mptcp.destinations import Destinations
from mptcp.errors import Refused
from mptcp.fast_open import FastOpens
from mptcp.interfaces import Interfaces
from mptcp.journal import Journal
from mptcp.keys import compute_token
from mptcp.known_paths import KnownPaths
from mptcp.listeners import Listeners
from mptcp.parameters import KEY_LENGTH
from mptcp.ports import Ports, compute_ts_offset
from mptcp.subflow.state import State
from mptcp.values import Address, FourTuple, Micros, Record
from mptcp.wire.segment import Outgoing, Segment, emit

ANSWERS: Final = 256  # packets for nobody that wait to be sent; more are not worth keeping


class Registry(Record):
    """The state of a host: a tree of records, all of it."""

    FIELDS = (
        "interfaces",
        "chance",
        "secret",
        "connections",
        "listeners",
        "destinations",
        "fast_opens",
        "known_paths",
        "ports",
        "by_token",
        "next_handle",
        "answers",
        "agenda",
        "touched",
        "stale",
        "news",
        "malformed",
    )
    SHARED = ("choices", "journal", "recent")

    def __init__(
        self,
        addresses: tuple[Address, ...],
        seed: bytes,
        choices: Choices | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.interfaces = Interfaces(addresses)
        self.chance = Chance(seed)
        self.secret = self.chance.draw(32)  # for initial sequence numbers, RFC 6528 §3
        self.connections: dict[int, Connection] = {}
        self.listeners = Listeners()
        self.destinations = Destinations()
        self.fast_opens = FastOpens()
        self.known_paths = KnownPaths()
        self.choices = Choices() if choices is None else choices
        self.journal = Journal() if journal is None else journal
        self.ports = Ports(self.chance.draw(32), self.choices.first_port)
        self.by_token: dict[int, int] = {}  # local ones only [R8684-3.1-14] [R8684-1.3-02]
        self.next_handle = 1
        self.answers: list[Outgoing] = []  # of no connection
        self.agenda = Agenda()
        self.touched: dict[int, bool] = {}  # may have something to send
        self.stale: dict[int, bool] = {}  # may have another deadline
        self.news: dict[int, bool] = {}  # may have something to tell
        self.recent = 0  # the handle touched last, as long as all three have it; else 0
        self.malformed = 0  # packets that were not what they claimed

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.interfaces.addresses, self.chance.seed, self.choices, self.journal)

    def find(self, handle: int) -> Connection:
        """The connection, or Refused in the words of RFC 9293 §3.10."""
        connection = self.connections.get(handle)
        if connection is None or connection.control.is_forgotten:
            raise Refused("connection does not exist")
        return connection

    def create(
        self, listener: int, four: FourTuple, choices: Choices, version: int, iss: int, now: Micros
    ) -> Connection:
        """A connection under a handle and a token of its own. [R8684-1.3-01]"""
        key, _ = self.draw_key(version)
        connection = self.assemble(listener, four, choices, version, key, iss, now)
        self.register(connection)
        self.known_paths.recall(connection.control.branches[0].subflow.tcb, now)
        return connection

    def assemble(
        self,
        listener: int,
        four: FourTuple,
        choices: Choices,
        version: int,
        key: bytes,
        iss: int,
        now: Micros,
    ) -> Connection:
        """A connection that nobody knows of yet."""
        ts_offset = compute_ts_offset(self.secret, four)
        return assemble(
            self.draw_handle(), listener, four, choices, version, key, iss, ts_offset, self.journal, now
        )

    def register(self, connection: Connection) -> None:
        """From now on it is found, by its addresses and ports and by its token."""
        control = connection.control
        self.connections[control.handle] = connection
        self.ports.take(control.first, control.handle)
        self.by_token[control.local_token] = control.handle

    def release(self, connection: Connection) -> None:
        """Nothing more comes for ``connection``: its addresses and token are free again."""
        control = connection.control
        for branch in control.branches:
            self.ports.release(compute_four(branch), control.handle)
        if self.by_token.get(control.local_token, 0) == control.handle:
            del self.by_token[control.local_token]
        self.count_opening(connection)
        # one that never opened was never shown to anybody
        if control.is_forgotten or (control.listener and not control.was_open):
            del self.connections[control.handle]
            self.agenda.forget(control.handle)

    def count_opening(self, connection: Connection) -> None:
        """A connection leaves its listener's backlog once it is open, or over."""
        control = connection.control
        is_opening = control.branches and control.branches[0].subflow.tcb.state is State.SYN_RECEIVED
        if control.is_counted and not is_opening:
            control.is_counted = False
            self.listeners.count(control.listener, -1)
            if control.is_fast:
                control.is_fast = False
                self.listeners.count_fast(control.listener, -1)

    def draw_handle(self) -> int:
        """A number that nothing else in this host has."""
        handle = self.next_handle
        self.next_handle += 1
        return handle

    def draw_key(self, version: int) -> tuple[bytes, int]:
        """A key and its token, which no other connection has.

        [R8684-3.1-11] [R8684-3.1-13] [R8684-3.1-15]
        """
        while True:
            key = self.chance.draw(KEY_LENGTH)
            token = compute_token(key, version)
            if token not in self.by_token:
                return key, token

    def touch(self, connection: Connection) -> None:
        """Something happened to ``connection``."""
        handle = connection.control.handle
        if handle == self.recent:
            return  # fast path: segments come in batches
        self.recent = handle
        self.touched[handle] = True
        self.stale[handle] = True
        self.news[handle] = True

    def answer(self, segment: Segment | None) -> None:
        """Queue a RST that belongs to no connection."""
        if segment is not None:
            self.queue(emit(segment))

    def queue(self, packet: Outgoing) -> None:
        """Let a packet that belongs to no connection leave with the next transmit."""
        if len(self.answers) < ANSWERS:
            self.answers.append(packet)
