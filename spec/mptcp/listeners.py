"""Passive OPEN: who waits for SYNs, where, and how many are half open (RFC 9293 §3.10.1)."""

from typing import Final, final

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.parameters import COOKIE_PERIOD
from mptcp.subflow.control import NEVER
from mptcp.values import Address, Micros, Port, Record, Value


@final
class Listener(Value):
    """Who waits for SYNs: on one address or on all (None), on one port."""

    __match_args__ = ("handle", "address", "port", "choices")

    def __init__(self, handle: int, address: Address | None, port: Port, choices: Choices) -> None:
        self.handle: Final = handle
        self.address: Final = address
        self.port: Final = port
        self.choices: Final = choices


class Listeners(Record):
    """All listeners of a host, by handle and by place; and how many connections of each are opening."""

    FIELDS = ("by_handle", "by_place", "opening", "fast", "baked_at")

    def __init__(self) -> None:
        self.by_handle: dict[int, Listener] = {}
        self.by_place: dict[tuple[Address | None, Port], int] = {}
        self.opening: dict[int, int] = {}  # listener: its connections in SYN-RECEIVED
        self.fast: dict[int, int] = {}  # of these, how many were opened by a cookie: RFC 7413 §4.2
        self.baked_at: Micros = NEVER  # when the latest SYN cookie left

    def check(self, address: Address | None, port: Port) -> None:
        """Raises Refused where another listener stands in the way."""
        for place, taken in self.by_place:
            if taken == port and (address is None or place is None or place == address):
                raise Refused("port in use")

    def add(self, listener: Listener) -> None:
        """``listener``, whose place was checked, waits from now on."""
        self.by_handle[listener.handle] = listener
        self.by_place[listener.address, listener.port] = listener.handle

    def remove(self, handle: int) -> None:
        """No more SYNs for it. Raises Refused: no such listener."""
        listener = self.by_handle.pop(handle, None)
        if listener is None:
            raise Refused("listener does not exist")
        del self.by_place[listener.address, listener.port]
        self.opening.pop(handle, None)
        self.fast.pop(handle, None)

    def find(self, address: Address, port: Port) -> Listener | None:
        """Who listens at ``port`` of ``address``; one that names the address goes first."""
        handle = self.by_place.get((address, port), 0) or self.by_place.get((None, port), 0)
        return self.by_handle.get(handle)

    def is_full(self, listener: Listener) -> bool:
        """Whether its backlog has no room for another half connection."""
        return self.opening.get(listener.handle, 0) >= listener.choices.backlog

    def is_fast_open(self, listener: Listener) -> bool:
        """Whether one more may skip the handshake [R7413-5.1-01] [R7413-2-01]."""
        return self.fast.get(listener.handle, 0) < listener.choices.fast_open_backlog

    def count_fast(self, handle: int, step: int) -> None:
        """One more, or one less, is open before its handshake is over."""
        if handle in self.by_handle:
            self.fast[handle] = self.fast.get(handle, 0) + step

    def has_baked(self, now: Micros) -> bool:
        """Whether cookies are about: else an ACK that nobody knows is not worth looking at [R4987-3.6-04]."""
        return self.baked_at <= now <= self.baked_at + 2 * COOKIE_PERIOD

    def count(self, handle: int, step: int) -> None:
        """One connection more, or one less, is opening; a listener that is gone counts no more."""
        if handle in self.by_handle:
            self.opening[handle] = self.opening.get(handle, 0) + step
