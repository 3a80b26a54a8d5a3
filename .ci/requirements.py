"""Print the requirements of pyproject.toml for the groups named: build, run, or an extra."""

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """One requirement to a word, for `pip install`; no requirement of ours has blanks in it."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    groups = dict(project["project"]["optional-dependencies"])
    groups["build"] = project["build-system"]["requires"]
    groups["run"] = project["project"]["dependencies"]
    print(*[requirement for name in sys.argv[1:] for requirement in groups[name]])


if __name__ == "__main__":
    main()
