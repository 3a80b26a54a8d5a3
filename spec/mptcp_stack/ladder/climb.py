"""Climbs one rung, every family and role in its turn, and tells the results as lines of JSON.

    python -m mptcp_stack.ladder.climb loss-1%

A process of its own for each rung: one that hangs or dies takes nothing with it.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Final

from mptcp.journal import Journal
from mptcp_stack.lab import Lab
from mptcp_stack.ladder import multipath, tcp
from mptcp_stack.ladder.ground import Ground
from mptcp_stack.ladder.rung import FELL, OK, SKIPPED, Fell, Result, Rung
from mptcp_stack.stack import Stack, suit
from mptcp_stack.wire import Wire

NOTES: Final = 20_000  # of the journal, kept for one case
FIRST_PORT: Final = 8_000
PORTS: Final = 10  # of one case
LADDERS: Final = {"tcp": tcp.RUNGS, "mptcp": multipath.RUNGS}


def find_rung(name: str) -> Rung:
    """A rung by its name. Raises KeyError."""
    for rungs in LADDERS.values():
        for rung in rungs:
            if rung.name == name:
                return rung
    raise KeyError(f"there is no rung {name}")


def climb(rung: Rung) -> Iterator[Result]:
    """The results, one after the other."""
    for number, (family, role) in enumerate(rung.cases()):
        with Lab({name: str(value) for name, value in rung.sysctls.items()}) as lab:
            yield asyncio.run(try_case(rung, lab, family, role, FIRST_PORT + PORTS * number))


async def try_case(rung: Rung, lab: Lab, family: int, role: str, port: int) -> Result:
    """One family and role."""
    wires: tuple[Wire, ...] = ()
    if rung.lines:
        opened = [lab.open_wire(number, line, mtu=rung.mtu) for number, line in enumerate(rung.lines)]
        devices, wires = tuple(device for device, _ in opened), tuple(wire for _, wire in opened)
    else:
        paths = range(rung.paths)
        devices = tuple(lab.open_tun(path, rung.mtu, offloads=True, apart=True) for path in paths)
    journal = Journal(NOTES)
    choices = suit(devices, **{"multipath": False, **rung.choices})
    stack = Stack(*devices, choices=choices, journal=journal, linger=1)
    ground = Ground(rung, lab, stack, wires, journal, family, role, port)
    try:
        async with stack, asyncio.timeout(rung.seconds):
            await rung.run(ground)
            ground.check_counters()
            return ground.summarize(OK)
    except TimeoutError:
        return ground.summarize(FELL, f"not done within {rung.seconds:g} s{tell_last(journal)}")
    except BaseExceptionGroup as group:
        return ground.summarize(FELL, explain(group))
    except (Fell, OSError) as error:
        return ground.summarize(FELL, explain(error))
    finally:
        ground.close()


def tell_last(journal: Journal) -> str:
    """What happened last, and how long before the end."""
    if not journal.notes:
        return ""
    note = journal.notes[-1]
    lasted = (note.now - journal.notes[0].now) / 1_000_000
    return f"; last noted, after {lasted:.1f} s, by {note.where}: {note.rule} {note.detail}".rstrip()


def explain(error: BaseException) -> str:
    """The first thing that went wrong, in words."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error) if isinstance(error, Fell) else repr(error)


def main(name: str) -> None:
    """The command line."""
    rung = find_rung(name)
    try:
        for result in climb(rung):
            print(json.dumps(dataclasses.asdict(result)), flush=True)
    except OSError as error:
        words = error.strerror or str(error)
        for family, role in rung.cases():
            result = Result(rung.name, family, role, SKIPPED, words=words)
            print(json.dumps(dataclasses.asdict(result)), flush=True)
            break


if __name__ == "__main__":
    main(sys.argv[1])
