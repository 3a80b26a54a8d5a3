"""Which subflow carries the next octets (RFC 8684 §3.3.8)."""

from typing import Annotated, TypeAlias

from mptcp.choices import Choices
from mptcp.connection.control import Branch, Control
from mptcp.connection.joining import Joining
from mptcp.connection.send import find_suited
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.scheduler.scheduler import Candidate
from mptcp.subflow.control import NO_OFFSET
from mptcp.subflow.state import State
from mptcp_proofs.claim import Between, Built, OneOf, Several, reach, require
from mptcp_proofs.claims.ends import make_branch, make_numbered
from mptcp_proofs.theorem import Mutant, Theorem

Rtt: TypeAlias = Annotated[int, Between(0, 1 << 40)]
Room: TypeAlias = Annotated[int, Between(1, 1 << 30)]


def make_offer(srtt: Rtt, room: Room, is_backup: bool) -> tuple[int, int, bool]:
    """A subflow with room, but for its index."""
    return srtt, room, is_backup


Offers: TypeAlias = Annotated[tuple[tuple[int, int, bool], ...], Several(Built(make_offer), 0, 4)]


def picks_the_best(offers: Offers) -> bool:
    """One is picked whenever there is one; a backup only among backups; none of its kind is faster."""
    candidates = [Candidate(7 + at, srtt, room, bool(spare)) for at, (srtt, room, spare) in enumerate(offers)]
    index = LowestRtt().pick(candidates)
    if not candidates:
        return index == -1
    require(7 <= index < 7 + len(candidates), "one of them")
    best = candidates[index - 7]
    for other in candidates:
        if best.is_backup:
            require(other.is_backup, "a backup only where all are")
        if other.is_backup == best.is_backup:
            require(best.srtt <= other.srtt, "none is faster")
    if best.is_backup:
        reach("only backups")
    return True


def make_subflow(
    state: Annotated[str, OneOf("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "SYN_SENT")],
    joining: Annotated[str, OneOf("ESTABLISHED", "PRE_ESTABLISHED")],
    spare: Annotated[str, OneOf("", "here", "there")],
    retries: Annotated[int, Between(0, 16)],
) -> Branch:
    """A subflow in some shape, with nothing in flight."""
    branch = make_branch()
    branch.joining = Joining[joining]
    branch.is_backup = spare == "there"
    branch.wants_backup = spare == "here"
    tcb = branch.subflow.tcb
    tcb.state = State[state]
    tcb.retries = retries
    tcb.snd_una = tcb.snd_nxt = 1
    return branch


Branches: TypeAlias = Annotated[tuple[Branch, ...], Several(Built(make_subflow), 1, 2)]


def may_carry(branch: Branch) -> bool:
    """Whether a subflow is part of the connection and open for text."""
    is_open = branch.subflow.tcb.state in (State.ESTABLISHED, State.CLOSE_WAIT)
    return is_open and branch.joining is Joining.ESTABLISHED


def is_spare(branch: Branch) -> bool:
    """Whether either side asked for it to be a backup."""
    return branch.is_backup or branch.wants_backup


def make_control(branches: tuple[Branch, ...], stale_after: int) -> Control:
    """A connection of these subflows."""
    control = make_numbered(0, 0)
    control.choices = Choices(stale_after=stale_after)
    control.branches = list(branches)
    return control


def suits(branches: Branches, stale_after: Annotated[int, OneOf(1, 2)]) -> bool:
    """Only subflows that are part of it and open carry data, and one does if there is one.

    A backup carries nothing while another can that is not silent.
    """
    control = make_control(branches, stale_after)
    suited = find_suited(control, NO_OFFSET)
    for index in suited:
        require(may_carry(branches[index]), "part of the connection, and open")
    if not suited:
        return not any(may_carry(branch) for branch in branches)
    is_backup = is_spare(branches[suited[0]])
    is_silent = bool(branches[suited[0]].subflow.tcb.retries >= stale_after)
    for index, branch in enumerate(branches):
        if not may_carry(branch):
            continue
        is_like = is_spare(branch) == is_backup and (branch.subflow.tcb.retries >= stale_after) == is_silent
        require((index in suited) == is_like, "all of a kind")
        if branch.subflow.tcb.retries < stale_after:
            require(not is_silent, "a silent one only while all are")
            if not is_spare(branch):
                reach("one that is no backup")
                require(not is_backup, "a backup only without another")
    return True


LOWEST = "mptcp/scheduler/lowest_rtt.py"
SEND = "mptcp/connection/send.py"
REINJECT = "mptcp/connection/reinject.py"

THEOREMS = (
    Theorem(
        id="T60",
        name="scheduler",
        words="Data goes on subflows that are part of the connection and open, on one of them whenever"
        " there is one; on a backup, or one that has fallen silent, only where no other can carry it;"
        " and on the one"
        " with the lowest round trip among equals.",
        sections="RFC 8684 §3.2, §3.3.8",
        clauses=("R8684-3.2-21", "R8684-3.3.8-03", "R8684-3.3.8-06", "R8684-3.3.8-08"),
        bounds="Up to four candidates with any round trips; up to two subflows in four states, part of it or"
        " not, backup for either side, silent or not.",
        claims=(picks_the_best, suits),
        goals=("only backups", "one that is no backup"),
        mutants=(
            Mutant(LOWEST, "candidate.srtt < best.srtt", "candidate.srtt > best.srtt"),
            Mutant(LOWEST, "(best.is_backup and not candidate.is_backup)", "False"),
            Mutant(LOWEST, "best.is_backup == candidate.is_backup and", "True and"),
            Mutant(LOWEST, "-1 if best is None else best.index", "-1"),
            Mutant(
                SEND,
                "(2 if is_stale(control, branch) else 0) + (1 if is_spare(branch) else 0)",
                "(1 if is_spare(branch) else 0)",
                by="suits",
            ),
            Mutant(
                SEND,
                "(2 if is_stale(control, branch) else 0) + (1 if is_spare(branch) else 0)",
                "(2 if is_stale(control, branch) else 0)",
                by="suits",
            ),
            Mutant(SEND, "            if rank < best:\n", "            if rank <= best:\n", by="suits"),
            Mutant(
                REINJECT,
                "        branch.joining is Joining.ESTABLISHED  # [R8684-3.2-21]\n",
                "        True\n",
                by="suits",
            ),
            Mutant(REINJECT, "branch.is_backup or branch.wants_backup", "branch.is_backup", by="suits"),
        ),
        theory="line",
        unclaimed="Rooms: windows are T66 and T69. Data that goes again, and not where it is in flight.",
    ),
)
