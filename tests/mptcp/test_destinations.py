"""What a host remembers of destinations: where MP_CAPABLE gets no answer, and where version 0 may."""

from typing import Any

import pytest

from mptcp.destinations import Destinations
from mptcp.events import Established, FellBack
from mptcp.parameters import DESTINATIONS, SECOND
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn, CapableSynAck, CapableSynV0
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, Dialogue, Peer
from mptcp_model.situations import PEER_OPTIONS, begin

HOUR = 3_600 * SECOND
CAPABLE = (CapableSyn, CapableSynV0)
OTHER = bytes([10, 0, 0, 9])


def call(story: Dialogue, remote: bytes = PEER_IPV4, **choices: Any) -> Peer:
    """The user calls ``remote``, from a port of its own."""
    port = 40_000 + len(story.peers)
    story.user.connects(remote, local=HOST_IPV4, local_port=port)
    return story.meets(remote, 80, HOST_IPV4, port)


def fall_silent(story: Dialogue) -> Peer:
    """A call of which only the SYN without MP_CAPABLE gets through."""
    peer = call(story)
    for _ in range(3):
        peer.expects(SYN, options=[CapableSyn], by=story.now + 10 * SECOND)
    peer.expects(SYN, without=CAPABLE, by=story.now + 10 * SECOND)
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    story.user.hears(Established, FellBack)
    return peer


@pytest.mark.clause("R8684-3.9.3-01", "R8684-3.9.3-02", "R8684-3.1-07", "R8684-3.1-57")
def test_black_hole() -> None:
    """The next call does without from the first SYN on, for an hour; then MP_CAPABLE is tried again."""
    story = begin(True, {})
    fall_silent(story)
    learnt = story.now
    peer = call(story)
    peer.expects(SYN, without=CAPABLE)
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    story.user.hears(Established, FellBack)
    story.advance(learnt + HOUR - 1)
    call(story).expects(SYN, without=CAPABLE)
    story.advance(learnt + HOUR)
    call(story).expects(SYN, options=[CapableSyn])


@pytest.mark.clause("R8684-3.9.3-02")
def test_of_one_destination() -> None:
    """Others are called as before."""
    story = begin(True, {})
    fall_silent(story)
    call(story, OTHER).expects(SYN, options=[CapableSyn])


@pytest.mark.clause("R8684-3.9.3-02")
@pytest.mark.parametrize("address", [None, PEER_IPV4])
def test_cleared(address: bytes | None) -> None:
    """What was learnt can be taken back."""
    story = begin(True, {})
    fall_silent(story)
    story.host.destinations.clear(OTHER)
    call(story).expects(SYN, without=CAPABLE)
    story.host.destinations.clear(address)
    call(story).expects(SYN, options=[CapableSyn])


@pytest.mark.clause("R8684-3.9.3-02")
def test_not_remembered() -> None:
    """With a time of 0 each call finds out for itself."""
    story = begin(True, {"blackhole_timeout": 0})
    fall_silent(story)
    call(story).expects(SYN, options=[CapableSyn])


def test_answer_to_a_syn_with_the_option() -> None:
    """A peer that answers without MP_CAPABLE costs nothing: the next SYN offers it again."""
    story = begin(True, {})
    peer = call(story)
    peer.expects(SYN, options=[CapableSyn])
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    story.user.hears(Established, FellBack)
    call(story).expects(SYN, options=[CapableSyn])


def test_late_answer() -> None:
    """An answer with MP_CAPABLE after all: nothing is wrong with the path."""
    story = begin(True, {})
    peer = call(story)
    for _ in range(4):
        peer.expects(SYN, by=story.now + 10 * SECOND)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(1, HMAC_SHA256, peer.key)])
    story.user.hears(Established)
    call(story).expects(SYN, options=[CapableSyn])


def test_refused() -> None:
    """A RST to the SYN without says nothing about the others."""
    story = begin(True, {})
    peer = call(story)
    for _ in range(4):
        peer.expects(SYN, by=story.now + 10 * SECOND)
    peer.sends(RST | ACK)
    call(story).expects(SYN, options=[CapableSyn])


@pytest.mark.clause("R8684-3.1-06", "R8684-3.1-07")
def test_older_version() -> None:
    """No MP_CAPABLE came back: the next call tries version 0, and goes on with what it gets."""
    story = begin(True, {"lowest_version": 0})
    peer = call(story)
    peer.expects(SYN, options=[CapableSyn])
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    story.user.hears(Established, FellBack)
    peer = call(story)
    peer.expects(SYN, options=[CapableSynV0])
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, CapableSynAck(0, HMAC_SHA256, peer.key)])
    story.user.hears(Established)
    assert story.host.status(2).multipath
    call(story).expects(SYN, options=[CapableSynV0])
    story.advance(HOUR)
    call(story).expects(SYN, options=[CapableSyn])


@pytest.mark.clause("R8684-3.9.3-02")
def test_memory_is_bounded() -> None:
    """Of too many destinations the one known longest is forgotten."""
    destinations = Destinations()
    for number in range(DESTINATIONS + 1):
        destinations.learn(number.to_bytes(4, "big"), -1, HOUR)
    destinations.learn((1).to_bytes(4, "big"), -1, HOUR)  # once more: it is the latest now
    destinations.learn(OTHER, 0, HOUR)
    assert len(destinations.lessons) == DESTINATIONS
    found = [destinations.find(number.to_bytes(4, "big"), 1, 0) for number in range(4)]
    assert found == [1, -1, 1, -1]
    assert destinations.find(OTHER, 1, HOUR) == 1
    assert len(destinations.lessons) == DESTINATIONS - 1
