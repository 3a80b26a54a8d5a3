"""The pages: what is written by hand stays short, and tables are read from the code and from the ledger."""

import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / top) for top in ("docs", "spec", "model", "proofs")]

import mptcp  # noqa: E402
from mptcp_proofs.needs import FIELDS  # noqa: E402

assert mptcp.build() == "interpreted", "compiled functions have no docstrings"

project = "mptcp"
author = "The mptcp authors"
release = mptcp.__version__
extensions = ["sphinx.ext.autodoc", "sphinx_needs", "pages"]
html_theme = "furo"
html_title = f"mptcp {release}"
autodoc_member_order = "bysource"
# what only some commands need may be missing where the pages are made
autodoc_mock_imports = [name for name in ("atheris", "scapy", "pcapng", "dpkt") if find_spec(name) is None]
exclude_patterns = ["_build"]

needs_types = [
    {"directive": "clause", "title": "Clause", "prefix": "R", "color": "#dfe9f5", "style": "node"},
    {"directive": "theorem", "title": "Theorem", "prefix": "T", "color": "#e6f4e1", "style": "node"},
]
needs_fields = {name: {"description": words, "default": ""} for name, words in FIELDS.items()}
needs_links = {"proved_by": {"incoming": "about the clauses", "outgoing": "proved by"}}
needs_id_regex = r"^[A-Z][A-Za-z0-9.\-]+$"
needs_import_keys = {"needs": "/../build/needs.json"}
