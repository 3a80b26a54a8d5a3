"""Proving theorems: two processes, a limit of time for each piece of work, and nobody passes in silence.

Work is cut into claims and mutants. A theorem is proved when all its claims are, what it says is refuted
is, each of its goals is reached, each mutant is refuted and each path's vector holds on the builds at
hand; whatever else happens is a failure that says the theorem's name and the reason.
"""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from types import FrameType
from typing import Any

from mptcp_proofs.claim import Claim
from mptcp_proofs.engine import prove
from mptcp_proofs.mutants import Stale
from mptcp_proofs.registry import THEOREMS
from mptcp_proofs.symbolic.explorer import LEAK, PROVED, REFUTED, UNKNOWN, VACUOUS, Undecided
from mptcp_proofs.theorem import Theorem
from mptcp_proofs.vectors import Vectors, try_vectors

WORKERS = 2
SECONDS = 150.0  # for one claim or mutant
STALE = "stale"
CLAIM, WITNESS, MUTANT = "claim", "witness", "mutant"


@dataclass(frozen=True)
class Task:
    """A piece of work: the claim, witness or mutant number ``index`` of a theorem."""

    theorem: str
    kind: str
    index: int
    seconds: float = SECONDS


@dataclass
class Outcome:
    """What came of a task. ``name`` is the claim's, of a mutant the one that refuted it."""

    task: Task
    verdict: str
    why: str = ""
    name: str = ""
    paths: int = 0
    cut: int = 0
    obligations: int = 0
    checks: int = 0
    solver_seconds: float = 0.0
    seconds: float = 0.0
    reached: frozenset[str] = frozenset()
    counterexample: dict[str, Any] | None = None
    vectors: Vectors = field(default_factory=Vectors)


@dataclass
class Result:
    """What came of a theorem."""

    theorem: Theorem
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, kind: str) -> list[Outcome]:
        """The outcomes of claims, witnesses or mutants, in order."""
        found = [one for one in self.outcomes if one.task.kind == kind]
        return sorted(found, key=lambda one: one.task.index)

    def total(self, name: str) -> Any:
        """The sum of one number over claims and witnesses."""
        return sum(getattr(one, name) for one in self.outcomes if one.task.kind != MUTANT)

    @property
    def killed(self) -> int:
        """How many mutants were refuted."""
        return sum(1 for one in self.of(MUTANT) if one.verdict == REFUTED)

    @property
    def problems(self) -> list[str]:
        """Why the theorem is not proved, in sentences without its name; nothing if it is."""
        theorem = self.theorem
        problems = [explain(one) for one in self.of(CLAIM) if one.verdict != PROVED]
        problems += [
            f"{one.name} should be refuted and is {one.verdict}"
            for one in self.of(WITNESS)
            if one.verdict != REFUTED
        ]
        reached = {goal for one in self.of(CLAIM) for goal in one.reached}
        problems += [f"vacuous: never reaches {goal!r}" for goal in theorem.goals if goal not in reached]
        problems += [
            f"the mutant {theorem.mutants[one.task.index].new.strip()!r} is {one.verdict}: {one.why}"
            if one.verdict == STALE
            else f"the mutant {theorem.mutants[one.task.index].new.strip()!r} of"
            f" {theorem.mutants[one.task.index].file} survives ({one.verdict})"
            for one in self.of(MUTANT)
            if one.verdict != REFUTED
        ]
        for one in self.outcomes:
            problems += [f"{one.name} on the {words}" for words in one.vectors.failures]
        return problems

    @property
    def verdict(self) -> str:
        """PROVED, or the worst that happened."""
        verdicts = {one.verdict for one in self.of(CLAIM)}
        for bad in (REFUTED, LEAK, UNKNOWN, VACUOUS, STALE):
            if bad in verdicts:
                return bad
        return PROVED if not self.problems else "failed"


