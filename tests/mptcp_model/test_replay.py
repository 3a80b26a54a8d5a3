"""Every capture replayed, with our host in place of either end; and that the judge would notice."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from mptcp.values import Text
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.segment import ACK, PSH, Segment
from mptcp_model.recorded import UNFIT_TEXT, Recording, Stream, record
from mptcp_model.replay import Replay, replay
from mptcp_model.simulated.capture import read_pcap

TRACES = Path(__file__).parent.parent / "traces"
NAMES = sorted(path.name.removesuffix(".pcap") for path in TRACES.glob("*.pcap"))
SEVERAL = {"tcp_fastopen_cookie_v4": 3, "tcp_fastopen_v4": 3}
"""Captures of more than one connection."""

UNFIT = {
    ("tcp_fastopen_v4", 1),
    ("tcp_fastopen_cookie_v4", 2),
    ("tcp_fastopen_cookie_v4", 3),
    ("tcp_fastopen_v4", 2),
    ("tcp_fastopen_v4", 3),
}
"""Connections that began with text on a SYN."""

OTHERWISE = "strip_dss_mid_connection_v4.srv"
"""Where Linux falls back in the middle of a connection, RFC 8684 §3.7 has a RST."""

CASES = [(name, number) for name in NAMES for number in range(1, 1 + SEVERAL.get(name, 1))]


@cache
def read(name: str, number: int = 1) -> Recording:
    """A connection of a capture."""
    return record(read_pcap(TRACES / f"{name}.pcap"), number)


@pytest.mark.clause("R8684-3-03", "R8684-3.3.1-02", "R8684-3.2-23", "R8684-3.3.2-09")
@pytest.mark.parametrize("role", ["A", "B"])
@pytest.mark.parametrize(
    ("name", "number"), [case for case in CASES if case not in UNFIT and case[0] != OTHERWISE]
)
def test_replay(name: str, number: int, role: str) -> None:
    """All that our host sends is acceptable, and the data both ways and the mode are those of the capture."""
    recording = read(name, number)
    assert recording.find_obstacle() == ""
    assert recording.connections == SEVERAL.get(name, 1)
    outcome = replay(recording, role)
    assert outcome.faults == []
    assert outcome.judged and outcome.fed
    assert outcome.fed + outcome.unopened >= sum(one.sender != role for one in recording.seen)


@pytest.mark.parametrize(("name", "number"), sorted(UNFIT))
def test_what_cannot_be_replayed(name: str, number: int) -> None:
    """A cookie is its server's own; and without one there is no text on a SYN to acknowledge."""
    assert read(name, number).find_obstacle() == UNFIT_TEXT


@pytest.mark.clause("R8684-3.7-11")
@pytest.mark.parametrize("role", ["A", "B"])
def test_options_are_lost_in_mid_connection(role: str) -> None:
    """Our host resets what Linux goes on with; up to there it reads what was written."""
    recording = read(OTHERWISE)
    outcome = replay(recording, role)
    assert outcome.end == "reset"
    assert recording.sides["B" if role == "A" else "A"].stream.data.startswith(outcome.got)
    assert len(outcome.faults) == 2 and not recording.is_multipath


# -- that it would notice -------------------------------------------------------------------------


def begin(count: int = 8) -> Replay:
    """A replay with our host as A, in the middle: the handshake and the first data are over."""
    story = Replay(read("basic_v4"), "A")
    for one in story.recording.seen[:count]:
        story.advance(max(story.now, one.when))
        (story.act if one.sender == "A" else story.feed)(one)
    assert story.outcome.faults == []
    return story


def say(story: Replay, sequence: int = 0, acknowledgment: int = 0, text: bytes = b"", **dss: int) -> str:
    """What is said of a segment of our host whose numbers are off by so much."""
    link = story.links[1]
    place = story.talk.flows[link.four]
    own, peer = place.direction, place.other
    assert own.isn is not None and peer.isn is not None
    assert own.host.idsn is not None and peer.host.idsn is not None
    ack = DataAck(peer.host.idsn + story.data_came + dss.get("ack", 0) & (1 << 64) - 1, True)
    end = story.sent.end + dss.get("dsn", 0)
    mapping = Mapping(
        own.host.idsn + end & (1 << 64) - 1, True, link.sent_end + sequence, len(text), None, False
    )
    local, local_port, remote, remote_port = link.four
    numbers = (
        own.isn + link.sent_end + sequence & 0xFFFFFFFF,
        peer.isn + link.came_end + acknowledgment & 0xFFFFFFFF,
    )
    options = (Dss(ack, mapping if text and dss.get("maps", 1) else None),)
    piece = (Text(text, 0, len(text)),) if text else ()
    story.judge(
        Segment(local, remote, local_port, remote_port, *numbers, ACK | PSH, 1_000, 0, options, piece)
    )
    return "\n".join(story.outcome.faults)


def test_judge_is_content() -> None:
    """With what is right."""
    story = begin(3)
    start = story.sent.end - 1
    text = bytes(story.side.stream.data[start : start + 100])
    assert text and say(story, text=text) == ""


def test_judge_notices() -> None:
    """Each of these by itself."""
    assert "which never came" in say(begin(), acknowledgment=1)
    assert "takes an acknowledgment back" in say(begin(), acknowledgment=-1)
    assert "acknowledges data" in say(begin(), ack=1)
    assert "text is not what was written" in say(begin(), text=b"\1\2\3\4\5" * 9)
    assert "text is not what was written" in say(begin(), text=b"\1\2\3\4\5" * 9, dsn=7)
    assert "text without mapping" in say(begin(), sequence=1, text=b"12345", maps=0)
    assert "beyond the window" in say(begin(), sequence=1 << 22)


def test_what_is_missing_is_noticed() -> None:
    """Other data than was written, and data that never came."""
    recording = read("basic_v4")
    shorter = replace(recording, seen=recording.seen[:-10])
    assert any("were read" in fault for fault in replay(shorter, "A").faults)
    plain = replace(recording, is_multipath=False)
    assert any("MPTCP in the end" in fault for fault in replay(plain, "B").faults)


def test_stream_is_put_together() -> None:
    """In any order, with overlaps; what came first counts."""
    stream = Stream()
    for offset, text in ((4, b"def"), (4, b"DE"), (9, b"i"), (1, b"abcX"), (6, b"fgh"), (1, b"ABC")):
        stream.add(offset, text)
    assert bytes(stream.data) == b"abcXefghi"
    assert stream.end == 10
