"""The proof of the prover: symbolic numbers against CPython's own, on random programs."""

import random
from functools import partial
from typing import Any, TypeAlias

import pytest

from mptcp_proofs.claim import Source, assume, require
from mptcp_proofs.symbolic.explorer import LEAK, PROVED, Explorer
from mptcp_proofs.symbolic.integers import SymInt

Bounds: TypeAlias = dict[str, tuple[int, int]]
Program: TypeAlias = Any  # a variable's name, a number, or an operation with its operands

NUMBERS = (
    0,
    1,
    2,
    3,
    -1,
    5,
    255,
    1 << 16,
    (1 << 32) - 1,
    1 << 31,
    -(1 << 31),
    ~((1 << 32) - 1),
    (1 << 64) - 1,
)
LOWS = (0, 0, -100, -(1 << 33))
HIGHS = (255, (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1, 1000)
VARIABLES = ("x", "y", "z")


def make_program(chance: random.Random, depth: int) -> Program:
    """An expression over x, y, z and p, which is positive."""
    if depth == 0 or chance.random() < 0.15:
        return chance.choice(VARIABLES) if chance.random() < 0.7 else chance.choice(NUMBERS)
    operation = chance.choice(
        ("+", "-", "*", "&", "|", "^", "<<", ">>", "//", "%", "~", "if", "neg", "abs", "==")
    )
    first = make_program(chance, depth - 1)
    if operation in ("<<", ">>"):
        return (operation, first, chance.randrange(12))
    if operation in ("//", "%"):
        return (operation, first, chance.choice((1, 2, 3, 7, 256, "p")))
    if operation in ("~", "neg", "abs"):
        return (operation, first)
    count = 3 if operation == "if" else 1
    return (operation, first, *[make_program(chance, depth - 1) for _ in range(count)])


def evaluate(program: Program, values: dict[str, Any]) -> Any:
    """The program's value, in numbers or symbols."""
    if not isinstance(program, tuple):
        return values[program] if isinstance(program, str) else program
    operation, first = program[0], evaluate(program[1], values)
    if operation in ("~", "neg", "abs"):
        return {"~": lambda: ~first, "neg": lambda: -first, "abs": lambda: abs(first)}[operation]()
    if operation == "if":
        return evaluate(program[3 if first < evaluate(program[2], values) else 4], values)
    second = evaluate(program[2], values)
    return {
        "+": lambda: first + second,
        "-": lambda: first - second,
        "*": lambda: first * second,
        "&": lambda: first & second,
        "|": lambda: first | second,
        "^": lambda: first ^ second,
        "<<": lambda: first << second,
        ">>": lambda: first >> second,
        "//": lambda: first // second,
        "%": lambda: first % second,
        "==": lambda: 1 * (first == second),
    }[operation]()


def agree(program: Program, bounds: Bounds, values: dict[str, int], expected: int, source: Source) -> bool:
    """With symbols that can only have these values the program gives what is expected."""
    symbols = {name: source.integer(name, *pair) for name, pair in bounds.items()}
    for name, symbol in symbols.items():
        assume(symbol == values[name])
    found = evaluate(program, symbols)
    if isinstance(found, SymInt):
        require(found.low <= expected <= found.high, "its interval holds it")
    return bool(found == expected)


@pytest.mark.parametrize(("theory", "count"), [("bits", 250), ("line", 150)])
def test_programs(theory: str, count: int) -> None:
    """A program run with symbols that can only have one value gives what CPython gives, or leaks."""
    chance = random.Random(7)
    agreed = leaked = 0
    for _ in range(count):
        program = make_program(chance, 3)
        bounds = {name: (chance.choice(LOWS), chance.choice(HIGHS)) for name in VARIABLES} | {"p": (1, 300)}
        values = {name: chance.choice((*pair, chance.randint(*pair))) for name, pair in bounds.items()}
        expected = evaluate(program, values)

        result = Explorer(theory, 5).explore(partial(agree, program, bounds, values, expected))
        assert result.verdict in (PROVED, LEAK), (program, bounds, values, expected, result.why)
        agreed += result.verdict == PROVED
        leaked += result.verdict == LEAK
    assert leaked == 0 if theory == "bits" else agreed > leaked
    assert agreed > count // 3


def stays_inside(program: Program, bounds: Bounds, source: Source) -> bool:
    """The value lies in the interval of its symbol, whatever the inputs."""
    found = evaluate(program, {name: source.integer(name, *pair) for name, pair in bounds.items()})
    if not isinstance(found, SymInt):
        return True
    anything = SymInt(found.term, found.low - 1000, found.high + 1000)
    return bool(anything >= found.low) and bool(anything <= found.high)


def test_intervals() -> None:
    """No value that a program can have lies outside the interval of its symbol."""
    chance = random.Random(11)
    for _ in range(60):
        program = make_program(chance, 2)
        bounds = {name: (chance.choice((0, -9)), chance.choice((3, 255, 1000))) for name in VARIABLES}
        result = Explorer("line", 5).explore(partial(stays_inside, program, bounds | {"p": (1, 9)}))
        assert result.verdict in (PROVED, LEAK), (program, bounds)
