"""The pages: what is written by hand stays short, and tables are read from the code itself."""

import ast
import sys
from importlib import import_module
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / top) for top in ("spec", "model", "proofs")]

import mptcp  # noqa: E402

project = "mptcp"
author = "The mptcp authors"
release = mptcp.__version__
extensions = ["sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"mptcp {release}"
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]


def make_rows(rows: list[tuple[str, ...]]) -> list[str]:
    """A list-table of reStructuredText; the first row is its head."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {'* -' if place == 0 else '  -'} {cell}" for place, cell in enumerate(row)]
    return lines


def read_choices() -> list[tuple[str, ...]]:
    """Each field of Choices with its default and the comment above it, as they stand in the source."""
    text = (ROOT / "spec/mptcp/choices.py").read_text(encoding="utf-8")
    lines = text.splitlines()
    init = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    defaults = [ast.unparse(default) for default in init.args.defaults]
    rows = [("Choice", "Default", "Why, and where the standard leaves it to us")]
    for argument, default in zip(init.args.args[1:], defaults, strict=True):
        line = next(
            number for number, one in enumerate(lines) if one.strip().startswith(f"self.{argument.arg}: ")
        )
        comment: list[str] = []
        while lines[line - 1].strip().startswith("#"):
            line -= 1
            comment.insert(0, lines[line].strip(" #"))
        rows.append((f"``{argument.arg}``", f"``{default}``", " ".join(comment)))
    return rows


def read_transitions(module: str) -> list[tuple[str, ...]]:
    """The table of a state machine, one row for each arc."""
    table = import_module(module).TRANSITIONS
    arcs = [
        (state.value, signal.value, to.value) for state, ways in table.items() for signal, to in ways.items()
    ]
    return [("In", "on", "goes to"), *arcs]


class Choices(SphinxDirective):
    """``.. choices::``, the table of all choices."""

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return self.parse(read_choices())

    def parse(self, rows: list[tuple[str, ...]]) -> list[nodes.Node]:
        """The nodes of these rows."""
        parent = nodes.container()
        self.state.nested_parse(StringList(make_rows(rows), "generated"), 0, parent)
        return parent.children


class Transitions(Choices):
    """``.. transitions:: module``, the table of a state machine."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return self.parse(read_transitions(self.arguments[0]))


def setup(application: Sphinx) -> None:
    """Make the directives known."""
    application.add_directive("choices", Choices)
    application.add_directive("transitions", Transitions)
