"""The ladder and its wires, against this kernel."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mptcp_stack.forwarder import Line
from mptcp_stack.lab import Lab

pytestmark = pytest.mark.linux

CODE = (
    "import sys; from importlib.metadata import EntryPoint; from mptcp_stack import command; "
    "command.find_commands = lambda: {n: EntryPoint(n, f'mptcp_stack.{m}:{n}', command.GROUP) "
    "for n, m in (('lab', 'lab_command'), ('connect', 'commands'))}; sys.exit(command.run(sys.argv[1:]))"
)
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def run_lab(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", CODE, "lab", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env=ENVIRONMENT,
    )


def test_some_rungs() -> None:
    """Each prints a row with the kernel's witness; the exit status says that none fell."""
    answer = run_lab("--ladder", "tcp", "--rung", "octets-1M", "--rung", "open", "--rung", "reset")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("│ ok ") == 10
    assert "EstabResets 2" in answer.stdout
    assert "10 of 10 ok, in" in answer.stderr


def test_as_json() -> None:
    """For programs; and what a lossy wire lost was sent again."""
    answer = run_lab("--ladder", "tcp", "--rung", "loss-5%", "--json")
    summary = json.loads(answer.stdout)
    assert summary["is_good"] and answer.returncode == 0, answer.stderr
    assert len(summary["results"]) == 6
    for result in summary["results"]:
        assert result["octets"] == 1_000_000
        assert result["kernels"] > 0
        assert (result["ours"] > 0) == (result["role"] != "kernel")


def test_what_cannot_be_tried() -> None:
    """A machine where no lab can be made: all is counted as skipped, none as good or fallen."""
    answer = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"]
        + [sys.executable, "-c", CODE, "lab", "--ladder", "tcp", "--rung", "octets-1"],
        capture_output=True,
        text=True,
        timeout=100,
        env=ENVIRONMENT,
    )
    assert "0 of 8 ok, 8 skipped, so not tried (this machine has no /dev/net/tun)" in answer.stderr
    assert answer.returncode == 0


def test_interrupted(apart: list[str], tmp_path: Path) -> None:
    """Ctrl-C: the climbers are called back, and nothing of their labs is left."""
    process = subprocess.Popen(
        [*apart, sys.executable, "-c", CODE, "lab", "--ladder", "tcp", "--rung", "path-silent"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    while not any(tmp_path.glob("*/mptcp-*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint) == (130, "")
    assert list(tmp_path.glob("*/mptcp-*")) == []


def test_wrong_words() -> None:
    """One sentence and exit status 2."""
    for arguments, sentence in (
        (("--ladder", "down"), "there is no ladder down"),
        (("--ladder", "--rung", "that"), "there is no rung that"),
        (("--paths", "1", "--rate", "25 parsec"), "25 parsec is not a rate"),
        (("--paths", "1", "--loss", "2"), "2 is more than all: say 2%"),
    ):
        answer = run_lab(*arguments)
        assert answer.returncode == 2
        assert answer.stderr.startswith(f"mptcp: {sentence}")


def test_lab_with_paths(tmp_path: Path) -> None:
    """Two kernels, and ours behind one of them: each path is as slow as it was told."""
    script = """
        echo_at() {
            ip netns exec $MPTCP_LAB_FAR python3 -m mptcp_stack.peers echo --listen $1 $2 > FOLDER/$2 &
            until [ -s FOLDER/$2 ]; do sleep 0.01; done  # it says when it listens
        }
        echo_at 10.77.0.2 8000
        python3 -m mptcp_stack.peers exchange --connect 10.77.0.2 8000 --octets 20000
        echo_at 10.77.1.2 8001
        echo hello | mptcp connect 10.77.1.2 8001
        wait
    """
    script = (
        script.replace("FOLDER", str(tmp_path))
        .replace("python3", sys.executable)
        .replace("mptcp connect", f'{sys.executable} -c "{CODE}" connect')
    )
    answer = run_lab("--paths", "2", "--delay", "100ms", "--delay", "1ms", "--", "sh", "-c", script)
    assert answer.returncode == 0, answer.stderr
    slow = json.loads(next(line for line in answer.stdout.splitlines() if "sent_sha256" in line))
    assert slow["sent_sha256"] == slow["received_sha256"]
    assert slow["seconds"] > 0.2
    assert "hello" in answer.stdout


def test_a_wire_that_changes() -> None:
    """Down and up again: the kernel's own connection survives, later."""
    with Lab() as near, Lab() as far:
        wire = near.lay_wire(far, 3, Line(delay=1_000))
        server = near.peer("echo", "--listen", "10.77.3.1", "8000")
        server.wait_ready()
        wire.change(is_up=False)
        client = far.peer("exchange", "--connect", "10.77.3.1", "8000", "--octets", "100000")
        wire.wait_until(lambda there, back: back["lost"] > 0)
        wire.change(is_up=True)
        report = client.wait_report()
        assert report["sent_sha256"] == report["received_sha256"]
        assert server.wait_report()["error"] is None


def test_endpoints() -> None:
    """What `ip mptcp` says of what was set."""
    with Lab() as lab:
        lab.open_tun(1)
        lab.set_limits(3, 4)
        lab.add_endpoint("10.77.1.1", "signal", port=8_100)
        lab.add_endpoint("fd77:1::1", "subflow", "fullmesh", number=7, device="tun1")
        lab.change_endpoint(7, "backup", "nofullmesh")
        limits = lab.run("ip", "mptcp", "limits").stdout.split()
        assert limits == ["add_addr_accepted", "4", "subflows", "3"]
        first, second = lab.run("ip", "mptcp", "endpoint").stdout.splitlines()
        assert first.split() == ["10.77.1.1", "port", "8100", "id", "1", "signal"]
        assert second.split() == ["fd77:1::1", "id", "7", "subflow", "backup", "dev", "tun1"]
        with pytest.raises(OSError, match="path manager refuses"):
            lab.add_endpoint("10.77.1.1", "signal", number=7)
        lab.delete_endpoint(7)
        lab.flush_endpoints()
        assert lab.run("ip", "mptcp", "endpoint").stdout == ""


def test_more_than_one_path(tmp_path: Path) -> None:
    """`mptcp connect --path`: a second address of ours joins, and each subflow has a line at the end."""
    script = f"""
        ip mptcp limits set subflows 2
        {sys.executable} -m mptcp_stack.peers echo --listen 0.0.0.0 8000 > {tmp_path}/said &
        until [ -s {tmp_path}/said ]; do sleep 0.01; done  # that it listens
        head -c 3000000 /dev/zero | {sys.executable} -c "{CODE}" connect 10.77.0.1 8000 --path 10.77.1.2/24
    """
    answer = run_lab("--", "sh", "-c", script)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "\0" * 3_000_000
    assert "10.77.0.2 - 10.77.0.1: sent" in answer.stderr
    assert "10.77.1.2 - 10.77.0.1: sent" in answer.stderr
