"""The sources, loaded once more from their text, under a root of their own.

A ``World`` holds modules of mptcp and of the claims that know each other and nobody else: always from
the .py files, even when a compiled build is installed, so that symbols can run through them; with a
mutant's change in the text, if one is given. No file is changed, nothing enters ``sys.modules``.
"""

import ast
import builtins
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

PRIVATE = ("mptcp", "mptcp_proofs.claims")  # what is loaded anew; all else is shared


class World:
    """A private set of modules.

    ``changes`` maps a file below spec/ to its other text; ``scope`` is what the modules find as builtins,
    ``modules`` the modules that stand in for others, ``summaries`` what is put into a module of ours once
    it is loaded.
    """

    def __init__(
        self,
        changes: Mapping[str, str] | None = None,
        scope: Mapping[str, Any] | None = None,
        modules: Mapping[str, ModuleType] | None = None,
        summaries: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.changes = changes or {}
        self.scope = dict(vars(builtins) if scope is None else scope)
        self.scope["__import__"] = self.import_module
        self.stand_ins = modules or {}
        self.summaries = summaries or {}
        self.modules: dict[str, ModuleType] = {}

    def load(self, name: str, path: Path | None = None) -> ModuleType:
        """The module ``name`` of this world, from ``path`` if it is none of ours."""
        if name in self.modules:
            return self.modules[name]
        path = find_path(name) if path is None else path
        module = ModuleType("private." + name)
        module.__file__ = str(path)
        module.__dict__["__builtins__"] = self.scope
        self.modules[name] = module
        if path.name == "__init__.py":
            module.__path__ = [str(path.parent)]  # a package: ours say nothing but what they are
        else:
            exec(self.compile(name, path), module.__dict__)
            module.__dict__.update(self.summaries.get(name, {}))
        parent, _, leaf = name.rpartition(".")
        if is_private(parent):
            setattr(self.load(parent), leaf, module)
        return module

    def compile(self, name: str, path: Path) -> CodeType:
        """The module's code, after this world's changes."""
        text = self.changes.get(name.replace(".", "/") + ".py")
        return compile_file(path) if text is None else compile(text, str(path), "exec")

    def import_module(
        self,
        name: str,
        scope: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        wanted: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        """What an import statement in a module of this world does."""
        if name in self.stand_ins:
            return self.stand_ins[name]
        if not is_private(name):
            return builtins.__import__(name, scope, local, wanted, level)
        module = self.load(name)
        if not wanted:
            return self.load(name.partition(".")[0])
        for one in wanted:
            if not hasattr(module, one):
                self.load(f"{name}.{one}")
        return module

    def find(self, function: Any) -> Any:
        """The twin, in this world, of a function, which may be named ``module:function``."""
        if isinstance(function, str):
            module, _, name = function.partition(":")
            return getattr(self.load(module), name)
        module = function.__module__
        path = None if is_private(module) else Path(function.__code__.co_filename)
        return getattr(self.load(module, path), function.__name__)

    def replace(self, function: str, other: str) -> None:
        """Put the function ``other`` in the place of ``function``, wherever it was imported to."""
        old, new = self.find(function), self.find(other)
        for module in list(self.modules.values()):
            for name, thing in list(vars(module).items()):
                if thing is old and isinstance(thing, FunctionType):
                    setattr(module, name, new)


def is_private(name: str) -> bool:
    """Whether a module is loaded anew in each world."""
    return any(name == one or name.startswith(one + ".") for one in PRIVATE)


@cache
def find_path(name: str) -> Path:
    """The .py file of a module, whatever build is installed."""
    top, *parts = name.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    path = Path(spec.origin).parent.joinpath(*parts)
    for one in (path.with_suffix(".py") if parts else path / "__init__.py", path / "__init__.py"):
        if one.is_file():
            return one
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@cache
def compile_file(path: Path) -> CodeType:
    """The code of a file that nobody changed."""
    return compile(ast.parse(path.read_text(encoding="utf-8")), str(path), "exec")
