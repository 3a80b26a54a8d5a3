"""Who a segment is for, and from where we call: four-tuples, ephemeral ports, initial sequence numbers."""

import hashlib
import hmac
from typing import Final, final

from mptcp.errors import Refused
from mptcp.native import mypyc_attr
from mptcp.numbers import MASK_32
from mptcp.values import Address, FourTuple, Micros, Port, Record, Value

LAST_EPHEMERAL: Final = 65_535  # RFC 6335 §6


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Found(Value):
    """Whose ``four`` is."""

    __match_args__ = ("four", "handle")

    def __init__(self, four: FourTuple, handle: int) -> None:
        self.four: Final = four
        self.handle: Final = handle


class Ports(Record):
    """The four-tuples in use, each with the handle of its connection; and where the next call comes from.

    ``secret``: octets that nobody else knows. ``first``: the first ephemeral port.
    """

    FIELDS = ("by_tuple", "secret", "first", "counters")
    SHARED = ("found",)

    def __init__(self, secret: bytes, first: Port) -> None:
        self.by_tuple: dict[FourTuple, int] = {}
        self.secret = secret
        self.first = first
        self.counters: dict[int, int] = {}  # ports tried so far, by a hash of whom we called
        self.found: Found | None = None  # what was found last, if it still holds

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.secret, self.first)

    def find(self, four: FourTuple) -> int:
        """The handle of the connection that has ``four``; 0 if none has."""
        found = self.found
        if found is not None and four == found.four:
            return found.handle  # fast path: where one segment comes, the next does
        handle = self.by_tuple.get(four, 0)
        self.found = Found(four, handle)
        return handle

    def take(self, four: FourTuple, handle: int) -> None:
        """``four`` is in use by ``handle`` from now on."""
        self.by_tuple[four] = handle
        self.found = None

    def release(self, four: FourTuple, handle: int) -> None:
        """``handle`` needs ``four`` no more; somebody else may have it by now."""
        if self.by_tuple.get(four, 0) == handle:
            del self.by_tuple[four]
            self.found = None

    def draw(self, local: Address, remote: Address, remote_port: Port) -> Port:
        """A free ephemeral port: two hashes and a counter (RFC 6056 §3.3.4). Raises Refused: all are taken.

        To whoever does not know the secret the first is as good as random; the next ones to the same
        place follow it, so that none comes again soon. [R6056-3.3-01] [R6056-3.3.4-01] [R6056-3.3.4-02]
        """
        digest = compute_digest(self.secret, local + remote + remote_port.to_bytes(2, "big"))
        offset = int.from_bytes(digest[:4], "big")
        index = digest[4]
        count = LAST_EPHEMERAL - self.first + 1
        for _ in range(count):
            counter = self.counters.get(index, 0)
            self.counters[index] = counter + 1
            port = self.first + (offset + counter) % count
            if (local, port, remote, remote_port) not in self.by_tuple:
                return port
        raise Refused("insufficient resources: all ports are taken")


def compute_digest(secret: bytes, message: bytes) -> bytes:
    """32 octets that nobody can tell from chance who does not know ``secret``."""
    return hmac.digest(secret, message, hashlib.sha256)


def compute_message(four: FourTuple) -> bytes:
    """A four-tuple in octets, for a hash."""
    local, local_port, remote, remote_port = four
    return local + local_port.to_bytes(2, "big") + remote + remote_port.to_bytes(2, "big")


def compute_iss(secret: bytes, four: FourTuple, now: Micros) -> int:
    """The initial sequence number: a clock of 4 µs and a keyed hash of the addresses (RFC 6528 §3).

    [R6528-3-01] [R6528-3-02]

    [R8684-3-08]
    """
    digest = compute_digest(secret, compute_message(four))
    # [R9293-3.4.1-01] [R9293-3.4.1-03] the clock; [R9293-3.4.1-02] the hash
    return (now // 4 + int.from_bytes(digest[:4], "big")) & MASK_32


def compute_ts_offset(secret: bytes, four: FourTuple) -> int:
    """Where the timestamp clock between two addresses starts, 32 bits (RFC 7323 §7.1).

    The same for all their connections: a later one never looks older, which RFC 6191 §2 counts on.
    """
    return int.from_bytes(compute_digest(secret, b"timestamps" + four[0] + four[2])[:4], "big")


def is_unicast(address: Address) -> bool:
    """Whether one host can be meant by ``address`` [R9293-3.9.2.3-01] [R9293-3.9.2.3-02]."""
    if len(address) == 4:
        return 0 < address[0] < 224
    return address[0] != 0xFF and address != bytes(16)
