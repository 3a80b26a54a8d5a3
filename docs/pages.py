"""What the pages are made of: tables and drawings from the code, clauses and theorems from the ledger."""

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst.states import Inliner
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

from mptcp_proofs.citations import MARGIN
from mptcp_proofs.ledger import Ledger, compute_coverage, find_tree, group, load_ledger
from mptcp_proofs.needs import write_needs
from mptcp_stack.ladder.climb import LADDERS

ROOT = Path(__file__).resolve().parent.parent
NEEDS = ROOT / "build" / "needs.json"
COLUMN, ROW, HEAD = 118, 30, 44  # of a drawing: pixels from state to state, from arc to arc, above the first
LITERAL = re.compile(r"(``.+?``)")
SPECIAL = re.compile(r"([\\*`_|])")


@cache
def load() -> Ledger:
    """The ledger of this tree."""
    ledger = load_ledger(find_tree())
    if ledger.root != ROOT:
        raise RuntimeError("the pages are made in the source tree")
    return ledger


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
        rows.append((f"``{argument.arg}``", f"``{default}``", link_clauses(" ".join(comment))))
    return rows


def read_coverage() -> list[tuple[str, ...]]:
    """How many clauses stand how, by RFC."""
    ledger = load()
    heads = ("clauses", "met", "partly", "open", "filed", "in code", "in tests", "in theorems")
    rows = [("RFC", "title", *heads)]
    for rfc, entries in group(ledger.entries.values(), "rfc").items():
        counts = [str(one) for one in asdict(compute_coverage(entries)).values()]
        rows.append((f":doc:`{rfc} <clauses/rfc{rfc}>`", ledger.catalogue.titles[int(str(rfc))], *counts))
    counts = [str(one) for one in asdict(compute_coverage(ledger.entries.values())).values()]
    return [*rows, ("all", "", *counts)]


def read_ladder(name: str) -> list[tuple[str, ...]]:
    """The rungs of a ladder, what each tries, and how often: families and roles."""
    rows = [("rung", "what is tried", "cases")]
    for rung in LADDERS[name]:
        rows.append((f"``{rung.name}``", SPECIAL.sub(r"\\\1", rung.about), str(len(rung.cases()))))
    return rows


# -- clauses and theorems -------------------------------------------------------------------------


def link_clauses(words: str) -> str:
    """``words`` of reStructuredText with each id of the margin made a link to its clause."""
    return MARGIN.sub(r":clause:`\1`", words)


def make_clause_pages(rfc: int) -> Iterator[str]:
    """A table of all clauses of an RFC, then each clause under its section."""
    ledger = load()
    yield from make_table(
        "clause", f'rfc == "{rfc}"', 'id;section;level;subject;status as "Stands";proved_by'
    )
    for section, entries in group(ledger.select(rfc), "section").items():
        ids = ",".join(entry.clause.id for entry in entries)
        name = "Section" if str(section)[0].isdigit() else "Appendix"
        yield from ("", f"{name} {section}", "-" * 40, "", *make_import(), f"   :ids: {ids}", "")


def make_theorem_pages() -> Iterator[str]:
    """A table of all theorems, then each one."""
    theorems = load().theorems
    if not theorems:
        yield "There is none yet."
        return
    yield from make_table("theorem", "True", 'id;title;proved_by_back as "Clauses";bounds')
    yield from ("", "In words", "-" * 40, "", *make_import(), '   :filter: type == "theorem"', "")


def make_table(kind: str, condition: str, columns: str) -> Iterator[str]:
    """A table of needs."""
    yield from (".. needtable::", f"   :types: {kind}", f"   :filter: {condition}", f"   :columns: {columns}")
    yield from ("   :style: table", "   :sort: id", "")


def make_import() -> Iterator[str]:
    """The head of an import of needs."""
    yield ".. needimport:: needs"


