"""Which parts of the catalogue are built: every clause of these is met, or filed with its reason.

A clause of a built part that is neither is an *orphan*, and a test fails on it. What is not listed here is
not claimed; a part is added when its code is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mptcp_proofs.clauses import Clause


@dataclass(frozen=True)
class Part:
    """Clauses of one RFC: those of some sections, or of all; of these those on some subjects, or on all."""

    name: str
    rfc: int
    sections: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    def has(self, clause: Clause) -> bool:
        """Whether ``clause`` belongs to this part."""
        return (
            clause.rfc == self.rfc
            and (not self.sections or clause.section in self.sections)
            and (not self.subjects or clause.subject in self.subjects)
        )


BUILT = (
    # levels 0 and 1: octets, keys, numbers, whoever speaks them
    Part("every option of version 1", 8684, subjects=("wire",)),
    Part("keys and what is derived from them", 8684, subjects=("keys",)),
    Part("every option of version 0, and its keys", 6824, subjects=("wire", "keys")),
    # one subflow
    Part("TCP", 9293),
    Part("congestion control", 5681),
    Part("selective acknowledgment", 2018),
    Part("duplicates reported", 2883),
    Part("limited transmit", 3042),
    Part("echoes of the first copy", 3522),
    Part("late or lost", 5682),
    Part("recovery with selective acknowledgment", 6675),
    Part("proportional rate reduction", 6937),
    Part("CUBIC", 8312),
    Part("loss by time, and loss probes", 8985),
    Part("blind attacks", 5961),
    Part("the retransmission timer", 6298),
    Part("NewReno", 6582),
    Part("coupled congestion control", 6356),
    Part("explicit congestion notification", 3168),
    Part("path MTU by ICMP", 1191),
    Part("path MTU by ICMPv6", 8201),
    Part("path MTU by probing", 4821),
    Part("path MTU by probing, as a machine", 8899),
    Part("ICMP that anybody may have sent", 5927),
    Part("window scale and timestamps", 7323),
    Part("initial sequence numbers", 6528),
    Part("ephemeral ports", 6056),
    Part("SYN cookies", 4987),
    Part("fast open", 7413),
    Part("TIME-WAIT and new connections", 6191),
    Part("TIME-WAIT and old resets", 1337),
    # one connection with one subflow
    Part("what holds for all options", 8684, ("3",)),
    Part("the first handshake", 8684, ("3.1",)),
    Part("data", 8684, ("3.3", "3.3.1", "3.3.2", "3.3.3", "3.3.4", "3.3.5", "3.3.6")),
    Part("joins and how they fail", 8684, ("3.2", "3.8", "3.9.1", "3.9.2", "3.9.3")),
    Part("policies of subflows", 8684, ("3.3.7", "3.3.8")),
    Part("addresses", 8684, ("3.4", "3.4.1", "3.4.2")),
    Part("fast close", 8684, ("3.5",)),
    Part("fallback", 8684, ("3.7",)),
    Part("control blocks", 8684, ("C.1.1", "C.1.2", "C.1.3", "C.2", "C.2.1", "C.2.2")),
    Part("fast open and MPTCP", 8684, ("B.1", "B.2", "B.3")),
    Part("closing", 8684, ("D",)),
)


def is_built(clause: Clause, parts: Iterable[Part] = BUILT) -> bool:
    """Whether ``clause`` belongs to a part that is built."""
    return any(part.has(clause) for part in parts)
