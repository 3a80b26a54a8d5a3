"""The source as data: modules, what they import, which classes descend from which, which clauses they name.

Read from the text and never imported, so that both builds, and files that do not even run, can be examined.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

ROOTS = ("spec", "model", "proofs")
TAG = re.compile(r"\[(R\d[^\]\n]*)\]?")


@dataclass(frozen=True)
class Import:
    """One imported module, absolute; ``typing_only`` when it stands under ``if TYPE_CHECKING``."""

    target: str
    line: int
    typing_only: bool


@dataclass(frozen=True)
class Module:
    """One file: its path from the root, its dotted name ("" outside the packages), text, tree, imports."""

    path: str
    name: str
    text: str
    tree: ast.Module
    imports: tuple[Import, ...]

    @property
    def is_core(self) -> bool:
        """Whether it is part of spec/mptcp."""
        return self.name == "mptcp" or self.name.startswith("mptcp.")

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """The whole tree, walked once."""
        return tuple(ast.walk(self.tree))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones included."""
        for node in self.nodes:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """All classes."""
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield node

    def margin_tags(self) -> list[str]:
        """The clauses named in the text's margin, as they stand there between brackets."""
        return TAG.findall(self.text)

    def clause_marks(self) -> list[str]:
        """The clauses that its tests say they hold."""
        marks = [node for node in self.nodes if isinstance(node, ast.Call)]
        named = [mark for mark in marks if getattr(mark.func, "attr", "") == "clause"]
        return [ast.literal_eval(one) for mark in named for one in mark.args if isinstance(one, ast.Constant)]


Line: TypeAlias = list[tuple[Module, ast.ClassDef]]
"""A class and those it descends from, nearest first, each with the module that defines it."""


class Source:
    """All Python below the repository's folder ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def names(self) -> frozenset[str]:
        """The dotted names of the packages' modules."""
        paths = [
            path.relative_to(self.root / top) for top in ROOTS for path in (self.root / top).rglob("*.py")
        ]
        return frozenset(".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths)

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """Every module of the packages and of the tests, by path."""
        paths = sorted(path for top in (*ROOTS, "tests") for path in (self.root / top).rglob("*.py"))
        return tuple(self.read(path.relative_to(self.root).as_posix()) for path in paths)

    def read(self, path: str) -> Module:
        """The module at ``path``, from the root."""
        return self.parse(path, (self.root / path).read_text(encoding="utf-8"))

    def parse(self, path: str, text: str) -> Module:
        """The module that ``text`` would be at ``path``."""
        top, *parts = path.removesuffix(".py").split("/")
        name = ".".join(parts).removesuffix(".__init__") if top in ROOTS else ""
        tree = ast.parse(text)
        return Module(path, name, text, tree, tuple(self.find_imports(tree)))

    def find_imports(self, tree: ast.Module) -> Iterator[Import]:
        """All imports, also inside functions; of a name that is itself a module, that module."""
        nodes = [node for node in ast.walk(tree) if isinstance(node, (ast.If, ast.Import, ast.ImportFrom))]
        guards = [
            node
            for node in nodes
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        ]
        guarded = {id(child) for guard in guards for statement in guard.body for child in ast.walk(statement)}
        for node in nodes:
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                named = [f"{base}.{alias.name}" for alias in node.names]
                targets = [one if one in self.names else base for one in named]
            else:
                continue
            for target in dict.fromkeys(targets):
                yield Import(target, node.lineno, id(node) in guarded)

    def find_class(self, module: Module, name: str) -> tuple[Module, ast.ClassDef] | None:
        """The class that ``name`` means in ``module``, wherever it was imported from; None if not ours."""
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return module, node
            if isinstance(node, ast.ImportFrom) and name in [
                alias.asname or alias.name for alias in node.names
            ]:
                homes = [other for other in self.modules if other.name == node.module]
                return self.find_class(homes[0], name) if homes else None
        return None

    def find_line(self, module: Module, definition: ast.ClassDef) -> Line:
        """The class and those it descends from, as far as they are ours."""
        line = [(module, definition)]
        for base in definition.bases:
            found = self.find_class(module, base.id) if isinstance(base, ast.Name) else None
            line += self.find_line(*found) if found is not None else []
        return line

    def find_family(self, module: Module, *founders: str) -> Iterator[tuple[ast.ClassDef, Line]]:
        """The module's classes that descend from a class called as one of the founders."""
        for definition in module.classes():
            line = self.find_line(module, definition)
            if definition.name not in founders and any(one.name in founders for _, one in line):
                yield definition, line

    def read_names(self, line: Line, name: str) -> list[str]:
        """The names that a class, or the nearest that it descends from, lists in its attribute ``name``."""
        for module, definition in line:
            for node in definition.body:
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Tuple):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    if [ast.unparse(target) for target in targets] == [name]:
                        return [
                            one for element in node.value.elts for one in self.unfold(module, element, name)
                        ]
        return []

    def unfold(self, module: Module, element: ast.expr, name: str) -> list[str]:
        """One element of a list of names: a literal, or ``*Base.FIELDS``."""
        if not isinstance(element, ast.Starred):
            return [str(ast.literal_eval(element))]
        found = self.find_class(module, ast.unparse(element.value).split(".")[0])
        return self.read_names(self.find_line(*found), name) if found is not None else []


def find_assigned(tree: ast.AST) -> set[str]:
    """The attributes of ``self`` that are assigned anywhere below."""
    stores = [
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    ]
    return {node.attr for node in stores if isinstance(node.value, ast.Name) and node.value.id == "self"}


def find_init(definition: ast.ClassDef) -> ast.FunctionDef | None:
    """The ``__init__`` that the class itself defines."""
    inits = [one for one in definition.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    return inits[0] if inits else None


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """A walk along the arrows that comes back to where it began, or nothing."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in sorted(arrows.get(name, set())):
            if circle := walk(target, [*way, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(arrows) if (circle := walk(name, []))), [])
