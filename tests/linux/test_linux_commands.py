"""The commands connect, serve and lab on a real machine, and what they say when something is wrong."""

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mptcp_stack import namespace
from mptcp_stack.lab import Lab

pytestmark = pytest.mark.linux

MODULES = {"connect": "commands", "serve": "commands", "lab": "lab_command"}
CODE = (
    "import sys; from importlib.metadata import EntryPoint; from mptcp_stack import command; "
    "command.find_commands = lambda: {n: EntryPoint(n, f'mptcp_stack.{m}:{n}', command.GROUP) "
    f"for n, m in {MODULES!r}.items()}}; sys.exit(command.run(sys.argv[1:]))"
)
OCTETS = Random(9).randbytes(500_000)
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(lab: Lab) -> Start:
    """Starts `mptcp …` inside the lab."""

    def run(*arguments: str, before: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
        command = (*before, sys.executable, "-c", CODE, *arguments)
        pipe = subprocess.PIPE
        return lab.popen(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT)

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(OCTETS)
    return tmp_path / "file"


def wait_until_listening(process: "subprocess.Popen[str]") -> str:
    """Its first line on standard error."""
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "listening on " in line, line + process.stderr.read()
    return line


def finish(process: "subprocess.Popen[str]", status: int = 0) -> tuple[str, str]:
    """Its output and its errors, once it has ended as expected."""
    out, err = process.communicate(timeout=100)
    assert process.returncode == status, err
    assert "Traceback" not in err
    return out, err


def check_sentence(process: "subprocess.Popen[str]", sentence: str, status: int = 1) -> None:
    """One sentence on standard error."""
    out, err = finish(process, status)
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("mptcp: ")
    assert sentence in err


def check_no_interface(lab: Lab) -> None:
    assert "tun" not in lab.run("ip", "-brief", "link").stdout


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("checksum", [False, True])
def test_connect(lab: Lab, start: Start, file: Path, tmp_path: Path, checksum: bool) -> None:
    """A file to a kernel program and back again, a summary as JSON, a capture that tshark reads."""
    peer = lab.peer("echo", "--listen", "0.0.0.0", "8000")
    peer.wait_ready()
    process = start(
        "connect", "10.77.0.1", "8000", "--in", str(file), "--out", str(tmp_path / "back"), "--json",
        "--pcap", str(tmp_path / "packets.pcap"), *(["--checksum"] if checksum else []),
    )  # fmt: skip
    out, err = finish(process)
    summary = json.loads(out)
    digest = hashlib.sha256(OCTETS).hexdigest()
    assert (tmp_path / "back").read_bytes() == OCTETS
    for way in ("sent", "received"):
        assert (summary[way]["octets"], summary[way]["sha256"]) == (len(OCTETS), digest)
        assert summary[way]["mbit_per_second"] > 0
    assert summary["connection"]["multipath"] is True
    assert summary["connection"]["checksum"] is checksum
    assert summary["connection"]["remote"] == "10.77.0.1"
    assert summary["connection"]["bytes_acked"] == len(OCTETS)
    assert err == ""
    assert peer.wait_report()["mptcp"]
    check_no_interface(lab)
    fields = ["-T", "fields", "-e", "tcp.options.mptcp.subtype"]
    packets = lab.run("tshark", "-r", str(tmp_path / "packets.pcap"), *fields).stdout.splitlines()
    assert len(packets) > 50
    assert all(packets[:20])
    malformed = lab.run("tshark", "-r", str(tmp_path / "packets.pcap"), "-Y", "_ws.malformed").stdout
    assert malformed == ""


def test_connect_like_nc(lab: Lab, start: Start) -> None:
    """Standard input there, what comes to standard output, a line about it on standard error; over IPv6."""
    peer = lab.peer("echo", "--listen", "::", "8000")
    peer.wait_ready()
    process = start("connect", "fd00:1::1", "8000", "--address", "fd00:1::5/64")
    out, err = process.communicate("hello", timeout=100)
    assert (process.returncode, out) == (0, "hello")
    assert err.startswith("MPTCP with fd00:1::1 port 8000: sent 5 octets, received 5 octets")
    assert peer.wait_report()["mptcp"]


def test_serve(lab: Lab, start: Start, tmp_path: Path) -> None:
    """One connection, then the end; JSON on standard error where standard output has the data."""
    process = start("serve", "8000", "--json")
    line = wait_until_listening(process)
    assert line == "listening on 10.77.0.2 and fd77::2 port 8000 (interface tun0)\n"
    peer = lab.peer("exchange", "--connect", "10.77.0.2", "8000", "--octets", "5000")
    assert process.stdin is not None
    process.stdin.write("an answer")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    summary = json.loads(err)
    report = peer.wait_report()
    assert report["sent_sha256"] == summary["received"]["sha256"]
    assert report["received"] == 9
    check_no_interface(lab)


def test_serve_keeps_serving(lab: Lab, start: Start, file: Path, tmp_path: Path) -> None:
    """The same file to each client, one after the other, whoever breaks off; Ctrl-C is the end."""
    process = start("serve", "8000", "--in", str(file), "--out", str(tmp_path / "out"), "--keep")
    wait_until_listening(process)
    lab.peer("receive", "--connect", "10.77.0.2", "8000", "--limit", "1", "--end", "abort").wait_report()
    for address in ("10.77.0.2", "fd77::2"):
        report = lab.peer("receive", "--connect", address, "8000").wait_report()
        assert report["received_sha256"] == hashlib.sha256(OCTETS).hexdigest()
    process.send_signal(signal.SIGINT)
    out, err = finish(process, 130)
    assert err.count("reset") == 1
    check_no_interface(lab)


def test_one_of_ours_with_another(lab: Lab, start: Start, file: Path, tmp_path: Path) -> None:
    """Two stacks of ours, each on a network of its own, and the kernel routes between them."""
    server = start("serve", "8000", "--out", str(tmp_path / "there"))
    wait_until_listening(server)
    assert server.stdin is not None
    server.stdin.close()
    server.stdin = None
    client = start("connect", "10.77.0.2", "8000", "--in", str(file), "--json")
    _, err = finish(client)
    assert json.loads(err)["connection"]["local"] == "10.77.1.2"
    assert json.loads(err)["connection"]["multipath"] is True
    finish(server)
    assert (tmp_path / "there").read_bytes() == OCTETS


# -- what can be wrong ------------------------------------------------------------------------------


def test_refused(start: Start, lab: Lab) -> None:
    """Nobody listens there."""
    check_sentence(start("connect", "10.77.0.1", "9"), "10.77.0.1")
    check_no_interface(lab)


def test_nobody_answers(start: Start, lab: Lab) -> None:
    """Somebody is there and says nothing."""
    lab.run("iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP")
    process = start("connect", "10.77.0.1", "9", "--timeout", "0.5")
    check_sentence(process, "no connection to 10.77.0.1 port 9 within 0.5 seconds")
    check_no_interface(lab)


def test_unknown_name(start: Start) -> None:
    """What is neither an address nor a name."""
    sentence = "nobody.invalid is neither an address nor a name that is known"
    check_sentence(start("connect", "nobody.invalid", "9"), sentence)
    check_sentence(start("connect", "10.77.0.300", "9"), "10.77.0.300 is neither an address")


def test_wrong_family(start: Start) -> None:
    """An address of a family of which we have none."""
    process = start("connect", "10.77.0.1", "9", "--address", "fd00:1::2")
    check_sentence(process, "10.77.0.1 cannot be reached: we have no IPv4 address")


def test_wrong_address(start: Start) -> None:
    """What --address cannot be: the command line itself is wrong."""
    process = start("connect", "10.77.0.1", "9", "--address", "10.77.0.256")
    check_sentence(process, "10.77.0.256 is not an IP address", status=2)


def test_device_in_use(start: Start, lab: Lab) -> None:
    """Somebody else has the interface, or it is none of its kind."""
    device = lab.open_tun()
    check_sentence(start("connect", "10.77.0.1", "9", "--device", device.name), "tun0: it is in use")
    check_sentence(start("serve", "9", "--device", "lo"), "lo: it is there and is not a TUN interface")


def test_reset(start: Start, lab: Lab) -> None:
    """The peer breaks off."""
    peer = lab.peer("send", "--listen", "0.0.0.0", "8000", "--octets", "10", "--end", "abort")
    peer.wait_ready()
    process = start("connect", "10.77.0.1", "8000", "--json")
    _, err = finish(process, 1)
    assert err == "mptcp: the connection to ('10.77.0.1', 8000) was reset by the peer\n"
    check_no_interface(lab)


def test_device_goes_away(start: Start, lab: Lab) -> None:
    """Somebody deletes the interface, while we wait and while we talk."""
    process = start("serve", "8000")
    wait_until_listening(process)
    lab.run("ip", "link", "delete", "tun0")
    check_sentence(process, "the device tun0 has gone away")
    peer = lab.peer("send", "--listen", "0.0.0.0", "8000", "--octets", "3", "--end", "half")
    peer.wait_ready()
    process = start("connect", "10.77.0.1", "8000")
    assert process.stdout is not None
    assert process.stdout.read(3)
    lab.run("ip", "link", "delete", "tun0")
    check_sentence(process, "the device tun0 has gone away")


@pytest.mark.needs("unshare")
def test_no_tun_device(start: Start) -> None:
    """A machine without /dev/net/tun."""
    hide = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh")
    process = start("connect", "10.77.0.1", "9", before=hide)
    check_sentence(process, "cannot open /dev/net/tun: this kernel has no TUN device here")


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -9)]
)
def test_signals(start: Start, lab: Lab, number: signal.Signals, status: int) -> None:
    """Ctrl-C and its like leave no interface behind, and no words."""
    process = start("serve", "8000")
    wait_until_listening(process)
    process.send_signal(number)
    out, err = finish(process, status)
    assert (out, err) == ("", "")
    check_no_interface(lab)


