"""The `mptcp` command: how it finds its sub-commands, and how it says what is wrong."""

import json
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import mptcp
from mptcp_stack.command import (
    EXTRAS,
    describe_build,
    explain_missing,
    find_chosen,
    read_summary,
    run,
)

PROJECT = tomllib.loads(Path(__file__, "../../../pyproject.toml").resolve().read_text(encoding="utf-8"))[
    "project"
]
ENTRY = EntryPoint("lab", "mptcp_stack.lab_command:lab", "mptcp.commands")

# Runs in a Python of its own: the modules named in the first argument cannot be imported there, and one
# more sub-command, from the folder in the second, is installed. The rest is the command line.
INSULATED = """
import json, sys
missing, folder, *arguments = json.loads(sys.argv[1])
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
sys.path[:0] = [folder, *json.loads(sys.argv[2])]
from mptcp_stack.command import run
sys.exit(run(arguments))
"""
PLUGIN = '''"""Sub-commands from elsewhere."""
import typer
group = typer.Typer()
@group.command()
def inside() -> None:
    "Said of a command inside."
    print("ran inside")
@group.command()
def beside() -> None: ...
def hello(name: str) -> None:
    """Greet.

    More of it."""
    print("hello", name)
def wants() -> None:
    "Want what is not there."
    import mptcp_missing_module.part
def stops() -> None:
    raise KeyboardInterrupt
class Finalized:
    def __del__(self):
        raise KeyboardInterrupt
def swallows() -> None:
    Finalized()
    import time
    time.sleep(60)
def hurries() -> None:
    import mptcp_stack.command
    mptcp_stack.command.AGAIN = 0
    Finalized()
    import time
    for _ in range(600):
        time.sleep(0.1)
def fails() -> None:
    open("/nowhere/at/all")
def refuses() -> None:
    from mptcp.errors import Refused
    raise Refused("connection does not exist")
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an installed package that adds sub-commands."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    information = tmp_path / "plugin-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    lines = [
        f"{name} = plugin:{name}"
        for name in ("hello", "group", "wants", "stops", "swallows", "hurries", "fails", "refuses")
    ]
    lines.append("broken = mptcp_stack.not_there:broken")
    (information / "entry_points.txt").write_text("[mptcp.commands]\n" + "\n".join(lines) + "\n")
    return tmp_path


def call(folder: Path, *arguments: str, missing: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``mptcp`` with these arguments."""
    first = json.dumps([missing, str(folder), *arguments])
    command = [sys.executable, "-c", INSULATED, first, json.dumps(sys.path)]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stdout, ended.stderr


def test_version_says_the_build() -> None:
    """Version, build and Python stand in one line."""
    assert describe_build().startswith(f"mptcp {mptcp.__version__} ({mptcp.build()}, ")


def test_version_needs_no_extra(tmp_path: Path) -> None:
    """``mptcp --version`` works where nothing but the protocol is installed."""
    status, out, err = call(tmp_path, "--version", missing=("typer", "rich", "pyroute2"))
    assert (status, out, err) == (0, describe_build() + "\n", "")


def test_library_needs_no_extra() -> None:
    """The package itself imports with the standard library alone."""
    told = (
        "import json, sys; sys.path[:0] = json.loads(sys.argv[1])\n"
        "import mptcp_stack\n"
        "print(*sys.modules.keys() & {'typer', 'rich', 'pyroute2'})"
    )
    command = [sys.executable, "-c", told, json.dumps(sys.path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n"


def test_help_imports_no_sub_command(folder: Path) -> None:
    """``--help`` lists every sub-command with its first line, also those that could not be imported."""
    status, out, err = call(folder, "--help", missing=("plugin_needs", "pyroute2", "matplotlib"))
    assert (status, err) == (0, "")
    assert "Greet." in out and "More of it" not in out
    assert "Want what is not there." in out


def test_function_becomes_a_sub_command(folder: Path) -> None:
    """An entry that names a function is a sub-command with its arguments."""
    assert call(folder, "hello", "Anna") == (0, "hello Anna\n", "")


def test_application_becomes_a_group(folder: Path) -> None:
    """An entry that names a Typer application brings its commands along."""
    assert call(folder, "group", "inside") == (0, "ran inside\n", "")


def test_missing_extra_is_one_sentence(folder: Path) -> None:
    """Where typer is not installed every command but --version says what to install."""
    expected = "mptcp: mptcp hello needs the module typer: install mptcp[stack]\n"
    assert call(folder, "hello", "Anna", missing=("typer",)) == (1, "", expected)
    expected = "mptcp: the command line needs the module typer: install mptcp[stack]\n"
    assert call(folder, "--help", missing=("typer",)) == (1, "", expected)


def test_missing_module_is_one_sentence(folder: Path) -> None:
    """A module that turns out to be missing while a sub-command runs is no traceback either."""
    expected = "mptcp: mptcp wants needs the module mptcp_missing_module, which is not installed\n"
    assert call(folder, "wants") == (1, "", expected)


def test_our_own_missing_module_is_a_bug(folder: Path) -> None:
    """A module of ours that is not there is nobody's extra: the traceback stays."""
    status, _, err = call(folder, "broken")
    assert status == 1 and "Traceback" in err and "mptcp_stack.not_there" in err


def test_interrupt_is_quiet(folder: Path) -> None:
    """Ctrl-C ends with status 130 and without a word."""
    assert call(folder, "stops") == (130, "", "")


def test_swallowed_interrupt_comes_again(folder: Path) -> None:
    """Ctrl-C while a finalizer runs, whose exceptions Python drops, still ends the command."""
    assert call(folder, "swallows") == (130, "", "")


def test_interrupt_that_comes_again_at_once(folder: Path) -> None:
    """The same where it comes while it is still being arranged, as on a machine that is busy."""
    assert call(folder, "hurries") == (130, "", "")


def test_wrong_file_is_one_sentence(folder: Path) -> None:
    """What the operating system refuses is told with the file's name."""
    assert call(folder, "fails") == (1, "", "mptcp: /nowhere/at/all: No such file or directory\n")


def test_refusal_is_one_sentence(folder: Path) -> None:
    """What the protocol refuses is told in its words."""
    assert call(folder, "refuses") == (1, "", "mptcp: connection does not exist\n")


def test_unknown_command_is_a_usage_error(folder: Path) -> None:
    """A word that is no sub-command ends with status 2 and no traceback."""
    status, _, err = call(folder, "no-such-thing")
    assert status == 2 and "no-such-thing" in err and "Traceback" not in err


def test_extra_is_named_by_module() -> None:
    """Which extra to install follows from what is missing, as pyproject.toml has it."""
    missing = ModuleNotFoundError(name="pyroute2.netlink")
    assert explain_missing(missing, "lab") == "mptcp lab needs the module pyroute2: install mptcp[stack]"
    brought = {
        (requirement.partition(">")[0].replace("z3-solver", "z3"), extra)
        for extra in ("stack", "model", "prove")
        for requirement in PROJECT["optional-dependencies"][extra]
    }
    assert set(EXTRAS.items()) <= brought and EXTRAS.keys() == {module for module, _ in brought}


def test_chosen_is_the_first_word() -> None:
    """Options before the sub-command do not hide it; a word that is none chooses nothing."""
    assert find_chosen(["-h", "lab", "x"], {"lab": ENTRY}) == "lab"
    assert find_chosen(["x", "lab"], {"lab": ENTRY}) is None
    assert find_chosen(["--help"], {"lab": ENTRY}) is None


@pytest.mark.parametrize(("name", "value"), PROJECT["entry-points"]["mptcp.commands"].items())
def test_own_commands_are_described(name: str, value: str) -> None:
    """Each sub-command that the distribution declares can be found and says what it does."""
    assert read_summary(EntryPoint(name, value, "mptcp.commands"))


def test_summary_of_nothing() -> None:
    """A sub-command whose module is not there has no summary, and breaks nothing."""
    assert read_summary(EntryPoint("x", "mptcp_nowhere.at:all", "mptcp.commands")) == ""


def test_run_returns_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    """In one process, too: the status is returned, not raised."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == describe_build() + "\n"
