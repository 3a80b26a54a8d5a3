"""The prover says what it found: true, false with a counterexample, vacuous, leaking, undecided."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

import pytest

from mptcp.numbers import MASK_64, add, before, distance
from mptcp_proofs.claim import Between, Octets, OneOf, assume, reach, require
from mptcp_proofs.engine import make_plain_world, prove
from mptcp_proofs.mutants import Stale, change
from mptcp_proofs.runner import CLAIM, MUTANT, WITNESS, Outcome, Result, Task, perform
from mptcp_proofs.sources import HOLDS, OUTSIDE, replay
from mptcp_proofs.symbolic.explorer import LEAK, PROVED, REFUTED, UNKNOWN, VACUOUS
from mptcp_proofs.theorem import Mutant, Theorem

Maker: TypeAlias = Callable[..., Theorem]
Word: TypeAlias = Annotated[int, Between(0, 0xFFFFFFFF)]
NUMBERS = "mptcp/numbers.py"


def steps_ahead(a: Word, step: Annotated[int, Between(1, 1 << 30)]) -> bool:
    """What is ahead is ahead."""
    if add(a, step) < a:
        reach("a wrap")
    return before(a, add(a, step))


def never_wraps(a: Word, step: Word) -> bool:
    """Adding never makes a number smaller."""
    require(distance(a, a) == 0, "no distance to itself")
    return add(a, step) >= a


def about_nothing(a: Word) -> bool:
    """Of numbers that are before themselves anything is true."""
    assume(before(a, a))
    return False


def about_little(a: Word) -> bool:
    """A claim that misses what it is about."""
    if before(a, a):
        reach("a number before itself")
    return True


def hashes_a_symbol(a: Word) -> bool:
    """A set needs a hash, and a symbol has none."""
    return a in {1, 2, 3}


def raises(octets: Annotated[bytes, Octets(0, 3)]) -> bool:
    """There is a second octet."""
    return octets[1] >= 0


def multiplies(a: Annotated[int, Between(0, MASK_64)], b: Annotated[int, Between(0, MASK_64)]) -> bool:
    """Finding two primes by their product takes z3 long."""
    return a * b != 18446744073709551557 * 18446744073709551533


def runs_on(a: Word) -> bool:
    """A loop without an end."""
    while a >= 0:
        pass
    return False


def branches(a: Annotated[int, Between(0, 7)], kind: Annotated[str, OneOf("x", "y")]) -> bool:
    """Sixteen paths."""
    return kind in "xy" and sum(1 for bit in (1, 2, 4) if a & bit) <= 3


def examine(theorem: Theorem, kind: str = CLAIM, seconds: float = 60) -> Outcome:
    """The first claim, witness or mutant of a theorem."""
    return perform(theorem, Task(theorem.id, kind, 0, seconds))


def test_true(theorem: Maker) -> None:
    """A true claim is proved on all its paths, and what it reaches is noted."""
    outcome = examine(theorem(steps_ahead, goals=("a wrap",)))
    assert (outcome.verdict, outcome.why) == (PROVED, "")
    assert outcome.reached == {"a wrap"}
    assert outcome.paths == outcome.vectors.count == 2


def test_paths(theorem: Maker) -> None:
    """Each way through the code is one path, and gives one record."""
    result = prove(theorem(branches), branches)
    assert result.verdict == PROVED
    assert result.paths == len(result.records) == 16
    assert sorted((one["kind"], one["a"]) for one in result.records) == [
        (k, a) for k in (0, 1) for a in range(8)
    ]


def test_false(theorem: Maker) -> None:
    """A false claim is refuted by arguments with which the sources themselves, on both builds, break it."""
    outcome = examine(theorem(never_wraps))
    assert outcome.verdict == REFUTED
    assert outcome.counterexample is not None
    assert replay(never_wraps, outcome.counterexample) == "the claim is false"
    assert replay(make_plain_world().find(never_wraps), outcome.counterexample) == "the claim is false"
    assert "never_wraps is refuted" in Result(theorem(never_wraps), [outcome]).problems[0]


def test_exception(theorem: Maker) -> None:
    """What escapes refutes a claim."""
    outcome = examine(theorem(raises))
    assert outcome.verdict == REFUTED
    assert outcome.why.startswith("IndexError")
    assert outcome.counterexample is not None and len(outcome.counterexample["octets"]) < 2


def test_vacuous(theorem: Maker) -> None:
    """A claim about nothing is vacuous, and so is a theorem that misses a goal; both say so by name."""
    outcome = examine(theorem(about_nothing))
    assert outcome.verdict == VACUOUS
    assert Result(theorem(about_nothing), [outcome]).problems == ["about_nothing is vacuous"]
    little = theorem(about_little, goals=("a number before itself",))
    result = Result(little, [examine(little)])
    assert result.problems == ["vacuous: never reaches 'a number before itself'"]
    assert result.verdict != PROVED


def test_leak(theorem: Maker) -> None:
    """A claim that does what symbols cannot follow is no theorem, and names itself."""
    outcome = examine(theorem(hashes_a_symbol))
    assert outcome.verdict == LEAK
    problems = Result(theorem(hashes_a_symbol), [outcome]).problems
    assert problems == ["hashes_a_symbol is leak: the hash of a symbolic number"]


def test_unknown(theorem: Maker) -> None:
    """What z3 cannot decide in time is unknown, and that is a failure."""
    result = prove(theorem(multiplies), multiplies, check_seconds=0.1)
    assert result.verdict == UNKNOWN
    assert result.why


def test_endless(theorem: Maker) -> None:
    """A claim that does not end is stopped, also where it asks nobody."""
    outcome = perform(theorem(runs_on), Task("T0", CLAIM, 0, -4.5))
    assert (outcome.verdict, outcome.why) == (UNKNOWN, "the time is up")


@pytest.mark.parametrize(
    ("new", "verdict"),
    [
        ("return 0 < ((b - a) & MASK_32) < 16", REFUTED),
        ("return 0 < ((b - a) & MASK_32) <= HALF_32", PROVED),
        ("return 0 < (b - a) & MASK_32 < {}", REFUTED),
    ],
)
def test_mutants(new: str, verdict: str, theorem: Maker) -> None:
    """A mutant that breaks the claim is refuted, another survives; the file on disk stays as it is."""
    mutant = Mutant(NUMBERS, "return 0 < ((b - a) & MASK_32) < HALF_32", new)
    outcome = examine(theorem(steps_ahead, mutants=(mutant,)), MUTANT)
    assert outcome.verdict == verdict
    assert before(1, 100)


def test_stale_mutant(theorem: Maker) -> None:
    """A mutant of what is no longer there says so."""
    mutant = Mutant(NUMBERS, "no such text", "")
    with pytest.raises(Stale, match="0 times"):
        change(mutant)
    made = theorem(steps_ahead, mutants=(mutant,))
    outcome = examine(made, MUTANT)
    assert outcome.verdict == "stale"
    assert "no such text" in Result(made, [examine(made), outcome]).problems[0]


def test_witness(theorem: Maker) -> None:
    """What is to be refuted and is not fails the theorem."""
    made = theorem(steps_ahead, refuted=(steps_ahead,))
    outcome = examine(made, WITNESS)
    assert Result(made, [outcome]).problems == ["steps_ahead should be refuted and is proved"]


def test_replay() -> None:
    """A record is replayed by name; what it does not name is the least there is."""
    assert replay(steps_ahead, {"a": 5, "step": 7}) == HOLDS
    assert replay(steps_ahead, {}) == HOLDS
    assert replay(about_nothing, {"a": 5}) == OUTSIDE
    assert replay(raises, {"octets.length": 1, "octets": b"\1"}).startswith("IndexError")
    assert replay(never_wraps, {"a": 1, "step": 0xFFFFFFFF}) == "the claim is false"
