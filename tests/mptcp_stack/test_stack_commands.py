"""The command line of the stack, as far as it needs no root: help, wrong usage, files that are not there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mptcp_stack import commands, lab_command
from mptcp_stack.attach import describe_kernel_end, parse_interface
from mptcp_stack.forwarder import Line
from mptcp_stack.lab_command import read_lines

MODULES = {"connect": "commands", "serve": "commands", "lab": "lab_command"}


@pytest.fixture
def application() -> typer.Typer:
    application = typer.Typer()
    for function in (commands.connect, commands.serve, lab_command.lab):
        application.command()(function)
    return application


@pytest.mark.parametrize("name", MODULES)
def test_help_has_an_example(name: str, application: typer.Typer) -> None:
    """What a sub-command is for, and how it is typed."""
    answer = CliRunner().invoke(application, [name, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert answer.exit_code == 0
    assert f"mptcp {name}" in answer.output
    assert "Example" in answer.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["connect"],
        ["connect", "10.77.0.1"],
        ["connect", "10.77.0.1", "seventy"],
        ["connect", "10.77.0.1", "0"],
        ["connect", "10.77.0.1", "65536"],
        ["connect", "10.77.0.1", "80", "--timeout", "-1"],
        ["connect", "10.77.0.1", "80", "--address", "10.77.0.256"],
        ["connect", "10.77.0.1", "80", "--address", "10.77.0.2/33"],
        ["connect", "10.77.0.1", "80", "--address", "10.77.0.2/32"],
        ["connect", "10.77.0.1", "80", "--no-such-option"],
        ["serve"],
        ["serve", "-5"],
        ["lab", "--exchange", "0"],
        ["connect", "10.77.0.1", "80", "--path", "10.77.0.256"],
        ["lab", "--paths", "9"],
        ["lab", "--paths", "1", "--rate", "25 parsec"],
        ["lab", "--paths", "1", "--loss", "2"],
        ["lab", "--paths", "1", "--delay", "soon"],
        ["lab", "--ladder", "down"],
        ["lab", "--ladder", "--rung", "that"],
    ],
)
def test_wrong_usage(arguments: list[str], application: typer.Typer) -> None:
    """Exit status 2, words on standard error, nothing on standard output, and no traceback."""
    answer = CliRunner().invoke(application, arguments)
    assert answer.exit_code == 2, answer.output
    assert answer.stdout == ""
    assert answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("option", ["--in", "--out", "--pcap"])
@pytest.mark.parametrize("command", [["connect", "10.77.0.1", "80"], ["serve", "80"]])
def test_file_that_cannot_be_opened(command: list[str], option: str, tmp_path: Path) -> None:
    """Told before anything is set up: one sentence with the file's name, exit status 1."""
    missing = tmp_path / "no" / "such"
    answer = call(*command, option, str(missing))
    assert answer.returncode == 1
    assert answer.stderr == f"mptcp: {missing}: No such file or directory\n"
    assert answer.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming nobody needs root")
@pytest.mark.needs("setpriv")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("connect", "10.77.0.1", "80"), "TUN interface: this needs root (or CAP_NET_ADMIN)"),
        (("serve", "80"), "TUN interface: this needs root (or CAP_NET_ADMIN)"),
        (("lab",), "a lab needs root (or CAP_SYS_ADMIN)"),
    ],
)
def test_without_root(arguments: tuple[str, ...], sentence: str) -> None:
    """One sentence that says what is missing, exit status 1."""
    answer = call(*arguments, before=("setpriv", "--reuid=65534", "--clear-groups"))
    assert answer.returncode == 1, answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("mptcp: ")
    assert sentence in answer.stderr or "/dev/net/tun: this needs root" in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize(
    ("ours", "kernel"),
    [
        ("10.77.0.2", "10.77.0.1/24"),
        ("10.77.0.1", "10.77.0.2/24"),
        ("10.0.0.7/8", "10.0.0.1/8"),
        ("fd77::2", "fd77::1/64"),
    ],
)
def test_kernel_end(ours: str, kernel: str) -> None:
    """The kernel gets the first other address of our network."""
    assert describe_kernel_end(parse_interface(ours)) == kernel


def call(*arguments: str, before: tuple[str, ...] = (), **more: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command line in a process of its own."""
    code = (
        "import sys; from importlib.metadata import EntryPoint; from mptcp_stack import command; "
        "command.find_commands = lambda: {n: EntryPoint(n, f'mptcp_stack.{m}:{n}', command.GROUP) "
        f"for n, m in {MODULES!r}.items()}}; sys.exit(command.run(sys.argv[1:]))"
    )
    return subprocess.run(
        [*before, sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        **more,
    )


def test_what_paths_are_like() -> None:
    """Each option again for the next path, the last one for all that follow."""
    first, second, third = read_lines(
        3, rate=["25mbit", "300kbit"], delay=["25", "1.5s", "500us"], loss=["1%", "0.5"], mtu=None
    )
    assert (first.rate, second.rate, third.rate) == (25_000_000, 300_000, 300_000)
    assert (first.delay, second.delay, third.delay) == (25_000, 1_500_000, 500)
    assert (first.loss, second.loss, third.loss, first.mtu) == (0.01, 0.5, 0.5, 0)
    assert read_lines(1, mtu=["1400"]) == [Line(mtu=1_400)]
    with pytest.raises(ValueError, match="1ms is not a number of octets"):
        read_lines(1, mtu=["1ms"])
