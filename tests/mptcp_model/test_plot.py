"""Samples of a run, and the picture made of them."""

from pathlib import Path

from mptcp.parameters import MILLISECOND
from mptcp_model.plot import plot_run, read_samples
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.capture import Capture, Packet, read_pcap
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Window, ipv4, path, two_hosts

PNG = b"\x89PNG\r\n\x1a\n"


def run_once() -> tuple[Capture, list[Window]]:
    """100,000 octets in a network that loses packets 5 and 9."""
    line = Line(rate=50_000_000, delay=10 * MILLISECOND, lose=frozenset({5, 9}))
    network = two_hosts(path(line))
    capture, windows = network.tap("client"), network.watch("client")
    network.machines["server"].listen(80, Sink())
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, Sender(bytes(100_000)), 0)
    network.touch("client")
    network.run()
    return capture, windows


def test_samples() -> None:
    """Data offsets cover the stream from 1 without gaps; what was sent again is known as such."""
    capture, _ = run_once()
    samples = read_samples(capture.packets)
    texts = sorted((one.start, one.start + one.length) for one in samples if one.length and one.forth)
    end = 1
    for start, stop in texts:
        assert start <= end
        end = max(end, stop)
    assert end == 100_001
    assert sum(one.again for one in samples) >= 2
    assert max(one.ack or 0 for one in samples if not one.forth) == 100_002
    assert {one.flow for one in samples} == {0}


def test_same_samples_from_a_file(tmp_path: Path) -> None:
    """A capture read from a file gives the samples of the one in memory; other packets are left out."""
    capture, _ = run_once()
    capture.packets.insert(3, Packet(0, b"\x45" + bytes(30)))
    capture.write(tmp_path / "run.pcap")
    assert read_samples(read_pcap(tmp_path / "run.pcap")) == read_samples(capture.packets)


def test_picture(tmp_path: Path) -> None:
    """With and without congestion windows, and even of nothing, there is a picture."""
    capture, windows = run_once()
    samples = read_samples(capture.packets)
    for name, args in (("both", (samples, windows)), ("one", (samples, [])), ("none", ([], []))):
        path_of_picture = tmp_path / f"{name}.png"
        plot_run(*args, path_of_picture)
        assert path_of_picture.read_bytes().startswith(PNG)
