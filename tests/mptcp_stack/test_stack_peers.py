"""The kernel programs, with plain TCP over the loopback, where no root and no MPTCP is needed."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mptcp_stack.peers import generate, repeat


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "mptcp_stack.peers", *arguments, "--tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, err = process.communicate(timeout=30)
    assert err == ""
    report: dict[str, object] = json.loads(out.splitlines()[-1])
    assert process.returncode == (0 if report["error"] is None else 1)
    return report


def listen(*arguments: str) -> tuple["subprocess.Popen[str]", str]:
    process = start(*arguments, "--listen", "127.0.0.1", "0")
    assert process.stdout is not None
    return process, str(json.loads(process.stdout.readline())["port"])


def test_generates_the_same_again() -> None:
    """The same seed, the same octets; another, others."""
    once, again, other = (b"".join(generate(100_000, seed)) for seed in (1, 1, 2))
    assert len(once) == 100_000
    assert once == again != other
    assert list(repeat(0)) == []


def test_exchange_with_echo() -> None:
    """What is sent comes back."""
    server, port = listen("echo")
    client = finish(start("exchange", "--connect", "127.0.0.1", port, "--octets", "200000"))
    assert client["sent_sha256"] == client["received_sha256"]
    assert client["sent"] == client["received"] == 200_000
    assert client["mptcp"] is False
    assert finish(server)["received"] == 200_000


def test_exchange_in_turn() -> None:
    """After the first octets nothing is sent until something came; in silence that is an error."""
    server, port = listen("receive", "--sleep", "0.2")
    client = finish(start("exchange", "--in-turn", "--connect", "127.0.0.1", port, "--octets", "200000",
                          "--timeout", "0.1"))  # fmt: skip
    assert client["error"] == "ETIMEDOUT"
    assert client["sent"] == finish(server)["received"] == 65_536
    server, port = listen("echo")
    client = finish(start("exchange", "--in-turn", "--connect", "127.0.0.1", port, "--octets", "200000"))
    assert client["sent"] == client["received"] == 200_000
    assert finish(server)["error"] is None


def test_files(tmp_path: Path) -> None:
    """A file there into a file here, slowly."""
    (tmp_path / "one").write_bytes(b"abc" * 1000)
    server, port = listen("send", "--file", str(tmp_path / "one"), "--end", "last")
    pace = ("--chunk", "500", "--pause", "0.001", "--out", str(tmp_path / "two"))
    client = start("receive", "--connect", "127.0.0.1", port, "--limit", "3000", *pace)
    assert finish(client)["received_sha256"] == hashlib.sha256(b"abc" * 1000).hexdigest()
    assert finish(server)["sent"] == 3000
    assert (tmp_path / "two").read_bytes() == b"abc" * 1000


@pytest.mark.parametrize("end", ["abort", "unread"])
def test_ends_that_are_no_ends(end: str) -> None:
    """A reset is in the other's report."""
    server, port = listen("exchange", "--octets", "100000")
    start("send", "--connect", "127.0.0.1", port, "--end", end).communicate(timeout=30)
    assert finish(server)["error"] in ("ECONNRESET", "EPIPE", "ENOTCONN")


def test_nobody_there() -> None:
    """Refused, by its name."""
    server, port = listen("receive", "--timeout", "0.01")
    assert finish(server)["error"] == "ETIMEDOUT"
    assert finish(start("receive", "--connect", "127.0.0.1", port))["error"] == "ECONNREFUSED"
