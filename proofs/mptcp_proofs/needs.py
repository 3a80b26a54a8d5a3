"""The ledger as sphinx-needs imports it: one need for each clause and each theorem, linked.

The pages of docs/ are made of the file that ``write_needs`` writes; nothing in them is typed by hand.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import mptcp
from mptcp_proofs.citations import Citation, Statement
from mptcp_proofs.ledger import Entry, Ledger

SPECIAL = re.compile(r"([\\*`_|\[\]])")
FIELDS = {  # of a need, beside those that sphinx-needs has: what stands in each
    "rfc": "number of the RFC",
    "section": "section of the RFC",
    "level": "level, as of RFC 2119",
    "label": "the RFC's own name",
    "role": "whom it binds",
    "subject": "subject",
    "code": "where the code keeps it",
    "tests": "tests that hold it",
    "pitfalls": "what others got wrong",
    "why": "why it is not kept",
    "bounds": "bounds",
    "unclaimed": "what it does not say",
}


def make_needs(ledger: Ledger) -> dict[str, Any]:
    """The whole file, as JSON has it."""
    needs = {entry.clause.id: make_clause(entry) for entry in ledger.entries.values()}
    needs |= {one.id: make_theorem(one) for one in ledger.theorems}
    version = {"needs": needs, "needs_amount": len(needs)}
    return {"current_version": mptcp.__version__, "versions": {mptcp.__version__: version}}


def make_clause(entry: Entry) -> dict[str, Any]:
    """A clause; its theorems are links, its code and tests are words."""
    clause = entry.clause
    return {
        "id": clause.id,
        "type": "clause",
        "title": f"{clause.level} ({clause.label})" if clause.label else clause.level,
        "status": entry.standing,
        "content": escape(clause.text),
        "rfc": str(clause.rfc),
        "section": clause.section,
        "level": clause.level,
        "label": clause.label,
        "role": clause.role,
        "subject": clause.subject,
        "code": describe(entry.code),
        "tests": describe(entry.tests),
        "pitfalls": clause.pitfalls,
        "why": clause.why,
        "proved_by": sorted({one.name.partition(" ")[0] for one in entry.theorems}),
    }


def make_theorem(theorem: Statement) -> dict[str, Any]:
    """A theorem; its clauses link to it."""
    return {
        "id": theorem.id,
        "type": "theorem",
        "title": theorem.name,
        "content": escape(theorem.words),
        "section": theorem.sections,
        "code": f"{theorem.path}:{theorem.line}",
        "bounds": theorem.bounds,
        "unclaimed": theorem.unclaimed,
    }


def describe(citations: Iterable[Citation]) -> str:
    """The places, each once: the module or test file and what is there."""
    return ", ".join(dict.fromkeys(f"{Path(one.path).stem}.{one.name}".rstrip(".") for one in citations))


def escape(words: str) -> str:
    """``words`` as reStructuredText that says just that."""
    return SPECIAL.sub(r"\\\1", words)


def write_needs(ledger: Ledger, path: Path) -> None:
    """Write the file, unless it says the same already: an unchanged one makes no page anew."""
    text = json.dumps(make_needs(ledger), indent=1, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
