"""What the fuzzer tries, tried on its corpus; and that it would notice."""

import subprocess
import sys
from pathlib import Path

import pytest

from mptcp.host import Host
from mptcp.wire import segment
from mptcp.wire.handshake import CapableData
from mptcp_model import fuzzing
from mptcp_model.bounds import check_bounds
from mptcp_model.fuzzing import (
    USER,
    begin,
    find_peer,
    list_moves,
    make_script,
    move,
    put_right,
    try_packet,
    try_script,
    write_corpus,
)
from mptcp_model.simulated.capture import read_pcap

ROOT = Path(__file__).resolve().parent.parent.parent
TRACES = ROOT / "tests" / "traces"


def play(script: bytes) -> Host:
    """The host after all moves of a script."""
    story = begin(script[0])
    for kind, number, body in list_moves(script):
        move(story, kind, find_peer(story, number), body)
    return story.host


def make_move(kind: int, body: bytes, peer: int = 0) -> bytes:
    """One move, written down."""
    return bytes((peer << 3 | kind,)) + len(body).to_bytes(2, "big") + body


def test_corpus(tmp_path: Path) -> None:
    """Each kind of packet and each capture is in it, and nothing in it breaks anything."""
    write_corpus(TRACES, tmp_path / "packets", tmp_path / "scripts")
    packets = sorted((tmp_path / "packets").iterdir())
    scripts = sorted((tmp_path / "scripts").iterdir())
    assert len(packets) > 500
    assert len(scripts) == len(list(TRACES.glob("*.pcap")))
    for path in packets:
        try_packet(path.read_bytes())
    for path in scripts:
        try_script(path.read_bytes())


def test_a_captured_client_is_served() -> None:
    """A script puts keys and numbers right: the host takes the client's data as MPTCP."""
    script = make_script([one.octets for one in read_pcap(TRACES / "many_small_writes_nodelay_v4.pcap")])
    host = play(script)
    (connection,) = host.connections.values()
    assert connection.control.is_confirmed
    assert connection.control.rcv_nxt == 266


def test_situations_move_on() -> None:
    """A user's wish and a pause of each length, from each beginning."""
    for number in range(6):
        wishes = [make_move(USER, bytes((wish,)) + bytes(50)) for wish in range(5)]
        pauses = [make_move(fuzzing.TIME, bytes((pause,))) for pause in range(8)]
        try_script(bytes((number,)) + b"".join(wishes + pauses))


def test_any_octets() -> None:
    """Nothing, cut packets, and moves that say nothing."""
    for octets in (b"", b"E", b"`" + bytes(39), bytes(20)):
        try_packet(octets)
    try_script(b"")
    for kind in range(8):
        try_script(bytes((1,)) + make_move(kind, b"") + make_move(kind, b"E" + bytes(60), 3) + b"\1\0")


def test_a_checksum_is_put_right() -> None:
    """Where a script says 0."""
    story = begin(0)
    peer = find_peer(story, 0)
    script = make_script([one.octets for one in read_pcap(TRACES / "csum_both_v4.pcap")])
    bodies = [body for _, _, body in list_moves(script)]
    options = []
    for body in bodies:
        packet = put_right(peer, body)
        assert packet is not None
        options += segment.parse_options(packet, 40, 20 + (packet[32] >> 4) * 4, packet[33])
    assert [option.checksum != 0 for option in options if isinstance(option, CapableData)] == [True] * 4


def test_what_is_held_is_noticed() -> None:
    """More than may be."""
    story = begin(1)
    story.host.answers += [None] * 300  # type: ignore[list-item]
    with pytest.raises(AssertionError, match="pile up"):
        check_bounds(story.host)


def test_without_atheris(tmp_path: Path) -> None:
    """One line, and a status."""
    (tmp_path / "atheris.py").write_text("raise ImportError")
    command = [sys.executable, str(ROOT / "tests" / "fuzz" / "fuzz.py"), "packets", "1"]
    said = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)})
    assert said.returncode == 1
    assert said.stderr.startswith("mptcp: fuzzing needs atheris") and said.stderr.count("\n") == 1
