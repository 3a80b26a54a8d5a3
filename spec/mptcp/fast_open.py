"""Fast-open cookies: those that we give, without remembering to whom, and those that we were given.

RFC 7413 §4.1.
"""

from typing import Final, final

from mptcp.choices import Choices
from mptcp.keys import is_equal
from mptcp.parameters import DEFAULT_MSS_IPV4, DESTINATIONS, FAST_OPEN_REST
from mptcp.ports import compute_digest
from mptcp.values import Address, Micros, Record, Value
from mptcp.wire.options import FastOpen
from mptcp.wire.segment import Segment

LENGTHS: Final = (6, 8)
"""Octets of our cookies: beside MP_CAPABLE on a SYN/ACK there is no room for more [R8684-B.1-01]."""


def find_cookie(segment: Segment) -> bytes | None:
    """The cookie of a SYN, empty if it asks for one; None without the option [R7413-4.1.1-02]."""
    for option in segment.options:
        if isinstance(option, FastOpen):
            return option.cookie
    return None


def compute_cookie(secret: bytes, client: Address, choices: Choices, now: Micros, age: int) -> bytes:
    """Our cookie for ``client``: of this lifetime, or of ``age`` lifetimes ago [R7413-4.1.2-01].

    [R7413-4.1.1-01]
    """
    lifetime: int = now // choices.fast_open_lifetime - age
    digest = compute_digest(secret, b"fast open" + client + lifetime.to_bytes(8, "big", signed=True))
    return digest[: LENGTHS[0] if choices.multipath else LENGTHS[1]]


def is_good(secret: bytes, client: Address, choices: Choices, cookie: bytes, now: Micros) -> bool:
    """Whether ``cookie`` is ours for ``client``, of this lifetime or the last one."""
    for age in (0, 1):
        if is_equal(cookie, compute_cookie(secret, client, choices, now, age)):
            return True
    return False


@final
class Given(Value):
    """What a server gave us: its cookie, and the MSS that it announced. Not used before ``rests_until``."""

    __match_args__ = ("cookie", "mss", "rests_until")

    def __init__(self, cookie: bytes, mss: int, rests_until: Micros) -> None:
        self.cookie: Final = cookie
        self.mss: Final = mss
        self.rests_until: Final = rests_until


NOTHING: Final = Given(b"", DEFAULT_MSS_IPV4, 0)


class FastOpens(Record):
    """What servers gave us, by their addresses [R7413-4.1.3-01]; what is known longest goes first."""

    FIELDS = ("given",)

    def __init__(self) -> None:
        self.given: dict[Address, Given] = {}

    def find(self, server: Address) -> Given:
        """What is known of ``server``."""
        return self.given.get(server, NOTHING)

    def keep(self, server: Address, cookie: bytes, mss: int) -> None:
        """``server`` gave us ``cookie`` [R7413-4.1.3-01] and takes segments of ``mss`` octets."""
        self.put(server, Given(cookie, mss, 0))

    def rest(self, server: Address, now: Micros) -> None:
        """Text on a SYN to ``server`` did no good: not again for a while.

        [R7413-4.1.3-03] [R7413-4.1.3-04]
        """
        self.put(server, Given(b"", DEFAULT_MSS_IPV4, now + FAST_OPEN_REST))

    def put(self, server: Address, given: Given) -> None:
        """At most DESTINATIONS servers are remembered."""
        self.given.pop(server, None)
        while len(self.given) >= DESTINATIONS:
            del self.given[next(iter(self.given))]
        self.given[server] = given
