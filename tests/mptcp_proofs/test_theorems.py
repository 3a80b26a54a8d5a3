"""The theorems are well formed, some of them are proved here from end to end, and `mptcp prove` shows it."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mptcp_proofs.claim import Claim, describe
from mptcp_proofs.clauses import load_catalogue
from mptcp_proofs.history import has_history, list_seedings
from mptcp_proofs.registry import THEOREMS, select
from mptcp_proofs.runner import Result, list_tasks, run, work
from mptcp_proofs.sources import HOLDS, replay
from mptcp_proofs.symbolic.explorer import PROVED
from mptcp_proofs.theorem import Theorem
from mptcp_proofs.vectors import dump, load, try_vectors

WITNESSES = [(theorem, claim) for theorem in THEOREMS for claim in theorem.refuted]
PROVE = "import typer; from mptcp_proofs.commands import prove; typer.run(prove)"


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`mptcp prove` in a process of its own, on the build under test."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100"}
    command = [sys.executable, "-c", PROVE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_all_are_there() -> None:
    """The theorems of the two lowest levels and of a subflow, each under an id of its own."""
    ids = [theorem.id for theorem in THEOREMS]
    wanted = [*range(1, 9), *range(11, 21), 33, 34, 35, 38, 43, 46, 47, 55, *range(61, 70)]
    assert {f"T{number}" for number in wanted} <= set(ids)
    for names in (ids, [theorem.name for theorem in THEOREMS]):
        assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda theorem: theorem.id)
def test_well_formed(theorem: Theorem) -> None:
    """Words, bounds, known clauses, what is not claimed, at least one mutant, none of them stale."""
    for text in (theorem.words, theorem.sections, theorem.bounds, theorem.unclaimed):
        assert text.endswith(".") or text == theorem.sections
    assert [id for id in theorem.clauses if id not in load_catalogue().clauses] == []
    assert len(set(theorem.clauses)) == len(theorem.clauses)
    assert theorem.claims and theorem.mutants
    assert len(set(theorem.mutants)) == len(theorem.mutants)
    assert {mutant.by for mutant in theorem.mutants} <= {"", *(claim.__name__ for claim in theorem.claims)}
    for claim in theorem.claims + theorem.refuted:
        assert describe(claim) != claim.__name__
    assert bool(theorem.stubs) <= bool(theorem.assumes)


@pytest.mark.parametrize("id", ["T11", "T15", "T20", "T47"])
def test_end_to_end(id: str) -> None:
    """Claims proved, witnesses found, goals reached, mutants refuted, vectors replayed on this build."""
    (theorem,) = select([id])
    result = Result(theorem, [work(task) for task in list_tasks([theorem], 60)])
    assert (result.verdict, result.problems) == (PROVED, [])
    assert result.killed == len(theorem.mutants)
    assert sum(one.vectors.count for one in result.outcomes) > 0


def test_two_processes() -> None:
    """The same by the pool, with news of each outcome; published bugs are found again."""
    news: list[tuple[int, int]] = []
    theorems = select(["T33", "serial-order"])
    results = run(theorems, lambda outcome, done, total: news.append((done, total)))
    assert [result.verdict for result in results] == [PROVED, PROVED]
    assert news == [(done, len(news)) for done in range(1, len(news) + 1)]
    seedings = list_seedings(results)
    assert {seeding.bug.partition(":")[0] for seeding in seedings} == {
        "utcp 0.0.3",
        "multipath-tcp #33",
        "net-next #501",
    }
    assert all(seeding.is_killed for seeding in seedings)


def test_history() -> None:
    """Every published bug of these levels is seeded, in a theorem about what it broke."""
    bugs = {mutant.history.partition(":")[0] for theorem in THEOREMS for mutant in theorem.mutants}
    assert bugs - {""} == {
        "multipath-tcp #7",
        "multipath-tcp #33",
        "multipath-tcp #39",
        "multipath-tcp #333",
        "multipath-tcp #427",
        "net-next #34",
        "net-next #69",
        "net-next #93",
        "net-next #95",
        "net-next #204",
        "net-next #501",
        "packetdrill_mptcp #7, #24",
        "utcp 0.0.2",
        "utcp 0.0.3",
        "utcp OSEC-2026-11",
    }
    assert sum(has_history(theorem) for theorem in THEOREMS) > 5


def find_witness(theorem: Theorem, claim: Claim) -> dict[str, Any]:
    """The counterexample of something one might believe."""
    tasks = [task for task in list_tasks([theorem], 60) if task.kind == "witness"]
    outcome = work(tasks[theorem.refuted.index(claim)])
    assert outcome.counterexample is not None
    return outcome.counterexample


@pytest.mark.parametrize(("theorem", "claim"), WITNESSES, ids=[claim.__name__ for _, claim in WITNESSES])
def test_witnesses(theorem: Theorem, claim: Claim) -> None:
    """What one might believe is broken by its counterexample on the build under test, too."""
    assert replay(claim, find_witness(theorem, claim)) == "the claim is false"


def test_vectors_as_json() -> None:
    """A vector survives its JSON, and is tried on every build at hand."""
    (theorem,) = select(["T16"])
    claim = theorem.claims[0]
    record = {"key": bytes(range(8)), "version": 1}
    assert load(dump(record)) == record
    assert replay(claim, record) == HOLDS
    tried = try_vectors(claim, [record, {}])
    assert tried.count == 2 and tried.failures == []
    assert "interpreted" in tried.builds


def test_failing_vector() -> None:
    """A vector that fails on a build says on which, and with what."""
    (theorem,) = select(["T13"])
    tried = try_vectors(theorem.refuted[0], [{"near": 1 << 32, "late": 1}])
    assert any(words.startswith("interpreted build: the claim is false, with {") for words in tried.failures)


def test_command() -> None:
    """A table and a last line; status 0 when all is proved."""
    shown = call("T13", "narrow-numbers")
    assert shown.returncode == 0, shown.stderr
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0] == ["theorem", "verdict", "paths", "obligations", "solver", "mutants"]
    assert [line[:3] for line in lines[1:3]] == [
        ["T13", "naive-expansion", "PROVED"],
        ["T15", "narrow-numbers", "PROVED"],
    ]
    assert "T13 refutes: The naive expansion is right for data that is one octet late." in shown.stdout
    assert "2 of 2 theorems proved, 3 of 3 mutants refuted" in shown.stdout
    assert shown.stderr == ""


def test_command_as_json() -> None:
    """Everything for programs, and nothing else on standard output."""
    shown = call("--json", "--history", "T11")
    found = json.loads(shown.stdout)
    assert found["format"] == 1
    (one,) = found["theorems"]
    assert (one["id"], one["verdict"], one["problems"]) == ("T11", "proved", [])
    assert {mutant["verdict"] for mutant in one["mutants"]} == {"refuted"}
    assert one["claims"][0]["paths"] > 0
    assert found["history"][0]["killed"] is True


def test_command_unknown_name() -> None:
    """A name that means nothing: one sentence, status 1."""
    shown = call("T999")
    assert shown.returncode == 1
    assert shown.stdout == ""
    assert shown.stderr.startswith("mptcp: no theorem is called 'T999'; topics are ")
    assert shown.stderr.count("\n") == 1


def test_command_history() -> None:
    """Published bugs, and who finds them."""
    shown = call("--history", "T33")
    assert shown.returncode == 0
    assert "multipath-tcp #33" in shown.stdout
    assert "T33 mapping-lookup" in shown.stdout
    assert "NOT FOUND" not in shown.stdout


def test_no_z3_to_list() -> None:
    """The theorems can be listed without the prover: documentation needs no z3."""
    code = "import sys, mptcp_proofs.registry; sys.exit('z3' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_claims_speak_of_the_sources_only() -> None:
    """No claim imports the prover: the same text runs under chance."""
    folder = Path(__file__).parents[2] / "proofs" / "mptcp_proofs" / "claims"
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "z3" not in text and "mptcp_proofs.symbolic" not in text, path.name