# -- mptcp lab --------------------------------------------------------------------------------------


def run_lab(*arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    """`mptcp lab …` to its end; nothing is left."""
    answer = subprocess.run(
        [sys.executable, "-c", CODE, "lab", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
        **more,
    )
    assert "Traceback" not in answer.stderr
    return answer


def test_lab_runs_a_command() -> None:
    """Inside a namespace of its own; its exit status is ours."""
    answer = run_lab("--", "sh", "-c", "echo $MPTCP_LAB; ip -brief link; exit 7")
    assert answer.returncode == 7
    name, *links = answer.stdout.splitlines()
    assert name.startswith("mptcp-")
    assert len(links) == 1
    assert name not in namespace.list_names()


def test_lab_runs_a_shell() -> None:
    """Which reads its commands from standard input."""
    answer = run_lab(input="echo $MPTCP_LAB; exit 3\n")
    assert answer.returncode == 3
    assert answer.stdout.strip() in answer.stderr


def test_lab_shell_keeps_ctrl_c() -> None:
    """On a terminal, Ctrl-C is for what runs in the shell; the lab lives until the shell ends."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(
            sys.executable,
            [sys.executable, "-c", CODE, "lab"],
            {**ENVIRONMENT, "SHELL": "/bin/sh", "PS1": ""},
        )

    def wait_for(words: bytes) -> None:
        heard = b""
        while words not in heard:
            heard += os.read(terminal, 1000)

    wait_for(b"until this shell ends")
    os.write(terminal, b"sh -c \"echo sle''eps; exec sleep 1000\"\n")
    wait_for(b"sleeps")
    os.write(terminal, b"\x03")
    os.write(terminal, b"echo still $MPTCP_LAB; exit 5\n")
    wait_for(b"still mptcp-")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    os.close(terminal)


def test_lab_shows_an_exchange(tmp_path: Path) -> None:
    """Both directions with the kernel's witness, packet by packet, and into a file."""
    answer = run_lab("--exchange", "20000", "--packets", "--checksum", "--pcap", str(tmp_path / "p.pcap"))
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("SHA-256 equal at both ends") == 2
    assert "MPTcpExtMPCapableSYNRX 1" in answer.stderr
    assert "CapableSyn" in answer.stdout
    assert "DATA_FIN" in answer.stdout
    assert (tmp_path / "p.pcap").stat().st_size > 40_000


def test_lab_without_the_command() -> None:
    """A command that is not there."""
    answer = run_lab("no-such-command")
    assert answer.returncode == 1
    assert answer.stderr == "mptcp: cannot run no-such-command: No such file or directory\n"


def test_lab_interrupted() -> None:
    """Ctrl-C while a command runs that does not hear it: ended with the lab."""
    deaf = "trap '' INT; echo $MPTCP_LAB; exec sleep 1000"
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "lab", "--", "sh", "-c", deaf],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert name in namespace.list_names()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert (process.returncode, err) == (130, "")
    assert name not in namespace.list_names()


def test_serve_on_an_interface(lab: Lab, start: Start, file: Path) -> None:
    """The kernel's own interface and address, and a kernel program at its other end."""
    with Lab() as far:
        lab.join(far)
        server = start("serve", "8000", "--in", str(file), "--interface", "veth0")
        assert "10.78.0.1" in wait_until_listening(server)
        report = far.peer("receive", "--connect", "10.78.0.1", "8000").wait_report()
        assert report["received_sha256"] == hashlib.sha256(OCTETS).hexdigest()
        finish(server)
        assert "mptcp-" not in lab.run("iptables", "-S").stdout


def test_interface_or_device(start: Start) -> None:
    """One of them; and an interface that is there."""
    both = start("connect", "10.77.0.1", "8000", "--device", "tun0", "--interface", "lo")
    check_sentence(both, "say one of them", status=2)
    none = start("connect", "10.77.0.1", "8000", "--interface", "eth99")
    check_sentence(none, "there is no interface eth99")
