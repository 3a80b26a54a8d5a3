"""The house: what is built where there is no compiler, what make knows, and what the pages promise."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mptcp

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """All that the distribution is built from, without anything that was built before."""
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("spec", "model", "proofs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def build(folder: Path, **environment: str) -> str:
    """Build there, with these variables; what was said of it."""
    command = [sys.executable, "setup.py", "--quiet", "build"]
    kept = {name: value for name, value in os.environ.items() if name not in ("CC", "MPTCP_PURE")}
    ended = subprocess.run(
        command, cwd=folder, env={**kept, **environment}, capture_output=True, text=True, check=True
    )
    return ended.stdout


def find_built(folder: Path) -> set[str]:
    """The files that would be installed."""
    return {path.relative_to(folder / "build/lib").as_posix() for path in (folder / "build/lib").rglob("*.*")}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"CC": "no-such-compiler"}, "there is no C compiler (no-such-compiler)"),
        ({"MPTCP_PURE": "1"}, "MPTCP_PURE=1 is set"),
        pytest.param(
            {"CC": "gcc -nostdinc"},
            "Python's C headers are missing (Debian: python3-dev)",
            marks=pytest.mark.needs("gcc"),
        ),
    ],
)
def test_without_compiler(copy: Path, environment: dict[str, str], reason: str) -> None:
    """The interpreted build is made, and exactly one line says why; the sources are left as they were."""
    before = {path: path.read_bytes() for path in (copy / "spec").rglob("*.*")}
    assert build(copy, **environment) == f"mptcp: interpreted build, since {reason}\n"
    built = find_built(copy)
    assert {"mptcp/host.py", "mptcp/py.typed", "mptcp/wire/segment.py", "mptcp_stack/command.py"} <= built
    assert not [name for name in built if name.endswith(".so")]
    assert {path: path.read_bytes() for path in (copy / "spec").rglob("*.*")} == before


def test_all_packages_are_built(copy: Path) -> None:
    """Every module of the three roots is installed, and every catalogue of clauses."""
    build(copy, MPTCP_PURE="1")
    wanted = {
        path.relative_to(copy / top).as_posix()
        for top in ("spec", "model", "proofs")
        for path in (copy / top).rglob("*.*")
        if path.suffix in (".py", ".typed", ".toml")
    }
    assert find_built(copy) == wanted


def test_protocol_depends_on_nothing() -> None:
    """Without extras there is mypyc's own small run-time package, and nothing else."""
    names = [re.split(r"[<>=]", one)[0] for one in PROJECT["project"]["dependencies"]]
    assert names == ["librt"]


def test_make_says_what_it_can() -> None:
    """Every target for people has a word in ``make help``, which is what make alone does."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert targets[0] == "help" == re.findall(r"^([a-z]+):", makefile, re.MULTILINE)[0]
    assert re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE) == targets


def test_changelog_has_the_version() -> None:
    """The version that runs has a paragraph."""
    assert f"\n## {mptcp.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_pages_point_to_what_is_there() -> None:
    """Links and paths of the pages at the root lead somewhere."""
    for page in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        links = re.findall(r"\]\(((?!https?:)[^)]+)\)", text)
        paths = re.findall(r"`((?:spec|model|proofs|tests|docs|\.ci)/[\w./]*)`", text)
        for path in links + paths:
            assert (ROOT / path).exists(), f"{page}: {path}"
