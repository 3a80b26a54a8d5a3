"""`mptcp demo`: what it moves, what it leaves behind, and how it judges."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer

import mptcp
from mptcp_model.demo import conclude, demo
from mptcp_model.demonstration import kernel
from mptcp_model.demonstration.kernel import Exchange
from mptcp_model.demonstration.outcome import Outcome
from mptcp_model.demonstration.simulation import LINES, simulate
from mptcp_model.demonstration.telling import Telling, choose_rungs
from mptcp_model.demonstration.transfer import Run, Transfer, compute_sha256, write_source
from mptcp_model.ladder import Note
from mptcp_model.simulated.capture import read_pcap

OCTETS = 1_000_000  # the first loss is among them
PLENTY = 3_000_000  # more than the kernel's socket holds: a kernel that has said all joins nothing
NOTHING = [sys.executable, "-c", ""]
ELSEWHERE = """
import sys
from pathlib import Path
from mptcp_model.demonstration.simulation import simulate
simulate(Path(sys.argv[1]), Path(sys.argv[2]), lambda octets: None)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file to be moved."""
    path = tmp_path_factory.mktemp("source") / "sent"
    write_source(path, OCTETS)
    return path


@pytest.fixture
def simulation(source: Path, tmp_path: Path) -> Run:
    """The file was moved through the simulated network."""
    return simulate(source, tmp_path, lambda octets: None)


def run(capsys: pytest.CaptureFixture[str], folder: Path, octets: int, alone: bool) -> tuple[int, Any, str]:
    """Exit status, JSON and the words for people of `mptcp demo --json`."""
    with pytest.raises(typer.Exit) as stop:
        demo(folder, octets, alone, as_json=True)
    out, err = capsys.readouterr()
    return stop.value.exit_code, json.loads(out), err


def judge(outcome: Outcome) -> int:
    """The exit status for this outcome."""
    return conclude(Telling(to_stderr=True), outcome, 1.0, as_json=False)


def spoil(path: Path) -> None:
    """One octet in the middle is another one."""
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.write_bytes(octets)


# -- the simulated part -----------------------------------------------------------------------


def test_simulated_network(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The file comes through whole over MPTCP; packets and picture are left; the status is 0."""
    folder = tmp_path / "deep" / "demo"
    status, told, said = run(capsys, folder, 200_000, alone=True)
    assert (status, told["faults"], told["build"]) == (0, [], mptcp.build())
    (transfer,) = told["transfers"]
    assert transfer["mptcp"] and transfer["octets"] == 200_000 and transfer["seconds"] > 0.02
    assert transfer["sent_sha256"] == transfer["received_sha256"] == compute_sha256(folder / "sent")
    assert (folder / "simulated").read_bytes() == (folder / "sent").read_bytes()
    assert told["files"] == [str(folder / "simulated.png"), str(folder / "simulated.pcap")]
    assert (folder / "simulated.png").read_bytes().startswith(b"\x89PNG")
    assert len(read_pcap(folder / "simulated.pcap")) > 200_000 // 1460
    for word in ("MP_CAPABLE(v1, H)", "both keys", "packets more", "Wi-Fi died", "✓ equal", "simulated.png"):
        assert word in said


