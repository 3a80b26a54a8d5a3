"""The catalogue: what the RFCs ask, each clause in our own words, from spec/mptcp/clauses/.

A clause that we do not keep is filed there with ``met = false`` and the reason ``why``.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

# The key words of RFC 2119, the strictest first; IMPLIED is what an RFC asks without one of them.
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED", "MAY", "IMPLIED")


@dataclass(frozen=True)
class Clause:
    """One clause. ``lines`` is where it stands in the RFC's plain text, first and last.

    ``label`` is the RFC's own name for it, as MUST-34 in RFC 9293; ``pitfalls`` what others got wrong.
    """

    id: str
    level: str
    section: str
    role: str
    subject: str
    text: str
    lines: str = ""
    label: str = ""
    pitfalls: str = ""
    met: bool = True
    why: str = ""

    @property
    def rfc(self) -> int:
        """The number of its RFC."""
        return int(self.id[1:5])

    @cached_property
    def order(self) -> tuple[object, ...]:
        """By RFC, then section as a reader counts them (3.9 before 3.10, appendices last), then number."""
        parts = [(0, int(one), "") if one.isdigit() else (1, 0, one) for one in self.section.split(".")]
        return (self.rfc, parts, self.id)

    @cached_property
    def url(self) -> str:
        """Where to read the section."""
        anchor = "section" if self.section[0].isdigit() else "appendix"
        return f"https://www.rfc-editor.org/rfc/rfc{self.rfc}#{anchor}-{self.section}"

    def is_below(self, section: str) -> bool:
        """Whether it stands in ``section`` or in a part of it."""
        return self.section == section or self.section.startswith(section + ".")


@dataclass(frozen=True)
class Catalogue:
    """All clauses by id, in order, and the RFCs' titles by number."""

    clauses: dict[str, Clause]
    titles: dict[int, str]

    def find(self, name: str) -> Clause | None:
        """The clause with this id, or with this label."""
        wanted = name.upper()
        if wanted in self.clauses:
            return self.clauses[wanted]
        return next((one for one in self.clauses.values() if one.label and one.label == wanted), None)


def parse_catalogue(texts: Iterable[str]) -> Catalogue:
    """The catalogue from the texts of its files; the first line of each gives the RFC's title."""
    clauses: list[Clause] = []
    titles: dict[int, str] = {}
    for text in texts:
        found = [Clause(id, **fields) for id, fields in tomllib.loads(text).items()]
        clauses += found
        title = text.partition("\n")[0].partition(", ")[2].removesuffix(".")
        titles.update({one.rfc: title for one in found[:1]})
    return Catalogue(
        {one.id: one for one in sorted(clauses, key=lambda one: one.order)}, dict(sorted(titles.items()))
    )


def load_catalogue(root: Path | None = None) -> Catalogue:
    """The catalogue below the repository's folder ``root``, or else the one that is installed."""
    folder: Traversable = files("mptcp") if root is None else root / "spec" / "mptcp"
    names = sorted(one.name for one in (folder / "clauses").iterdir() if one.name.endswith(".toml"))
    return parse_catalogue((folder / "clauses" / name).read_text(encoding="utf-8") for name in names)
