"""Everything that the demonstration came to: transfers, faults, files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mptcp
from mptcp_model.demonstration.kernel import NAMES, Exchange
from mptcp_model.demonstration.transfer import Transfer, compute_sha256


@dataclass(frozen=True)
class Outcome:
    """The simulated transfer and the exchange with the kernel; ``left_out`` says why there is none."""

    folder: Path
    simulated: Transfer
    exchange: Exchange | None
    left_out: str | None

    @property
    def transfers(self) -> list[Transfer]:
        """All of them, in order."""
        return [self.simulated, *(run.transfer for run in (self.exchange.runs if self.exchange else ()))]

    def find_faults(self) -> list[str]:
        """All that should not be, each in a sentence."""
        return self.simulated.find_faults() + (self.exchange.find_faults() if self.exchange else [])

    def find_files(self) -> list[Path]:
        """The pictures and packets that are there."""
        pictures = [f"{name}.png" for name in ("simulated", *(NAMES if self.exchange else ()))]
        packets = ["simulated.pcap", *(["kernel/packets.pcap"] if self.exchange else [])]
        return [self.folder / name for name in (*pictures, *packets) if (self.folder / name).exists()]

    def summarize(self, seconds: float) -> dict[str, Any]:
        """The outcome as JSON has it; ``seconds`` is what all of it took."""
        return {
            "build": mptcp.build(),
            "seconds": round(seconds, 3),
            "transfers": [summarize_transfer(one) for one in self.transfers],
            "counters": self.exchange.counters if self.exchange else None,
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
        "paths": {share.path: share.octets for share in one.shares},
    }