def explain(outcome: Outcome) -> str:
    """Why a claim is not proved."""
    words = f"{outcome.name} is {outcome.verdict}"
    if outcome.why:
        words += f": {outcome.why}"
    if outcome.counterexample is not None:
        words += f", with {show_arguments(outcome.counterexample)}"
    return words


def show_arguments(values: dict[str, Any]) -> str:
    """A record of arguments in one line."""
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items()) or "no arguments"


def list_tasks(theorems: Iterable[Theorem], seconds: float = SECONDS) -> Iterator[Task]:
    """All work on these theorems: the claims first, which are longest."""
    chosen = list(theorems)
    for kind, things in ((CLAIM, "claims"), (WITNESS, "refuted"), (MUTANT, "mutants")):
        for theorem in chosen:
            for index in range(len(getattr(theorem, things))):
                yield Task(theorem.id, kind, index, seconds)


def find_theorem(id: str) -> Theorem:
    """The theorem of that id."""
    return next(one for one in THEOREMS if one.id == id)


def work(task: Task) -> Outcome:
    """Do one task, here."""
    return perform(find_theorem(task.theorem), task)


def perform(theorem: Theorem, task: Task) -> Outcome:
    """Do one task of ``theorem``, within its time."""
    previous = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, task.seconds + 5)
    try:
        if task.kind == MUTANT:
            return hunt(theorem, task)
        claim = (theorem.claims if task.kind == CLAIM else theorem.refuted)[task.index]
        return examine(theorem, claim, task)
    except Undecided as undecided:
        return Outcome(task, UNKNOWN, str(undecided))
    finally:
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def ring(number: int, frame: FrameType | None) -> None:
    """The time of a task is up: something runs on without asking the solver."""
    raise Undecided("the time is up")


def examine(theorem: Theorem, claim: Claim, task: Task) -> Outcome:
    """Prove a claim, or refute it; the paths' vectors are tried on the builds at hand."""
    found = prove(theorem, claim, seconds=task.seconds)
    outcome = Outcome(
        task,
        found.verdict,
        found.why,
        claim.__name__,
        found.paths,
        found.cut,
        found.obligations,
        found.checks,
        found.solver_seconds,
        found.seconds,
        frozenset(found.reached),
        found.counterexample,
    )
    if found.verdict == PROVED:
        outcome.vectors = try_vectors(claim, found.records)
    return outcome


def hunt(theorem: Theorem, task: Task) -> Outcome:
    """Refute a mutant: the claim that it names is tried first."""
    mutant = theorem.mutants[task.index]
    start = time.perf_counter()
    last = Outcome(task, UNKNOWN)
    for claim in sorted(theorem.claims, key=lambda one: one.__name__ != mutant.by):
        try:
            found = prove(theorem, claim, mutant, seconds=task.seconds)
        except Stale as stale:
            return Outcome(task, STALE, str(stale))
        last = Outcome(task, found.verdict, found.why, claim.__name__)
        last.counterexample = found.counterexample
        last.seconds = time.perf_counter() - start
        if found.verdict == REFUTED:
            break
    return last


def run(
    theorems: Iterable[Theorem],
    on_progress: Callable[[Outcome, int, int], None] | None = None,
    workers: int = WORKERS,
    seconds: float = SECONDS,
) -> list[Result]:
    """All work on ``theorems``; ``on_progress`` is told each outcome, how many are done, and of how many."""
    chosen = list(theorems)
    results = {one.id: Result(one) for one in chosen}
    tasks = list(list_tasks(chosen, seconds))
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=settle)
    try:
        futures = {pool.submit(work, task): task for task in tasks}
        for done, future in enumerate(as_completed(futures), 1):
            try:
                outcome = future.result()
            except Exception as error:  # a worker that died, or a mistake of the prover's own
                outcome = Outcome(futures[future], UNKNOWN, f"{type(error).__name__}: {error}")
            results[outcome.task.theorem].outcomes.append(outcome)
            if on_progress is not None:
                on_progress(outcome, done, len(tasks))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [results[one.id] for one in chosen]


def settle() -> None:
    """A worker ends without a word when it is interrupted."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
