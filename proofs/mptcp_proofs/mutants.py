"""Mutants: the text of a source file with one small wrong change."""

from mptcp_proofs.symbolic.loader import find_path
from mptcp_proofs.theorem import Mutant


class Stale(Exception):
    """The text that a mutant changes is not in the source, or not once."""


def change(mutant: Mutant | None) -> dict[str, str]:
    """The changed text by file, as a ``World`` takes it. Raises Stale when the source has moved on."""
    if mutant is None:
        return {}
    path = find_path(mutant.file.removesuffix(".py").replace("/", "."))
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise Stale(f"{mutant.file} has {text.count(mutant.old)} times {mutant.old!r}")
    return {mutant.file: text.replace(mutant.old, mutant.new)}
