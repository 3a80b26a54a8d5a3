"""One file that went from one end to another, what was seen of that, and what speaks against it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mptcp.values import Micros
from mptcp.wire import ip
from mptcp_model.simulated.capture import Packet
from mptcp_model.simulated.network import Window

SEED = 8684
CHUNK = 1 << 20


@dataclass(frozen=True)
class Share:
    """What one path brought of it, octets; what came twice counts twice."""

    path: str
    octets: int


@dataclass(frozen=True)
class Transfer:
    """A file ``sent`` and the file ``received``.

    seconds       from the opening to the end of the stream, by the clock of that world
    multipath     both ends say that MPTCP was spoken to the end
    shares        who carried what
    """

    what: str
    sent: Path
    received: Path
    seconds: float
    multipath: bool
    shares: tuple[Share, ...] = ()

    @property
    def octets(self) -> int:
        """Octets of the file that was received."""
        return self.received.stat().st_size if self.received.exists() else 0

    @property
    def megabits_per_second(self) -> float:
        """10**6 bits per second."""
        return self.octets * 8 / 1e6 / self.seconds if self.seconds else 0.0

    def find_faults(self) -> list[str]:
        """All that should not be, each in a sentence."""
        faults = []
        if not self.is_equal():
            faults.append(f"{self.received} differs from {self.sent}")
        if not self.multipath:
            faults.append(f"{self.what}: MPTCP was not spoken to the end")
        return faults

    def is_equal(self) -> bool:
        """Whether the two files have the same SHA-256."""
        return self.received.exists() and compute_sha256(self.sent) == compute_sha256(self.received)


@dataclass(frozen=True)
class Run:
    """A transfer as it was seen, by a clock of its own.

    packets             as one of our hosts saw them
    windows             of the host that sent
    sent, lost          packets in the direction of the file, and those of them that did not arrive
    outage              when the better path died and when it came back; 0: it did not
    """

    transfer: Transfer
    packets: Sequence[Packet]
    windows: Sequence[Window]
    sent: int
    lost: int
    outage: tuple[Micros, Micros]


def read_ends(packet: bytes) -> frozenset[bytes]:
    """The two ends, address and port, of a TCP packet."""
    datagram = ip.parse(packet)
    ports = packet[datagram.start : datagram.start + 4]
    return frozenset((datagram.source + ports[:2], datagram.destination + ports[2:]))


def compute_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_source(path: Path, octets: int) -> None:
    """A file of so many octets by chance, the same each time."""
    chance = Random(SEED)
    with path.open("wb") as stream:
        for start in range(0, octets, CHUNK):
            stream.write(chance.randbytes(min(CHUNK, octets - start)))
