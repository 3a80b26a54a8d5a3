"""All paths of a claim: depth first, by running it again with other decisions.

At each condition that the inputs leave open the path splits, if z3 says that both ways exist. A model of
the path so far is kept, so that one of the ways is known without asking.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import z3

from mptcp_proofs.claim import Broken, Outside, Source, Watcher, watch
from mptcp_proofs.symbolic import context
from mptcp_proofs.symbolic.integers import Leak, SymBool, SymInt, Term, find_key, lift
from mptcp_proofs.symbolic.octets import SymBytes, View, join, make
from mptcp_proofs.symbolic.tables import SymTable
from mptcp_proofs.symbolic.theories import Bits, Line, Logic

MOST_RECORDS = 5000  # of one claim: beyond, paths differ by choices alone
NO_LIMIT = 1 << 62  # of paths
MOST_VALUES = 300  # of one number, that a path is split by
THEORIES: dict[str, type[Bits] | type[Line]] = {"bits": Bits, "line": Line}

PROVED = "proved"
REFUTED = "refuted"
VACUOUS = "vacuous"
UNKNOWN = "unknown"
LEAK = "leak"


class Undecided(Exception):
    """z3 gave no answer, or the time was up."""


@dataclass
class Decision:
    """One split: what was decided, and what is left to try."""

    value: Any
    ways: list["Way"]  # that are not gone yet
    is_pushed: bool = True


@dataclass
class Way:
    """One way out of a split: the value that it gives, its condition, a model of the path up to there."""

    value: Any
    term: Term = None
    model: Any = None


@dataclass
class Exploration:
    """What came out: a verdict, what it cost, the cases reached, and one record of inputs per path."""

    verdict: str = UNKNOWN
    why: str = ""
    paths: int = 0
    cut: int = 0
    obligations: int = 0
    checks: int = 0
    solver_seconds: float = 0.0
    seconds: float = 0.0
    reached: set[str] = field(default_factory=set)
    counterexample: dict[str, Any] | None = None
    answers: list[tuple[str, tuple[bytes, ...], bytes]] = field(default_factory=list)  # of hashes, in it
    records: list[dict[str, Any]] = field(default_factory=list)


class Explorer(Source):
    """The prover's source of arguments, and what symbols ask when they must be decided."""

    def __init__(self, theory: str = "bits", check_seconds: float = 20, seconds: float = 120) -> None:
        self.theory = THEORIES[theory]()
        self.logic = Logic()
        self.solver = z3.Solver()
        self.solver.set("timeout", int(check_seconds * 1000))
        self.solver.set("random_seed", 1)
        self.deadline = time.monotonic() + seconds
        self.memo: dict[Any, Any] = {}  # of operations, for all paths
        self.plain: dict[int, tuple[Any, Term]] = {}  # by term: True, False or None once simplified
        self.trace: list[Decision] = []
        self.at = 0
        self.level = 0
        self.model: Any = None
        self.facts: dict[int, tuple[int, Term]] = {}  # asserted beside decisions, and at which level
        self.decided: dict[int, bool] = {}
        self.picked: list[tuple[Term, Term]] = []  # numbers of this path whose value is known, and the value
        self.inputs: dict[str, Any] = {}
        self.digests: list[Any] = []  # of this path
        self.result = Exploration()

    # -- a source of arguments ----------------------------------------------------------------

    def integer(self, name: str, low: int, high: int) -> Any:
        """A symbol."""
        key = ("input", name, low, high)
        if key not in self.memo:
            term, bound = self.theory.variable(name, low, high)
            self.memo[key] = (SymInt(term, low, high) if low < high else low, bound)
        number, bound = self.memo[key]
        if bound is not None:
            self.know(bound)
        self.inputs[name] = number
        return number

    def boolean(self, name: str) -> Any:
        """A symbol."""
        key = ("truth", name)
        if key not in self.memo:
            self.memo[key] = SymBool(z3.Bool(name))
        self.inputs[name] = self.memo[key]
        return self.memo[key]

    def octets(self, name: str, length: int) -> Any:
        """Symbols."""
        key = ("octets", name, length)
        if key not in self.memo:
            variables = [self.theory.variable(f"{name}[{at}]", 0, 255) for at in range(length)]
            self.memo[key] = ([SymInt(term, 0, 255) for term, _ in variables], variables)
        items, variables = self.memo[key]
        for _, bound in variables:
            if bound is not None:
                self.know(bound)
        self.inputs[name] = make(list(items))
        return self.inputs[name]

    def choice(self, name: str, count: int) -> int:
        """A split that needs no solver."""
        if self.at == len(self.trace):
            self.fork([Way(value, model=self.model) for value in range(count)])
        value: int = self.take()
        self.inputs[name] = value
        return value

    def packet(self, name: str, length: int) -> Any:
        """Opaque octets."""
        return View(name, 0, length)

    def table(self, entries: list[tuple[int, int]]) -> Any:
        """A dict without hashes."""
        return SymTable(entries)

    # -- what symbols ask ---------------------------------------------------------------------

    def make_octets(self, items: list[Any]) -> Any:
        """Octets of these numbers."""
        return make(items)

    def look(self, name: str, index: Any) -> Any:
        """The octet at ``index`` of the opaque packet ``name``: always the same one."""
        if not isinstance(self.theory, Line):
            raise Leak("opaque octets are for the theory of the line")
        key = ("look", name, find_key(index))
        if key not in self.memo:
            term = z3.Function(name, z3.IntSort(), z3.IntSort())(lift(index).term)
            self.memo[key] = (SymInt(term, 0, 255), z3.And(term >= 0, term <= 255), index)
        number, fact, _ = self.memo[key]
        self.know(fact)
        return number

    def branch(self, term: Term) -> bool:
        """Which way the path goes here."""
        if time.monotonic() > self.deadline:
            raise Undecided("the time is up")
        ident = term.get_id()
        if ident not in self.plain:
            simple = z3.simplify(term)
            known = True if z3.is_true(simple) else False if z3.is_false(simple) else None
            self.plain[ident] = (known, term)
        known = self.plain[ident][0]
        if known is None:
            known = self.decided.get(ident)
        if known is not None:
            return known
        if self.at == len(self.trace):
            self.split(term)
        self.decided[ident] = self.take()
        return self.decided[ident]

    def split(self, term: Term) -> None:
        """A new decision: one way by the model, the other if z3 finds one."""
        if self.picked:
            simple = z3.simplify(z3.substitute(term, *self.picked))
            if z3.is_true(simple) or z3.is_false(simple):
                self.fork([Way(z3.is_true(simple), model=self.model)])
                return
        model = self.get_model()
        value = z3.is_true(model.eval(term, model_completion=True))
        ways = [Way(value, term if value else z3.Not(term), model)]
        if self.check(other := z3.Not(term) if value else term):
            ways.append(Way(not value, other, self.solver.model()))
        self.fork(ways)

    def pick(self, number: SymInt) -> int:
        """The value of ``number``: one path for each."""
        if self.at == len(self.trace):
            self.fork(self.list_values(number))
        value = int(self.take())
        self.picked.append((number.term, self.theory.constant_like(number.term, value)))
        return value

    def list_values(self, number: SymInt) -> list[Way]:
        """All values that ``number`` can have here, each with a model."""
        if self.picked:
            simple = z3.simplify(z3.substitute(number.term, *self.picked))
            if self.theory.is_constant(simple):
                return [Way(self.theory.value(simple), model=self.model)]
        ways: list[Way] = []
        self.solver.push()
        while self.check():
            model = self.solver.model()
            value = self.evaluate(model, number)
            ways.append(Way(value, self.theory.equal(number, lift(value)), model))
            self.solver.add(z3.Not(ways[-1].term))
            if len(ways) > MOST_VALUES:
                raise Leak("a symbolic number of too many values used as an index or a size")
        self.solver.pop()
        return sorted(ways, key=lambda way: int(way.value))

    def fork(self, ways: list[Way]) -> None:
        """A new decision between ``ways``, the first of which is gone now."""
        if not ways:
            raise Outside  # what is known of the inputs leaves nothing
        self.trace.append(Decision(None, ways, is_pushed=len(ways) > 1))
        self.go(self.trace[-1])

    def go(self, decision: Decision) -> None:
        """The next way of ``decision``."""
        way = decision.ways.pop(0)
        decision.value, self.model = way.value, way.model
        if decision.is_pushed:
            self.solver.push()
            self.level += 1
            if way.term is not None:
                self.solver.add(way.term)

    def take(self) -> Any:
        """What the decision that the path has come to says."""
        self.at += 1
        return self.trace[self.at - 1].value

    def know(self, fact: Term) -> None:
        """Assume ``fact``, which is true by the nature of what it is about."""
        ident = fact.get_id()
        if ident in self.facts:
            return
        self.facts[ident] = (self.level, fact)
        self.solver.add(fact)
        if self.model is not None and not z3.is_true(self.model.eval(fact, model_completion=True)):
            self.model = None

    # -- the solver ---------------------------------------------------------------------------

    def pop(self) -> None:
        """Take back what was added since the last fork."""
        self.solver.pop()
        self.facts = {ident: fact for ident, fact in self.facts.items() if fact[0] < self.level}
        self.level -= 1

    def check(self, *terms: Term) -> bool:
        """Whether the path so far, and ``terms``, can be."""
        if time.monotonic() > self.deadline:
            raise Undecided("the time is up")
        start = time.perf_counter()
        answer = self.solver.check(*terms)
        self.result.solver_seconds += time.perf_counter() - start
        self.result.checks += 1
        if answer == z3.unknown:
            raise Undecided(f"z3 says {self.solver.reason_unknown()}")
        return bool(answer == z3.sat)

    def get_model(self) -> Any:
        """A model of the path so far."""
        if self.model is None:
            if not self.check():
                raise Outside  # what is known of the inputs leaves nothing
            self.model = self.solver.model()
        return self.model

    # -- the paths ----------------------------------------------------------------------------

    def explore(
        self, run: Callable[[Source], bool], is_recording: bool = True, enough: int = NO_LIMIT
    ) -> Exploration:
        """Run a claim on all paths, until one fails; ``enough`` paths inside the claim are for samples."""
        start = time.perf_counter()
        with context.under_way(self):
            try:
                while self.follow(run, is_recording) and self.turn():
                    if self.result.paths - self.result.cut >= enough:
                        raise Undecided("only some paths were asked for")
            except Undecided as undecided:
                self.result.verdict, self.result.why = UNKNOWN, str(undecided)
            except Leak as leak:
                self.result.verdict, self.result.why = LEAK, str(leak)
            else:
                if self.result.counterexample is None:
                    self.result.verdict = PROVED if self.result.paths > self.result.cut else VACUOUS
        self.result.seconds = time.perf_counter() - start
        return self.result

    def follow(self, run: Callable[[Source], bool], is_recording: bool) -> bool:
        """One path; False when the claim fails on it."""
        self.at = 0
        self.decided = {}
        self.picked = []
        self.inputs = {}
        self.digests = []
        why = ""
        with watch() as watcher:
            try:
                if not run(self):
                    why = "the claim is false"
            except Outside:
                self.result.paths += 1
                self.result.cut += 1
                return True
            except Broken as broken:
                why = str(broken)
            except (Leak, Undecided):
                raise
            except Exception as error:  # whatever escapes is what the claim says never does
                why = f"{type(error).__name__}: {error}"
        self.result.paths += 1
        self.result.obligations += 1 + watcher.required
        if why:
            self.result.verdict, self.result.why = REFUTED, why
            self.result.counterexample = self.record()
            self.result.answers = self.list_answers()
            return False
        self.note(watcher)
        if is_recording and len(self.result.records) < MOST_RECORDS:
            self.result.records.append(self.record())
        return True

    def note(self, watcher: Watcher) -> None:
        """What the path reached counts: it exists and fulfils the claim."""
        self.result.reached |= watcher.reached

    def record(self) -> dict[str, Any]:
        """The inputs of this path in one model: what a ``Record`` source replays."""
        symbols = (SymInt, SymBool, SymBytes)
        model = self.get_model() if any(isinstance(one, symbols) for one in self.inputs.values()) else None
        return {name: self.evaluate(model, thing) for name, thing in self.inputs.items()}

    def list_answers(self) -> list[tuple[str, tuple[bytes, ...], bytes]]:
        """What the hashes of this path are in its model: by hash, what went in, and the digest."""
        model = self.get_model()
        return [
            (
                call.kind,
                tuple(self.evaluate(model, part) for part in call.parts),
                self.evaluate(model, call.digest),
            )
            for call in self.digests
        ]

    def evaluate(self, model: Any, thing: Any) -> Any:
        """An input in a model."""
        if isinstance(thing, SymInt):
            return self.theory.value(model.eval(thing.term, model_completion=True))
        if isinstance(thing, SymBool):
            return z3.is_true(model.eval(thing.term, model_completion=True))
        if isinstance(thing, SymBytes):
            return int(self.evaluate(model, join(thing))).to_bytes(len(thing), "big")
        return thing

    def turn(self) -> bool:
        """Take back the last decision that can go another way, and go it; False when none is left."""
        while self.trace:
            if self.trace[-1].is_pushed:
                self.pop()
            if self.trace[-1].ways:
                self.go(self.trace[-1])
                return True
            self.trace.pop()
        return False
