"""One vector for each proved path: what the symbols were in one model, tried on the sources themselves.

The prover runs the interpreted sources. Each of its paths gives one set of arguments; the claim is run on
them by the interpreted sources and by the build that is installed, which is how "compiled equals
interpreted" is tested where it matters: on every way that the code can go.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import mptcp
from mptcp_proofs.claim import Claim
from mptcp_proofs.engine import make_plain_world
from mptcp_proofs.sources import HOLDS, OUTSIDE, replay
from mptcp_proofs.symbolic.loader import World

FORMAT = 1
MOST_FAILURES = 3


@dataclass
class Vectors:
    """How many vectors were tried, on which builds, and what failed."""

    count: int = 0
    builds: tuple[str, ...] = ()
    failures: list[str] = field(default_factory=list)


@cache
def get_plain_world() -> World:
    """The sources, interpreted, whatever is installed."""
    return make_plain_world()


def list_builds(claim: Claim) -> dict[str, Claim]:
    """The claim on each build at hand: interpreted always, compiled if that is what is installed."""
    return {"interpreted": get_plain_world().find(claim), mptcp.build(): claim}


def try_vectors(claim: Claim, records: Iterable[Mapping[str, Any]]) -> Vectors:
    """Run ``claim`` on each record, on each build at hand."""
    builds = list_builds(claim)
    tried = Vectors(0, tuple(sorted(builds)))
    for record in records:
        tried.count += 1
        for build, twin in builds.items():
            said = replay(twin, record)
            if said not in (HOLDS, OUTSIDE) and len(tried.failures) < MOST_FAILURES:
                tried.failures.append(f"{build} build: {said}, with {dump(record)}")
    return tried


def dump(record: Mapping[str, Any]) -> str:
    """A record as JSON; octets in hexadecimal."""
    return json.dumps(
        {name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in record.items()}
    )


def load(text: str) -> dict[str, Any]:
    """A record from its JSON."""
    return {
        name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
        for name, value in json.loads(text).items()
    }
