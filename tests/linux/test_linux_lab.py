"""Labs: what is in them, and that nothing of them is left, however they end."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mptcp_stack import lock, namespace
from mptcp_stack.flow import DeviceGone
from mptcp_stack.lab import Lab
from mptcp_stack.lock import FOLDER, sweep
from mptcp_stack.peer import PeerFailed
from mptcp_stack.tun import open_tun

pytestmark = pytest.mark.linux

OPEN_A_LAB = """
    import signal, subprocess, sys, time
    from mptcp_stack.lab import Lab
    lab = Lab()
    device = lab.open_tun()
    quiet = subprocess.DEVNULL
    child = lab.popen("sleep", "1000", stdin=quiet, stdout=quiet, stderr=quiet)
    print(lab.name, child.pid, flush=True)
"""


def start(body: str) -> tuple["subprocess.Popen[str]", str, int]:
    """A process that opens a lab with a process in it, and goes on with ``body``; the lab's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OPEN_A_LAB) + textwrap.dedent(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    name, child = line.split()
    assert name in namespace.list_names()
    return process, name, int(child)


def is_running(process: int) -> bool:
    """Whether it is there and not just waiting to be buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(child: int) -> None:
    deadline = time.monotonic() + 60
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


def check_nothing_left(name: str, child: int) -> None:
    assert name not in namespace.list_names()
    assert not (FOLDER / name).exists()
    wait_until_gone(child)


def test_what_is_in_a_lab() -> None:
    """A kernel with MPTCP and reno, a TUN interface with our neighbours' addresses, counters from zero."""
    with Lab({"net.mptcp.checksum_enabled": "1"}) as lab:
        device = lab.open_tun()
        addresses = lab.run("ip", "-brief", "address", "show", "dev", device.name).stdout
        assert addresses.split()[2:] == ["10.77.0.1/24", "fd77::1/64"]
        assert lab.run("sysctl", "-n", "net.mptcp.checksum_enabled").stdout == "1\n"
        assert lab.run("sysctl", "-n", "net.ipv4.tcp_congestion_control").stdout == "reno\n"
        assert lab.counters()["MPTcpExtMPCapableSYNRX"] == 0
        lab.set_sysctl("net.mptcp.checksum_enabled", 0)
        assert lab.run("sysctl", "-n", "net.mptcp.checksum_enabled").stdout == "0\n"
        assert lab.open_tun(1).name == "tun1"
    assert lab.name not in namespace.list_names()


def test_runs_commands() -> None:
    """Output kept, failures raised, time limited."""
    with Lab() as lab:
        assert lab.run("echo", "hello").stdout == "hello\n"
        assert lab.run("false", check=False).returncode == 1
        with pytest.raises(subprocess.CalledProcessError):
            lab.run("false")
        with pytest.raises(subprocess.TimeoutExpired):
            lab.run("sleep", "100", timeout=0.05)
        with pytest.raises(FileNotFoundError):
            lab.run("no-such-command")
        with pytest.raises(PeerFailed, match="invalid choice"):
            lab.peer("dance").wait_report()


def test_two_labs_joined() -> None:
    """From one to the other, and through the one to what is behind its TUN interface."""
    with Lab() as near, Lab() as far:
        near.join(far, offload=False)
        device = near.open_tun()
        peer = near.peer("echo", "--listen", "fd78::1", "8000")
        peer.wait_ready()
        other = far.peer("exchange", "--connect", "fd78::1", "8000", "--octets", "1000")
        assert other.wait_report()["mptcp"]
        peer.wait_report()
        far.peer("send", "--connect", "10.77.0.2", "8000", "--timeout", "1")
        packet = None
        while packet is None or not device.is_ours(packet):
            packet = device.read()
        assert packet[12:16] == bytes([10, 78, 0, 2])


def test_nothing_is_left() -> None:
    """Processes, namespace, lock and device go with the lab; closing twice is no harm."""
    with Lab() as lab:
        device = lab.open_tun()
        child = lab.popen("sh", "-c", "sleep 1000")
        assert child.pid in namespace.list_residents(lab.name)
    check_nothing_left(lab.name, child.pid)
    assert device.fileno() == -1
    assert child.wait() == -signal.SIGKILL
    lab.close()


def test_device_goes_away() -> None:
    """Somebody deletes the interface under us."""
    with Lab() as lab:
        device = lab.open_tun()
        lab.run("ip", "link", "delete", device.name)
        with pytest.raises(DeviceGone, match="the device tun0 has gone away"):
            while True:
                device.read()


def test_interface_is_down() -> None:
    """Packets for an interface that is down are lost, as on a cable that is pulled."""
    from mptcp.wire.segment import Outgoing

    with Lab() as lab:
        device = lab.open_tun()
        lab.run("ip", "link", "set", device.name, "down")
        assert device.write(Outgoing(bytes([0x45]) + bytes(39), (), 0))
        assert device.dropped == 1


