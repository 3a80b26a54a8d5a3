"""Everything that the demonstration came to: transfers, faults, files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mptcp
from mptcp_model.demonstration.kernel import Exchange
from mptcp_model.demonstration.transfer import Transfer, compute_sha256


@dataclass(frozen=True)
class Outcome:
    """The simulated transfer and the kernel's exchanges; ``left_out`` says why there are none of these."""

    folder: Path
    simulated: Transfer
    exchanges: Sequence[Exchange]
    left_out: str | None

    @property
    def transfers(self) -> list[Transfer]:
        """All of them, in order."""
        return [self.simulated, *(one for some in self.exchanges for one in some.transfers)]

    def find_faults(self) -> list[str]:
        """All that should not be, each in a sentence."""
        return self.simulated.find_faults() + [one for some in self.exchanges for one in some.find_faults()]

    def find_files(self) -> list[Path]:
        """The pictures and packets that are there."""
        names = ("simulated.png", "simulated.pcap", "kernel.png")
        places = ("kernel", "kernel-checksums") if self.exchanges else ()
        paths = [self.folder / name for name in names[: 3 if self.exchanges else 2]]
        return [
            path
            for path in [*paths, *(self.folder / one / "packets.pcap" for one in places)]
            if path.exists()
        ]

    def summarize(self, seconds: float) -> dict[str, Any]:
        """The outcome as JSON has it; ``seconds`` is what all of it took."""
        return {
            "build": mptcp.build(),
            "seconds": round(seconds, 3),
            "transfers": [summarize_transfer(one) for one in self.transfers],
            "counters": {f"checksums {one.switch}": one.counters for one in self.exchanges},
            "left_out": self.left_out,
            "files": [str(path) for path in self.find_files()],
            "faults": self.find_faults(),
        }


def summarize_transfer(one: Transfer) -> dict[str, Any]:
    """One transfer as JSON has it."""
    return {
        "what": one.what,
        "octets": one.octets,
        "seconds": one.seconds,
        "mbit_per_second": round(one.megabits_per_second, 3),
        "sent_sha256": compute_sha256(one.sent),
        "received_sha256": compute_sha256(one.received) if one.received.exists() else None,
        "mptcp": one.multipath,
        "checksum": one.checksum,
        "paths": {share.path: share.octets for share in one.shares},
    }
