"""`mptcp prove`: the theorems, what they cost, and what failed."""

import json
import sys
from dataclasses import asdict
from typing import Annotated, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from typer import Argument, Exit, Option

from mptcp_proofs.history import Seeding, has_history, list_seedings
from mptcp_proofs.registry import THEOREMS, select
from mptcp_proofs.runner import CLAIM, WITNESS, Outcome, Result, run, show_arguments
from mptcp_proofs.symbolic.explorer import PROVED
from mptcp_proofs.theorem import Theorem

FORMAT = 1  # of --json


def prove(
    names: Annotated[
        list[str] | None, Argument(metavar="NAME", help="Ids, names or topics; all if none.")
    ] = None,
    history: Annotated[
        bool, Option("--history", help="Show published bugs, seeded as mutants, and what finds them.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Prove the theorems about the sources: all paths, all values, each with its mutants."""
    theorems = choose(names or [], history)
    results = run_with_progress(theorems)
    seedings = list_seedings(results)
    is_proved = all(result.verdict == PROVED for result in results)
    if as_json:
        print(json.dumps(describe(results, seedings), indent=1))
    else:
        console = Console()
        console.print(make_history(seedings) if history else make_table(results))
        if not history:
            show_witnesses(console, results)
        show_problems(console, results)
    if not is_proved:
        raise Exit(1)


def choose(names: list[str], history: bool) -> list[Theorem]:
    """The theorems that are meant; exits with a sentence when a name means none."""
    try:
        theorems = select(names) if names else list(THEOREMS)
    except KeyError as unknown:
        topics = ", ".join(sorted({one.topic for one in THEOREMS}))
        print(f"mptcp: no theorem is called {unknown}; topics are {topics}", file=sys.stderr)
        raise Exit(1) from None
    return [one for one in theorems if has_history(one)] if history else theorems


def run_with_progress(theorems: list[Theorem]) -> list[Result]:
    """Run, with a bar on standard error while somebody looks."""
    console = Console(stderr=True)
    columns = (
        TextColumn("proving"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def tell(outcome: Outcome, done: int, total: int) -> None:
            words = f"{outcome.task.theorem} {outcome.task.kind} {outcome.name}"
            bar.update(task, completed=done, total=total, description=words)

        return run(theorems, tell)


def make_table(results: list[Result]) -> Table:
    """The theorems, a line each."""
    table = Table(box=None, pad_edge=False)
    for name in ("", "theorem", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in ("paths", "obligations", "solver", "mutants"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        table.add_row(*list_cells(result), style=None if result.verdict == PROVED else "red")
    return table


def list_cells(result: Result) -> list[str]:
    """One line of the table."""
    theorem = result.theorem
    return [
        theorem.id,
        theorem.name,
        result.verdict.upper(),
        str(result.total("paths")),
        str(result.total("obligations")),
        f"{result.total('solver_seconds'):.2f} s",
        f"{result.killed}/{len(theorem.mutants)}",
    ]


def make_history(seedings: list[Seeding]) -> Table:
    """The published bugs, a line for each theorem that is asked about one."""
    table = Table(box=None, pad_edge=False)
    table.add_column("published bug")
    table.add_column("found by")
    table.add_column("claim")
    table.add_column("in", justify="right")
    for seeding in seedings:
        table.add_row(
            seeding.bug,
            f"{seeding.theorem.id} {seeding.theorem.name}" if seeding.is_killed else "NOT FOUND",
            seeding.outcome.name,
            f"{seeding.outcome.seconds * 1000:.0f} ms",
            style=None if seeding.is_killed else "red",
        )
    return table


def show_witnesses(console: Console, results: list[Result]) -> None:
    """What one might believe, and the counterexample."""
    for result in results:
        for outcome in result.of(WITNESS):
            if outcome.counterexample is not None:
                claim = result.theorem.refuted[outcome.task.index]
                words = (claim.__doc__ or claim.__name__).strip()
                witness = show_arguments(outcome.counterexample)
                console.print(
                    f"{result.theorem.id} refutes: {words} Not with {witness}.",
                    highlight=False,
                    soft_wrap=True,
                )


def show_problems(console: Console, results: list[Result]) -> None:
    """Each failure by the theorem's name, and a last line for all."""
    for result in results:
        for problem in result.problems:
            words = f"{result.theorem.id} {result.theorem.name}: {problem}"
            console.print(words, style="red", highlight=False, soft_wrap=True, markup=False)
    proved = sum(1 for result in results if result.verdict == PROVED)
    builds = sorted({build for result in results for one in result.outcomes for build in one.vectors.builds})
    vectors = sum(one.vectors.count for result in results for one in result.outcomes)
    mutants = sum(len(result.theorem.mutants) for result in results)
    killed = sum(result.killed for result in results)
    console.print(
        f"{proved} of {len(results)} theorems proved, {killed} of {mutants} mutants refuted,"
        f" {vectors} vectors replayed ({', '.join(builds) or 'none'})",
        highlight=False,
    )


def describe(results: list[Result], seedings: list[Seeding]) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "format": FORMAT,
        "theorems": [describe_result(result) for result in results],
        "history": [
            {
                "bug": one.bug,
                "theorem": one.theorem.id,
                "killed": one.is_killed,
                "seconds": round(one.outcome.seconds, 3),
            }
            for one in seedings
        ],
    }


def describe_result(result: Result) -> dict[str, Any]:
    """One theorem, for programs."""
    theorem = result.theorem
    return {
        "id": theorem.id,
        "name": theorem.name,
        "topic": theorem.topic,
        "words": theorem.words,
        "sections": theorem.sections,
        "clauses": list(theorem.clauses),
        "bounds": theorem.bounds,
        "assumes": theorem.assumes,
        "unclaimed": theorem.unclaimed,
        "theory": theorem.theory,
        "verdict": result.verdict,
        "problems": result.problems,
        "claims": [describe_outcome(one) for one in result.of(CLAIM)],
        "refuted": [describe_outcome(one) for one in result.of(WITNESS)],
        "goals": list(theorem.goals),
        "mutants": [
            {
                **asdict(theorem.mutants[one.task.index]),
                "verdict": one.verdict,
                "by": one.name,
                "why": one.why,
                "seconds": round(one.seconds, 3),
            }
            for one in result.of("mutant")
        ],
    }


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """One claim, for programs."""
    values = outcome.counterexample or {}
    return {
        "name": outcome.name,
        "verdict": outcome.verdict,
        "why": outcome.why,
        "paths": outcome.paths,
        "cut": outcome.cut,
        "obligations": outcome.obligations,
        "queries": outcome.checks,
        "solver_seconds": round(outcome.solver_seconds, 3),
        "seconds": round(outcome.seconds, 3),
        "reached": sorted(outcome.reached),
        "vectors": outcome.vectors.count,
        "builds": list(outcome.vectors.builds),
        "counterexample": {
            name: one.hex() if isinstance(one, bytes) else one for name, one in values.items()
        },
    }
