"""Connections that have nothing to say: no clock, no work, little memory."""

import gc
import tracemalloc

import mptcp
from mptcp.parameters import HOUR
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn
from mptcp.wire.options import MaximumSegmentSize
from mptcp.wire.segment import ACK, SYN
from mptcp_model.dialogue import DataSignal, Dialogue

CAPABLE = CapableSyn(1, HMAC_SHA256)
COUNT = 200
MOST = 8_192 if mptcp.build() == "compiled" else 24_576  # octets of one connection


def open_one(story: Dialogue, number: int) -> None:
    """A connection that was used both ways, and has fallen silent."""
    peer = story.meets(port=10_000 + number)
    peer.sends(SYN, options=[MaximumSegmentSize(1_460), CAPABLE])
    peer.expects(SYN | ACK)
    peer.sends(ACK, options=[peer.capable_ack()])
    peer.sends(ACK, text=b"request", options=[DataSignal(ack=1, dsn=1, ssn=1, length=7)])
    connection = max(story.host.connections)
    story.host.read(connection, 100, story.now)
    story.host.write(connection, b"response", story.now)
    story.settle()
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=9)])
    story.peers.clear()
    story.events.clear()
    story.story.clear()


def test_nothing_waits_for_the_collector() -> None:
    """Connections are trees: with their host they are gone at once, and no cycle of theirs is left."""
    story = Dialogue()
    story.user.listens()
    for number in range(COUNT):
        open_one(story, number)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        twin = story.host.copy()
        assert len(gc.get_objects()) > before + 30 * COUNT
        del twin
        assert len(gc.get_objects()) < before + 10
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_idle_connections() -> None:
    """Hundreds of them wake nobody, touch nothing, and take a few kilobytes each."""
    story = Dialogue()
    story.user.listens()
    open_one(story, 0)
    story.advance(HOUR)
    gc.collect()
    tracemalloc.start()
    for number in range(1, COUNT + 1):
        open_one(story, number)
    story.advance(2 * HOUR)
    story.settle()
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    host = story.host
    assert len(host.connections) == COUNT + 1
    assert host.deadline() is None
    assert host.agenda.heap == [] and host.agenda.due == {}
    assert not host.touched and not host.stale and not host.news
    assert traced / COUNT <= MOST
