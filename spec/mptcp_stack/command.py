"""The `mptcp` command: a root that finds its sub-commands by the entry-point group `mptcp.commands`.

An entry names a function for typer, or a Typer application. Only the sub-command that is called gets
imported; the one line that ``mptcp --help`` says of the others is read from their source text.
"""

import _thread
import ast
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mptcp
from mptcp.errors import Refused

if TYPE_CHECKING:
    from typer import Typer

GROUP = "mptcp.commands"
OURS = {"mptcp", "mptcp_stack", "mptcp_model", "mptcp_proofs"}
EXTRAS = {  # by the module that is missing: which extra of pyproject.toml brings it
    "typer": "stack",
    "rich": "stack",
    "pyroute2": "stack",
    "matplotlib": "model",
    "hypothesis": "prove",
    "z3": "prove",
}
FAILED = 1  # exit status: one sentence on standard error says why
INTERRUPTED = 130  # exit status: 128 + SIGINT, as shells have it
AGAIN = 0.01  # seconds after which a swallowed interrupt is repeated


def describe_build() -> str:
    """What ``mptcp --version`` prints: the version, which build runs, and on which Python."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"mptcp {mptcp.__version__} ({mptcp.build()}, {python})"


def find_commands() -> dict[str, EntryPoint]:
    """All sub-commands by name, in alphabetical order; nothing of theirs is imported."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def read_summary(entry: EntryPoint) -> str:
    """The first line of a sub-command's docstring, from the source: "" where there is none."""
    try:
        spec = find_spec(entry.module)
        if spec is None or spec.origin is None:
            return ""
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    except (ImportError, OSError, ValueError, SyntaxError):
        return ""
    words = ast.get_docstring(tree)  # of the module, for a Typer application
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            words = ast.get_docstring(node)
    return (words or "").partition("\n")[0]


def make_stub(summary: str) -> Callable[[], None]:
    """A sub-command that only stands in the list of ``--help``."""

    def stub() -> None:
        raise AssertionError("a stub is never called")

    stub.__doc__ = summary
    return stub


def make_application(chosen: str | None, commands: dict[str, EntryPoint], listed: bool) -> "Typer":
    """The command line with sub-command ``chosen`` loaded and a stub for each of the others.

    ``listed``: somebody may look at the list of them, with a line of words about each.
    """
    from typer import Exit, Option, Typer

    def show_version(wanted: bool) -> None:
        if wanted:
            print(describe_build())
            raise Exit()

    def root(
        version: bool = Option(
            False,
            "--version",
            callback=show_version,
            is_eager=True,
            metavar="",
            help="Say which version and build runs.",
        ),
    ) -> None:
        """Multipath TCP (RFC 8684) in user space."""

    application = Typer(
        name="mptcp",
        callback=root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, entry in commands.items():
        target: Any = entry.load() if name == chosen else make_stub(read_summary(entry) if listed else "")
        if isinstance(target, Typer):
            application.add_typer(target, name=name)
        else:
            application.command(name)(target)
    return application


def find_chosen(arguments: list[str], commands: dict[str, EntryPoint]) -> str | None:
    """The sub-command that these arguments call: the first that is not an option."""
    for argument in arguments:
        if not argument.startswith("-"):
            return argument if argument in commands else None
    return None


def explain_missing(error: ModuleNotFoundError, chosen: str | None) -> str | None:
    """One sentence for a module that is not installed; None if it is ours, and so our mistake."""
    missing = (error.name or "").partition(".")[0]
    if not missing or missing in OURS:
        return None
    what = "the command line" if chosen is None else f"mptcp {chosen}"
    remedy = f": install mptcp[{EXTRAS[missing]}]" if missing in EXTRAS else ", which is not installed"
    return f"{what} needs the module {missing}{remedy}"


def interrupt(thread: int) -> None:
    """Ctrl-C for a thread, a little later."""
    time.sleep(AGAIN)
    signal.pthread_kill(thread, signal.SIGINT)


def insist(unraisable: "sys.UnraisableHookArgs") -> None:
    """Interrupt again where Python had to swallow Ctrl-C: in a finalizer or a weak reference's callback."""
    if unraisable.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(unraisable)
        return
    main = threading.main_thread().ident
    assert main is not None  # it runs
    # A Timer's start() waits for its thread, and drops an interrupt that comes meanwhile.
    _thread.start_new_thread(interrupt, (main,))


def run(arguments: list[str]) -> int:
    """Run the command line; returns the exit status. What goes wrong is one sentence, never a traceback."""
    sys.unraisablehook = insist
    if arguments == ["--version"]:  # needs no extra
        print(describe_build())
        return 0
    commands = find_commands()
    chosen = find_chosen(arguments, commands)
    try:
        make_application(chosen, commands, arguments[:1] != [chosen])(args=arguments, prog_name="mptcp")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except ModuleNotFoundError as error:
        sentence = explain_missing(error, chosen)
        if sentence is None:
            raise
    except Refused as error:
        sentence = error.reason
    except OSError as error:
        sentence = error.strerror or str(error)
        if error.filename is not None:
            sentence = f"{error.filename}: {sentence}"
    print(f"mptcp: {sentence}", file=sys.stderr)
    return FAILED


def main() -> None:
    """The entry point of the `mptcp` script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
