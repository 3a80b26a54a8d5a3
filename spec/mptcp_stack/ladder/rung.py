"""What a rung is, and what came of climbing it."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from mptcp_stack.forwarder import Line

CLIENT: Final = "client"  # we open, the kernel accepts
SERVER: Final = "server"  # the other way round
KERNEL: Final = "kernel"  # the kernel at both ends, for comparison
ROLES: Final = (CLIENT, SERVER)

OK: Final = "ok"
FELL: Final = "fell"
SKIPPED: Final = "skipped"

FEW: Final = 1_000  # octets that fit into any window

Runner = Callable[[Any], Awaitable[None]]
"""What is done on a ``Ground``; raises Fell."""


class Fell(Exception):
    """What should have happened did not; the text says what."""


@dataclasses.dataclass(frozen=True)
class Rung:
    """One line of the table.

    name        what `--rung` calls it; all that begins with the same word belongs together
    about       what is tried, in a line
    run         the function that does it, once for each family and role
    octets      each way, if the function sends any
    lines       the wires between the kernel and us
    paths       how many TUN interfaces there are instead, if there is no wire
    mtu         of every interface, octets
    sysctls     of the namespace
    choices     ours, by field
    families    4, 6
    roles       ours
    rises       counters of the kernel that must rise, or nothing was tried
    stays       counters that must not
    notes       rules that our journal must have noted
    seconds     after which it has fallen
    alone       whether it wants the machine for itself
    """

    name: str
    about: str
    run: Runner
    octets: int = 100_000
    lines: tuple[Line, ...] = ()
    paths: int = 1
    mtu: int = 1500
    sysctls: Mapping[str, str | int] = dataclasses.field(default_factory=dict)
    choices: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    families: tuple[int, ...] = (4, 6)
    roles: tuple[str, ...] = ROLES
    rises: tuple[str, ...] = ()
    stays: tuple[str, ...] = ("TcpInErrs",)
    notes: tuple[str, ...] = ()
    seconds: float = 60
    alone: bool = False

    def cases(self) -> list[tuple[int, str]]:
        """Each family with each role."""
        return [(family, role) for family in self.families for role in self.roles]


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of one rung in one family and role.

    octets       that arrived, either way
    ours         octets that we sent again
    kernels      segments that the kernel sent again
    words        why it fell or was skipped, or what else is to be said
    witness      the kernel's counters that matter: those of MPTCP that rose, and those of the rung
    noted        how often our journal noted the rules of the rung
    deviations   what the kernel was seen to do that the RFC does not, and the clause
    sha256       of what we sent and received, of each connection: the kernel's program has the same
    """

    rung: str
    family: int
    role: str
    verdict: str
    octets: int = 0
    seconds: float = 0.0
    ours: int = 0
    kernels: int = 0
    words: str = ""
    witness: Mapping[str, int] = dataclasses.field(default_factory=dict)
    noted: Mapping[str, int] = dataclasses.field(default_factory=dict)
    deviations: str = ""
    sha256: tuple[str, ...] = ()
