"""The sub-command `mptcp clauses`: what the standards ask, and what here answers to it."""

import json
from dataclasses import asdict, fields
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mptcp.errors import Refused
from mptcp_proofs.citations import Citation
from mptcp_proofs.clauses import LEVELS
from mptcp_proofs.ledger import (
    STANDINGS,
    Coverage,
    Entry,
    Ledger,
    compute_coverage,
    find_tree,
    group,
    load_ledger,
)
from mptcp_proofs.scope import is_built

FORMAT = 1  # of --json
DEFAULT_RFC = 8684  # of --section
COLORS = {
    "met": "green",
    "partly": "yellow",
    "open": "yellow",
    "filed": "cyan",
    "unread": "",
    "orphan": "red",
}
UNREAD = ("clauses", "filed")  # the counts that need no source tree
NO_TREE = "There is no source tree here, so code, tests and theorems were not looked for: run this in one."


def clauses(
    name: Annotated[
        str | None, typer.Argument(metavar="[CLAUSE]", help="One clause: its id, or its label in the RFC.")
    ] = None,
    rfc: Annotated[int | None, typer.Option("--rfc", metavar="NUMBER", help="Clauses of this RFC.")] = None,
    section: Annotated[
        str | None,
        typer.Option(
            "--section", help=f"Clauses of this section and below (of RFC {DEFAULT_RFC} without --rfc)."
        ),
    ] = None,
    level: Annotated[
        str | None, typer.Option("--level", help="Clauses of this level: " + ", ".join(LEVELS) + ".")
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="List the clauses that are neither met nor filed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Counts and clauses as JSON.")] = False,
) -> None:
    """Show each clause of the standards with the code, tests and theorems that answer to it.

    A clause is met when code names it in its margin and a test or a theorem
    holds it; filed when it is not kept and the catalogue says why. Without
    arguments: how many are what, by RFC and by level.

    Examples:
    mptcp clauses --rfc 8684

    mptcp clauses --section 3.3.1 --level must

    mptcp clauses R8684-3.3.1-04
    """
    ledger = load_ledger(find_tree())
    if name is not None:
        entry = find_entry(ledger, name)
        print_json([entry], ledger) if as_json else print_entry(entry, ledger)
        return
    if section is not None and rfc is None:
        rfc = DEFAULT_RFC
    entries = select(ledger, rfc, section, level)
    if missing:
        entries = [entry for entry in entries if entry.standing not in ("met", "filed")]
    if as_json:
        print_json(entries, ledger)
        return
    if missing or section is not None or (rfc is not None and level is not None):
        print_list(entries)
    else:
        by = "rfc" if rfc is None else "section"
        print_coverage(entries, by, ledger)
        if level is None:
            print_coverage(entries, "level", ledger)
    print_totals(entries, ledger)


def find_entry(ledger: Ledger, name: str) -> Entry:
    """The entry of one clause, by id or label. Raises Refused when there is none."""
    clause = ledger.catalogue.find(name)
    if clause is None:
        raise Refused(f"no clause is called {name}; an id looks like R8684-3.3.1-04, a label like MUST-34")
    return ledger.entries[clause.id]


def select(ledger: Ledger, rfc: int | None, section: str | None, level: str | None) -> list[Entry]:
    """The entries that the options ask for. Raises Refused for an RFC, section or level that is not there."""
    if rfc is not None and rfc not in ledger.catalogue.titles:
        known = ", ".join(str(one) for one in ledger.catalogue.titles)
        raise Refused(f"RFC {rfc} is not in the catalogue, which has {known}")
    wanted = (level or "").upper().replace("-", " ").replace("_", " ")
    if wanted and wanted not in LEVELS:
        raise Refused(f"a level is one of {', '.join(LEVELS)}")
    if section is not None and not ledger.select(rfc, section):
        raise Refused(f"no clause stands in section {section} of RFC {rfc}")
    return ledger.select(rfc, section or "", wanted)


# -- for people -----------------------------------------------------------------------------------


def print_coverage(entries: list[Entry], by: str, ledger: Ledger) -> None:
    """One row for each RFC, section or level."""
    groups = group(entries, by)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, expand=by == "rfc")
    table.add_column("RFC" if by == "rfc" else by, no_wrap=True, min_width=4)
    headings = [one.name for one in fields(Coverage) if ledger.root is not None or one.name in UNREAD]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True, min_width=len(heading))
    if by == "rfc":
        table.add_column("title", no_wrap=True, overflow="ellipsis", ratio=1)
    ranks: dict[object, int] = {one: place for place, one in enumerate(LEVELS)}
    for value in sorted(groups, key=lambda one: ranks.get(one, 0)) if by == "level" else groups:
        title = [ledger.catalogue.titles[value]] if by == "rfc" and isinstance(value, int) else []
        coverage = asdict(compute_coverage(groups[value]))
        counts = [str(coverage[heading] or "") for heading in headings]  # zeros are left empty
        table.add_row(str(value), *counts, *title)
    Console().print(table)