def refer(
    name: str, rawtext: str, text: str, line: int, inliner: Inliner, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role ``clause``: an id that links to its clause."""
    environment = inliner.document.settings.env
    page = environment.app.builder.get_relative_uri(environment.docname, f"clauses/rfc{text[1:5]}")
    return [nodes.reference(rawtext, text, internal=True, refuri=f"{page}#{text}")], []


# -- state machines -------------------------------------------------------------------------------


def read_arcs(module: str) -> list[tuple[list[str], str, str]]:
    """The arcs of a state machine: those of one signal into one state together, in the table's order."""
    arcs: dict[tuple[str, str], list[str]] = {}
    for state, ways in import_module(module).TRANSITIONS.items():
        for signal, to in ways.items():
            arcs.setdefault((signal.value, to.value), []).append(state.value)
    return [(states, signal, to) for (signal, to), states in arcs.items()]


def read_transitions(module: str) -> list[tuple[str, ...]]:
    """The table of a state machine, one row for each arc."""
    table = import_module(module).TRANSITIONS
    arcs = [
        (state.value, signal.value, to.value) for state, ways in table.items() for signal, to in ways.items()
    ]
    return [("In", "on", "goes to"), *arcs]


def draw_machine(module: str) -> str:
    """A state machine as SVG: states side by side, and below them an arrow for each signal."""
    states = [state.value for state in import_module(module).TRANSITIONS]
    places = {state: COLUMN * at + COLUMN // 2 for at, state in enumerate(states)}
    arcs = read_arcs(module)
    width, height = COLUMN * len(states), HEAD + ROW * len(arcs) + 10
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' style="width:100%;max-width:100%;font:12px sans-serif" fill="currentColor" stroke="none">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>',
    ]
    for state, x in places.items():
        lines.append(
            f'<line x1="{x}" y1="{HEAD - 12}" x2="{x}" y2="{height}" stroke="currentColor" opacity="0.25"/>'
        )
        lines.append(
            f'<rect x="{x - COLUMN / 2 + 3}" y="4" width="{COLUMN - 6}" height="26" rx="5" fill="none"'
            ' stroke="currentColor"/>'
        )
        lines.append(f'<text x="{x}" y="21" text-anchor="middle">{escape(state)}</text>')
    for at, (sources, signal, to) in enumerate(arcs):
        lines += draw_arc([places[one] for one in sources], signal, places[to], HEAD + ROW * at + 22)
    return "\n".join([*lines, "</svg>"])


def draw_arc(sources: list[int], signal: str, to: int, y: int) -> Iterator[str]:
    """A dot at each state that the arrow leaves, a tip at the one that it enters, the signal above it."""
    ends = [one for one in (min(sources), max(sources)) if one != to]
    for start in dict.fromkeys(ends):
        yield (
            f'<line x1="{start}" y1="{y}" x2="{to}" y2="{y}" stroke="currentColor" marker-end="url(#tip)"/>'
        )
    for x in sources:
        yield f'<circle cx="{x}" cy="{y}" r="4"/>'
    middle = (min(*sources, to) + max(*sources, to)) / 2
    yield f'<text x="{middle}" y="{y - 6}" text-anchor="middle">{escape(signal)}</text>'


# -- docstrings -----------------------------------------------------------------------------------


def tidy_docstring(
    application: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Docstrings are plain text: paragraphs, indented drawings, and words between double backquotes."""
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = [line for paragraph in paragraphs for line in (*tidy_paragraph(paragraph), "")]


def tidy_paragraph(paragraph: str) -> Iterator[str]:
    """One paragraph as reStructuredText: a drawing stays as it is, and of the rest only the words count."""
    rows = [row for row in paragraph.split("\n") if row.strip()]
    if rows and any(row.startswith(" ") for row in rows):
        yield from ("::", "", *("   " + row for row in rows))
    elif rows:
        pieces = LITERAL.split(" ".join(rows))
        words = "".join(piece if piece.startswith("``") else SPECIAL.sub(r"\\\1", piece) for piece in pieces)
        yield link_clauses(words if words[0].isalnum() or words.startswith("``") else "\\" + words)


# -- directives -----------------------------------------------------------------------------------


class Table(SphinxDirective):
    """A table of rows, as nodes."""

    def parse(self, lines: list[str]) -> list[nodes.Node]:
        """The nodes of these lines, sections included."""
        parent = nodes.section()
        parent.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, "generated"), parent)
        return list(parent.children)


class Choices(Table):
    """``.. choices::``, the table of all choices."""

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return self.parse(make_rows(read_choices()))


class Rungs(Table):
    """``.. rungs:: ladder``, the table of its rungs."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return self.parse(make_rows(read_ladder(self.arguments[0])))


class Transitions(Table):
    """``.. transitions:: module``, the drawing of a state machine and its table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of both."""
        drawing = nodes.raw("", draw_machine(self.arguments[0]), format="html")
        return [drawing, *self.parse(make_rows(read_transitions(self.arguments[0])))]


class ClauseCoverage(Table):
    """``.. clause-coverage::``, counts by RFC."""

    def run(self) -> list[nodes.Node]:
        """The table's nodes."""
        return self.parse(make_rows(read_coverage()))


class Clauses(Table):
    """``.. clauses:: RFC``, all clauses of one RFC."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of a table and of the clauses."""
        self.env.note_dependency(str(NEEDS))
        return self.parse(list(make_clause_pages(int(self.arguments[0]))))


class Theorems(Table):
    """``.. theorems::``, all theorems."""

    def run(self) -> list[nodes.Node]:
        """The nodes of a table and of the theorems."""
        self.env.note_dependency(str(NEEDS))
        return self.parse(list(make_theorem_pages()))


class Modules(Table):
    """``.. modules:: package``, the reference of all its modules, each under its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The nodes of all modules."""
        package = self.arguments[0]
        top = next(ROOT.glob(f"*/{package}"))
        lines: list[str] = []
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top.parent).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            lines += ["", name, "-" * len(name), "", f".. automodule:: {name}", "   :members:", ""]
        return self.parse(lines)


def setup(application: Sphinx) -> dict[str, bool]:
    """Make the directives known, and write the needs that they import."""
    write_needs(load(), NEEDS)
    application.add_directive("choices", Choices)
    application.add_directive("rungs", Rungs)
    application.add_directive("transitions", Transitions)
    application.add_directive("clause-coverage", ClauseCoverage)
    application.add_directive("clauses", Clauses)
    application.add_directive("theorems", Theorems)
    application.add_directive("modules", Modules)
    application.add_role("clause", refer)
    application.connect("autodoc-process-docstring", tidy_docstring)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