def test_open_errors() -> None:
    """One sentence for each thing that can be wrong with a TUN interface."""
    with Lab() as lab:
        device = lab.open_tun()
        for arguments, words in (
            ({"name": device.name}, "tun0: it is in use"),
            ({"name": "lo"}, "lo: it is there and is not a TUN"),
            ({"name": "a-name-that-is-too-long"}, "the name is too long"),
            ({"path": "/dev/net/nothing"}, "/dev/net/nothing: this kernel has no TUN device"),
            ({"theirs": ("10.9.9.1/24",), "mtu": 99_999}, "cannot set up the interface"),
        ):
            with pytest.raises(OSError, match=words):
                open_tun(ours=("10.9.9.2",), namespace=lab.name, **arguments)
        with pytest.raises(ValueError, match="address"):
            open_tun(ours=("10.9.9.256",), namespace=lab.name)
        assert lab.run("ip", "-brief", "link").stdout.count("\n") == 2  # lo and tun0
    with pytest.raises(FileNotFoundError):
        open_tun(ours=("10.9.9.2",), namespace="mptcp-no-such")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 0),  # the interpreter's exit
        ("raise SystemExit(3)", 3),
        ("1 / 0", 1),
        ("lab.__exit__(None, None, None)", 0),
    ],
)
def test_exit_leaves_nothing(body: str, status: int) -> None:
    """However the interpreter ends, the lab is gone before it is."""
    process, name, child = start(body)
    process.communicate(timeout=60)
    assert process.returncode == status
    check_nothing_left(name, child)


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, -signal.SIGINT),  # Ctrl-C
        (signal.SIGTERM, -signal.SIGTERM),
        (signal.SIGHUP, -signal.SIGHUP),
    ],
)
def test_signals_leave_nothing(number: signal.Signals, status: int) -> None:
    """Ctrl-C and its like, while somebody sleeps; the status is what it would have been."""
    process, name, child = start("time.sleep(1000)")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == status
    check_nothing_left(name, child)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_any_step(number: signal.Signals, apart: list[str]) -> None:
    """While a lab is made, used or taken down: each step that Python audits is once the moment.

    What runs inside holds a pipe open; its end tells that all of it is gone.
    """
    body = f"""
    import os, select, sys
    from contextlib import suppress
    from pathlib import Path
    from mptcp_stack.lab import Lab

    def audit(event, arguments):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), {int(number)})

    step = status = left = 1
    while status:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            left = step
            sys.addaudithook(audit)
            with suppress(KeyboardInterrupt), Lab() as lab:
                lab.popen("sleep", "1000", stdin=theirs, stdout=theirs)
            os._exit(left < 1)
        os.close(theirs)
        status = os.waitpid(child, 0)[1]
        if not select.select([ours], [], [], 20)[0]:
            print("step", step, "left a process")
        os.close(ours)
        for path in Path("/run").glob("*/mptcp-*"):
            print("step", step, "left", path)
        step += 1
    print(step > 50)
    """
    answer = subprocess.run(
        [*apart, sys.executable, "-c", textwrap.dedent(body)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert answer.stdout == "True\n", answer.stderr


def test_signal_while_a_peer_is_read() -> None:
    """What is being read cannot be closed there and then; all else is, and the lab is gone."""
    body = """
    peer = lab.peer("receive", "--listen", "127.0.0.1", "8000")
    peer.wait_ready()
    signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    peer.wait_report()
    """
    process, name, child = start(body)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    check_nothing_left(name, child)


def test_signals_are_chained() -> None:
    """Who had a handler before us still gets the signal, after the labs are gone."""
    body = """
    lab.close()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(77))
    lab = Lab()
    print(lab.name, flush=True)
    time.sleep(1000)
    """
    process, _, _ = start(body)
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert name in namespace.list_names()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 77
    assert name not in namespace.list_names()


def test_signals_are_given_back() -> None:
    """Without a lab the signals are as they were."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Lab(), Lab():
        pass
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_kill_is_swept_up() -> None:
    """After SIGKILL the next lab sweeps up; what belongs to the living stays."""
    process, name, child = start("time.sleep(1000)")
    with Lab() as mine:
        process.kill()
        process.communicate(timeout=60)
        with Lab():
            check_nothing_left(name, child)
            assert mine.name in namespace.list_names()


def test_sweep_without_a_lock() -> None:
    """A namespace of ours without a lock is judged by its process; others are left alone."""
    finished = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True)
    prefix = f"swept{os.getpid()}-"  # our own: another suite on this machine sweeps what is called mptcp-
    dead, alive, foreign = (
        f"{prefix}{owner}" for owner in (f"{int(finished.stdout)}-x", f"{os.getpid()}-x", "x")
    )
    try:
        for name in (dead, alive, foreign):
            namespace.create(name)
        assert sweep(prefix) == [dead]
        assert {dead, alive, foreign} & set(namespace.list_names()) == {alive, foreign}
    finally:
        for name in (dead, alive, foreign):
            namespace.remove(name)


def test_sweep_while_the_folder_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last lab of all removes the folder between any two calls of a sweep."""
    monkeypatch.setattr(lock, "FOLDER", tmp_path / "gone")
    assert lock.list_locks() == []
    assert sweep("no-lab-of-that-name-") == []


def test_no_root() -> None:
    """Without the right to make a namespace: one sentence, and nothing left behind."""
    code = "from mptcp_stack.lab import Lab\ntry: Lab()\nexcept OSError as error: print(error.strerror)"
    answer = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert answer.stdout == "a lab needs root (or CAP_SYS_ADMIN)\n", answer.stderr


def test_token_bucket() -> None:
    """What the kernel sends is held to a rate: half a megabyte at 10 Mbit/s takes 0.4 s, not 0.01."""
    with Lab() as near, Lab() as far:
        near.join(far, offload=False)
        near.limit("veth0", 10_000_000)
        server = far.peer("receive", "--listen", "10.78.0.2", "8000")
        server.wait_ready()
        near.peer("send", "--connect", "10.78.0.2", "8000", "--octets", "500000").wait_report()
        report = server.wait_report()
        assert report["received"] == 500_000
        assert report["seconds"] > 0.3