def print_list(entries: list[Entry]) -> None:
    """One row for each clause."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("clause", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("stands", no_wrap=True)
    table.add_column("what it asks", overflow="fold")
    for entry in entries:
        standing = get_standing(entry)
        words = entry.clause.text if entry.clause.met else f"{entry.clause.text} Filed: {entry.clause.why}"
        table.add_row(entry.clause.id, entry.clause.level, Text(standing, COLORS[standing]), Text(words))
    Console().print(table)


def get_standing(entry: Entry) -> str:
    """The entry's standing, or "orphan" where that is owed to a part that is built."""
    is_owed = entry.standing in ("partly", "open") and is_built(entry.clause)
    return "orphan" if is_owed else entry.standing


def print_totals(entries: list[Entry], ledger: Ledger) -> None:
    """The last line, and what could not be read."""
    coverage = compute_coverage(entries)
    orphans = sum(1 for entry in entries if get_standing(entry) == "orphan")
    console = Console()
    words = f"{coverage.clauses} clauses, {coverage.filed} of them filed."
    if ledger.root is not None:
        words = (
            f"{coverage.clauses} clauses: {coverage.met} met, {coverage.filed} filed, "
            f"{coverage.partly} partly, {coverage.open} open; orphans, in parts that are built: {orphans}."
        )
    console.print(words, highlight=False, soft_wrap=True)
    print_warnings(ledger, console)


def print_warnings(ledger: Ledger, console: Console) -> None:
    """That there was no tree, or ids that no catalogue knows."""
    if ledger.root is None:
        console.print(NO_TREE, highlight=False, soft_wrap=True)
    for one in ledger.unknown:
        console.print(
            f"{one.path}:{one.line} names {one.id}, which is no clause.", style="red", highlight=False
        )


def print_entry(entry: Entry, ledger: Ledger) -> None:
    """Everything about one clause."""
    clause, console = entry.clause, Console()
    label = f" ({clause.label})" if clause.label else ""
    console.print(Text(f"{clause.id}{label}", "bold"), Text(clause.level), end=" ")
    standing = get_standing(entry)
    console.print(Text(f"{standing}: {STANDINGS[entry.standing]}", COLORS[standing]))
    rows = [
        ("RFC", f"{clause.rfc} section {clause.section}, {clause.url}"),
        ("lines", clause.lines),
        ("about", f"{clause.subject}; {clause.role}"),
        ("asks", clause.text),
        ("pitfalls", clause.pitfalls),
        ("filed", clause.why),
    ]
    kinds = (("code", entry.code), ("tests", entry.tests), ("theorems", entry.theorems))
    rows += [(kind, "\n".join(describe(one) for one in cited)) for kind, cited in kinds]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for what, words in rows:
        if words:
            grid.add_row(what, Text(words))
    console.print(grid)
    print_warnings(ledger, console)


def describe(citation: Citation) -> str:
    """Where it is and what is there."""
    return f"{citation.path}:{citation.line} {citation.name}".rstrip()


# -- for programs ---------------------------------------------------------------------------------


def print_json(entries: list[Entry], ledger: Ledger) -> None:
    """Counts and clauses, with the version of this format; without a tree nothing is met or open."""
    print(
        json.dumps(
            {
                "format": FORMAT,
                "tree": ledger.root is not None,
                "coverage": asdict(compute_coverage(entries)),
                "unknown": [asdict(one) for one in ledger.unknown],
                "clauses": [simplify(entry) for entry in entries],
            },
            indent=1,
        )
    )


def simplify(entry: Entry) -> dict[str, Any]:
    """One clause as JSON has it."""
    kinds = {"code": entry.code, "tests": entry.tests, "theorems": entry.theorems}
    return {
        **asdict(entry.clause),
        "rfc": entry.clause.rfc,
        "url": entry.clause.url,
        "standing": get_standing(entry),
        **{
            kind: [{"path": one.path, "line": one.line, "name": one.name} for one in cited]
            for kind, cited in kinds.items()
        },
    }
