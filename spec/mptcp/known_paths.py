"""Path MTUs that were found out, for the next subflow between the same addresses (RFC 8201 §5.2).

A pair of addresses stands for the path: what is learnt of one says nothing about another [R8201-5.2-01]
[R1191-6.2-01].
"""

from typing import Final, final

from mptcp.parameters import PATH_MTU_LIFETIME, PATHS
from mptcp.subflow.control import NEVER
from mptcp.subflow.control import Control as Tcb
from mptcp.values import Address, Micros, Record, Value


@final
class KnownPath(Value):
    """Packets of ``size`` octets arrive; a longer one may be tried from ``until`` on."""

    __match_args__ = ("size", "until")

    def __init__(self, size: int, until: Micros) -> None:
        self.size: Final = size
        self.until: Final = until


class KnownPaths(Record):
    """By our address and the peer's, at most PATHS of them: the one that is known longest goes first."""

    FIELDS = ("paths",)

    def __init__(self) -> None:
        self.paths: dict[tuple[Address, Address], KnownPath] = {}

    def learn(self, tcb: Tcb, now: Micros) -> None:
        """What the subflow knows of its path, if that is less than both ends take."""
        path = tcb.path
        pair = (tcb.local, tcb.remote)
        if path.size == path.bound:
            self.paths.pop(pair, None)
            return
        until = path.look_at if now < path.look_at < NEVER else now + PATH_MTU_LIFETIME
        self.paths.pop(pair, None)
        while len(self.paths) >= PATHS:
            del self.paths[next(iter(self.paths))]
        self.paths[pair] = KnownPath(path.size, until)

    def recall(self, tcb: Tcb, now: Micros) -> None:
        """Let a new subflow begin with what is known; what is too old is forgotten [R8201-5.3-01]."""
        pair = (tcb.local, tcb.remote)
        known = self.paths.get(pair)
        if known is None:
            return
        if known.until <= now:
            del self.paths[pair]
        elif known.size < tcb.path.size:
            tcb.path.remember(known.size, known.until)
