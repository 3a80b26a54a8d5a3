"""One file that went from one end to another, and what speaks against it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from random import Random

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
    checksum      DSS checksums were in use, as far as our end knows
    wanted        and whether they should have been
    shares        who carried what
    """

    what: str
    sent: Path
    received: Path
    seconds: float
    multipath: bool
    checksum: bool = False
    wanted: bool = False
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
        if self.checksum != self.wanted:
            faults.append(f"{self.what}: DSS checksums were {'' if self.checksum else 'not '}in use")
        return faults

    def is_equal(self) -> bool:
        """Whether the two files have the same SHA-256."""
        return self.received.exists() and compute_sha256(self.sent) == compute_sha256(self.received)


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