def test_smallest_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One octet: nothing is lost, so nothing is sent again, and there is a picture all the same."""
    status, told, said = run(capsys, tmp_path, 1, alone=True)
    assert (status, told["transfers"][0]["octets"]) == (0, 1)
    assert "died" not in said
    assert (tmp_path / "simulated.png").exists()


def test_file_is_the_same_each_time(source: Path, tmp_path: Path) -> None:
    """The octets are by chance and always the same; another length begins with them."""
    write_source(tmp_path / "again", OCTETS)
    write_source(tmp_path / "longer", 1 << 20 | 1)
    assert (tmp_path / "again").read_bytes() == source.read_bytes()
    assert (tmp_path / "longer").stat().st_size == 1 << 20 | 1
    assert len(set(source.read_bytes())) == 256


def test_windows_and_loss(simulation: Run) -> None:
    """The run shows what the picture is for: slow start, losses, and the window afterwards, on both paths."""
    assert simulation.lost >= 1
    for subflow in (0, 1):
        some = [one for one in simulation.windows if one.subflow == subflow]
        assert len(some) > 10
        assert max(one.cwnd for one in some) > 3 * some[0].cwnd
    first = [one for one in simulation.windows if one.subflow == 0]
    assert first[0].ssthresh > 1 << 30 > first[-1].ssthresh


@pytest.mark.clause("R8684-3.3.6-07")
def test_the_better_path_dies(simulation: Run) -> None:
    """In the middle of the file, for four seconds; both have carried, and all has come (see the fixtures)."""
    begun, ended = simulation.outage
    assert 0 < begun < ended <= begun + 4_100_000 or (begun > 0 and ended == 0)
    shares = {share.path: share.octets for share in simulation.transfer.shares}
    assert set(shares) == {"Wi-Fi", "cellular"}
    assert min(shares.values()) > OCTETS // 10
    assert simulation.transfer.is_equal()


def test_progress(source: Path, tmp_path: Path) -> None:
    """Whoever watches is told more and more octets, to the last."""
    told: list[int] = []
    simulate(source, tmp_path, told.append)
    assert told == sorted(told) and told[-1] == OCTETS and len(set(told)) > 5


def test_builds_agree(simulation: Run, source: Path, tmp_path: Path) -> None:
    """The interpreted build sends the same packets at the same moments, octet for octet, as this one."""
    other = tmp_path / "interpreted"
    other.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MPTCP_PURE": "1"}
    command = [sys.executable, "-c", ELSEWHERE, str(source), str(other)]
    subprocess.run(command, env=environment, check=True)
    assert (other / "simulated.pcap").read_bytes() == (tmp_path / "simulated.pcap").read_bytes()


def test_ladder_shows_what_matters(simulation: Run) -> None:
    """How either subflow begins, what happens to the better path, and the end; the rest is counted."""
    note = Note(simulation.outage[0], "dies")
    rungs = [*simulation.packets, note]
    chosen = choose_rungs(rungs)
    assert rungs.index(note) in chosen and {0, 1, len(rungs) - 2} <= chosen
    assert len(chosen) < 20 < len(rungs)


# -- how it judges ----------------------------------------------------------------------------


def test_spoilt_copy(capsys: pytest.CaptureFixture[str], simulation: Run, tmp_path: Path) -> None:
    """One wrong octet in what was received, and the status is 1."""
    outcome = Outcome(tmp_path, simulation.transfer, None, None)
    assert judge(outcome) == 0
    spoil(simulation.transfer.received)
    assert judge(outcome) == 1
    out, err = capsys.readouterr()
    assert f"✗ {simulation.transfer.received} differs from" in err.replace("\n", " ")
    simulation.transfer.received.unlink()
    assert judge(outcome) == 1


def test_faults(source: Path) -> None:
    """A copy alone does not count: MPTCP was spoken to the end."""
    good = Transfer("here", source, source, 1.0, multipath=True)
    assert good.find_faults() == []
    assert replace(good, multipath=False).find_faults() == ["here: MPTCP was not spoken to the end"]


def test_trouble_of_the_kernel(capsys: pytest.CaptureFixture[str], simulation: Run, tmp_path: Path) -> None:
    """A counter of fallback that is not zero is a fault, and is told."""
    counters = {"MPTcpExtMPCapableSYNRX": 1, "MPTcpExtDataCsumErr": 3, "MPTcpExtMPFailTx": 0}
    exchange = Exchange((), counters, {"MPTcpExtDataCsumErr": 3})
    assert judge(Outcome(tmp_path, simulation.transfer, exchange, None)) == 1
    said = capsys.readouterr().err
    assert "MPCapableSYNRX 1\n  DataCsumErr 3\n  0: MPFailTx" in said
    assert "✗ the kernel counted DataCsumErr 3" in said


def test_exchange_that_fails(
    installed: None, capsys: pytest.CaptureFixture[str], simulation: Run, tmp_path: Path
) -> None:
    """Where the command of the lab fails its sentence is the fault; the rest is told all the same."""
    exchange = kernel.exchange(tmp_path / "nowhere", tmp_path / "kernel", lambda *octets: None)
    (fault,) = exchange.find_faults()
    assert fault.startswith("mptcp lab ended with status 1: ") and "nowhere" in fault
    assert exchange.runs == ()
    assert judge(Outcome(tmp_path, simulation.transfer, exchange, None)) == 1
    assert "✓ equal" in capsys.readouterr().err


# -- the kernel -------------------------------------------------------------------------------


@pytest.mark.needs("unshare")
def test_without_root(installed: None, tmp_path: Path) -> None:
    """Whoever is not root gets the simulated part, one sentence about the other, and status 0."""
    nobody = ["unshare", "--user"] if os.geteuid() == 0 else []
    if subprocess.run([*nobody, *NOTHING], capture_output=True).returncode != 0:
        pytest.skip("user namespaces are not permitted here")
    command = [*nobody, *(kernel.find_command() or []), "demo", "--octets", "5000", "--out", str(tmp_path)]
    ended = subprocess.run(command, env=kernel.make_environment(), capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Left out: talking to the kernel needs root." in ended.stdout
    assert (tmp_path / "simulated.png").exists() and not (tmp_path / "kernel").exists()


def test_the_kernel_gets_the_same_paths() -> None:
    """The lab is told of the lines of the simulated network, and how long the better one is dead."""
    words = kernel.describe_paths()
    assert [words[i + 1] for i in range(len(words)) if words[i] == "--rate"] == ["25000000bit", "5000000bit"]
    assert [words[i + 1] for i in range(len(words)) if words[i] == "--delay"] == ["25000us", "65000us"]
    assert [words[i + 1] for i in range(len(words)) if words[i] == "--loss"] == ["0.01", "0.0"]
    assert words[:4] == ["--paths", str(len(LINES)), "--outage", "4.0s"]


@pytest.mark.linux
@pytest.mark.clause("R8684-3.3.6-07")
def test_kernel(installed: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The better path dies and returns; the file comes whole from and to the kernel, by both paths."""
    assert kernel.find_obstacle() is None
    status, told, said = run(capsys, tmp_path, PLENTY, alone=False)
    assert (status, told["faults"], told["left_out"]) == (0, [], None)
    assert [one["octets"] for one in told["transfers"]] == [PLENTY] * 3
    assert len({one[key] for one in told["transfers"] for key in ("sent_sha256", "received_sha256")}) == 1
    for one in told["transfers"]:
        assert set(one["paths"]) == {"Wi-Fi", "cellular"}
        assert min(one["paths"].values()) > 0 and sum(one["paths"].values()) >= PLENTY
    counters = told["counters"]
    assert counters["MPTcpExtMPCapableSYNRX"] == counters["MPTcpExtMPCapableSYNTX"] == 1
    assert counters["MPTcpExtMPCapableACKRX"] == 1 and counters["MPTcpExtMPFallbackTokenInit"] == 0
    assert counters["MPTcpExtMPJoinAckRx"] == counters["MPTcpExtMPJoinSynAckRx"] == 1
    for name in ("from-kernel.png", "to-kernel.png", "kernel/packets.pcap"):
        assert str(tmp_path / name) in told["files"]
    for name in kernel.NAMES:
        assert (tmp_path / "kernel" / name).read_bytes() == (tmp_path / "sent").read_bytes()
    facts = json.loads((tmp_path / "kernel" / "outcome.json").read_text())
    assert {number for way in kernel.WAYS for _, number, *_ in facts[way]["windows"]} == {0, 1}
    assert "kernel → us" in said and "0: MPCapableFallbackACK" in said
    assert said.count("Wi-Fi died at") == 3 and said.count("MP_JOIN(HMAC)") == 3
