"""The base of all path managers: facts in, wishes out, both plain values (RFC 8684 §3.2, §3.4).

The base itself is a whole manager, the humblest one: it wants one subflow, welcomes every other, and
opens and announces none.
"""

from typing import Final, final

from mptcp.values import Address, Port, Record, Value


@final
class Place(Value):
    """One end of a path: an Address ID, the address, the port to connect to (of the peer's places)."""

    __match_args__ = ("address_id", "address", "port", "is_backup", "is_signal")

    def __init__(
        self, address_id: int, address: Address, port: Port, is_backup: bool, is_signal: bool
    ) -> None:
        self.address_id: Final = address_id
        self.address: Final = address
        self.port: Final = port
        self.is_backup: Final = is_backup
        self.is_signal: Final = is_signal


Pair = tuple[int, int]
"""The Address IDs of both ends of a path, ours first."""


@final
class Facts(Value):
    """All that a path manager is told of a connection.

    ``taken`` are the pairs in use or being opened, ``resting`` those that are not to be tried now;
    ``room`` is how many more subflows there may be; ``was_joined``: there was more than one once.
    """

    __match_args__ = ("is_initiator", "locals", "remotes", "taken", "resting", "room", "was_joined")

    def __init__(
        self,
        is_initiator: bool,
        locals: tuple[Place, ...],
        remotes: tuple[Place, ...],
        taken: tuple[Pair, ...],
        resting: tuple[Pair, ...],
        room: int,
        was_joined: bool,
    ) -> None:
        self.is_initiator: Final = is_initiator
        self.locals: Final = locals
        self.remotes: Final = remotes
        self.taken: Final = taken
        self.resting: Final = resting
        self.room: Final = room
        self.was_joined: Final = was_joined


@final
class Join(Value):
    """A wish: a subflow between these two places."""

    __match_args__ = ("local_id", "remote_id")

    def __init__(self, local_id: int, remote_id: int) -> None:
        self.local_id: Final = local_id
        self.remote_id: Final = remote_id


@final
class Announce(Value):
    """A wish: the peer should know this place of ours."""

    __match_args__ = ("local_id",)

    def __init__(self, local_id: int) -> None:
        self.local_id: Final = local_id


Wish = Join | Announce


class PathManager(Record):
    """Decides about subflows beyond the first; this one never wants any. [R8684-3.1-31]

    Policy is local: when, how many, by join or by announcement [R8684-3.4-03] [R8684-3.3.8-02].
    """

    FIELDS = ()

    def decide(self, facts: Facts) -> list[Wish]:
        """What is wanted as things stand; asked whenever a fact has changed."""
        return []

    def is_hopeful(self, facts: Facts) -> bool:
        """Whether a connection that lost all its subflows may get another (RFC 8684 §3.3.3)."""
        return facts.was_joined
