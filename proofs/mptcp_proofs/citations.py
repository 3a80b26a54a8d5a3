"""Where a clause is named: in the margin of the code, in the marker of a test, in the list of a theorem."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

ID = re.compile(r"R\d{4}-[0-9A-Z]+(?:\.\d+)*-\d{2,3}")
MARGIN = re.compile(rf"\[({ID.pattern})\]")
MARKER = "pytest.mark.clause"
THEOREM = "Theorem"
TEXTS = ("id", "name", "words", "sections", "bounds", "unclaimed")  # of a theorem, beside its clauses

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Citation:
    """An id where it stands: the file from the root, the line, and what is there ("" for the file itself)."""

    id: str
    path: str
    line: int
    name: str


def find_code(root: Path) -> Iterator[Citation]:
    """The margins of spec/, and the verdicts that carry an id."""
    for path, text in read_all(root, "spec"):
        if ID.search(text) is None:
            continue
        tree = ast.parse(text)
        lines = enumerate(text.splitlines(), 1)
        found = [(id, line) for line, words in lines for id in MARGIN.findall(words)]
        found += [
            (node.value, node.lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ID.fullmatch(node.value)
        ]
        for id, line in sorted(set(found), key=lambda one: (one[1], one[0])):
            yield Citation(id, path, line, find_name(tree, line))


def find_tests(root: Path) -> Iterator[Citation]:
    """The markers of the tests, wherever pytest lets them stand."""
    for path, text in read_all(root, "tests"):
        if MARKER not in text:
            continue
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER:
                for id in read_literals(node.args):
                    yield Citation(id, path, node.lineno, find_name(tree, node.lineno))


def find_theorems(root: Path) -> Iterator[Citation]:
    """The clauses that the theorems list."""
    for theorem in read_theorems(root):
        for id in theorem.clauses:
            yield Citation(id, theorem.path, theorem.line, f"{theorem.id} {theorem.name}")


@dataclass(frozen=True)
class Statement:
    """A theorem as it stands in the source: what it says and does not say, on which clauses."""

    id: str
    name: str
    words: str
    sections: str
    clauses: tuple[str, ...]
    bounds: str
    unclaimed: str
    path: str
    line: int


def read_theorems(root: Path) -> Iterator[Statement]:
    """Every call of ``Theorem`` in the claims; what is not literal there is empty here."""
    for path, text in read_all(root, "proofs/mptcp_proofs/claims"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == THEOREM:
                given = {one.arg: one.value for one in node.keywords}
                words = {name: read_string(given.get(name)) for name in TEXTS}
                clauses = given.get("clauses")
                ids = tuple(read_literals([clauses])) if clauses is not None else ()
                yield Statement(**words, clauses=ids, path=path, line=node.lineno)


def read_string(node: ast.expr | None) -> str:
    """A literal string, with its white space made single blanks; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split())
    return ""


def read_all(root: Path, folder: str) -> Iterator[tuple[str, str]]:
    """The Python files below ``folder``: path from the root, and text."""
    for path in sorted((root / folder).rglob("*.py")):
        yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def read_literals(nodes: list[ast.expr]) -> Iterator[str]:
    """The strings among ``nodes``, and in the tuples and lists there; anything else as it is written."""
    for node in nodes:
        if isinstance(node, (ast.Tuple, ast.List)):
            yield from read_literals(node.elts)
        elif isinstance(node, ast.Constant):
            yield str(node.value)
        else:
            yield ast.unparse(node)


def find_name(tree: ast.Module, line: int) -> str:
    """The function, class or constant around ``line``, decorators and the comment above included."""
    names: list[str] = []
    body = tree.body
    while (node := find_statement(body, line)) is not None:
        if isinstance(node, DEFINITIONS):
            names.append(node.name)
            body = node.body
        else:
            if not names:
                names += name_targets(node)
            break
    return ".".join(names)


def find_statement(body: list[ast.stmt], line: int) -> ast.stmt | None:
    """The statement of ``body`` on ``line``, or else the first below it."""
    return next((node for node in body if (node.end_lineno or node.lineno) >= line), None)


def name_targets(node: ast.stmt) -> list[str]:
    """What an assignment assigns to; nothing for any other statement."""
    if isinstance(node, ast.Assign):
        return [ast.unparse(node.targets[0])]
    return [ast.unparse(node.target)] if isinstance(node, ast.AnnAssign) else []
