"""Several subflows in version 0 (RFC 6824): by published vectors, and between two hosts of ours.

What is different there: HMAC-SHA1, no HMAC and no echo with ADD_ADDR, MP_PRIO that may name an Address ID,
and an end by acknowledgment alone.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.connection.control import Control
from mptcp.events import Accepted
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.addresses import AddAddrV0, PrioV0, RemoveAddr
from mptcp.wire.endings import FastClose
from mptcp.wire.handshake import (
    HMAC_SHA256,
    CapableAck,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.ip import parse as parse_ip
from mptcp.wire.options import MaximumSegmentSize, Option
from mptcp.wire.segment import ACK, RST, SYN
from mptcp.wire.segment import parse as parse_segment
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, PEER_KEY, DataSignal, Dialogue, Peer, User
from mptcp_model.joins import join
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Network, call, get_server, ipv4, ipv6, path, two_hosts

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "test-vectors.json").read_text())["v0"]
SECOND_IPV4 = bytes([10, 0, 0, 3])
MSS = MaximumSegmentSize(1460)
OLD = Choices(version=0, lowest_version=0)
DATA = bytes((7 * number + number // 251) % 256 for number in range(1_000_000))
LINES = [
    Line(rate=8_000_000, delay=10 * MILLISECOND, queue=60_000),
    Line(4_000_000, 25 * MILLISECOND, queue=60_000),
]


def octets(vector: dict[str, str], *names: str) -> list[bytes]:
    """These fields of a vector."""
    return [bytes.fromhex(vector[name]) for name in names]


# -- by vectors -----------------------------------------------------------------------------------


def give_key(story: Dialogue, handle: int, key: bytes) -> Control:
    """The connection has this key and no other, before anybody has seen one."""
    control = story.host.connections[handle].control
    del story.host.by_token[control.local_token]
    digest = hashlib.sha1(key).digest()
    control.local_key, control.local_token = key, int.from_bytes(digest[:4], "big")
    control.local_idsn = int.from_bytes(digest[12:], "big")
    story.host.by_token[control.local_token] = handle
    return control


def open_with_keys(vector: dict[str, str]) -> tuple[Dialogue, Peer, Control]:
    """The host opens with the vector's key A, the peer has its key B."""
    key_a, key_b = octets(vector, "keyA", "keyB")
    story = Dialogue(OLD)
    peer = story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)
    peer.key = key_b
    handle = story.host.connect(HOST_IPV4, PEER_IPV4, 80, 0, 40_000)
    story.user.connection = handle
    control = give_key(story, handle, key_a)
    story.settle()
    peer.expects(SYN, options=[CapableSynV0(HMAC_SHA256, key_a)])
    peer.sends(SYN | ACK, options=[MSS, CapableSynAck(0, HMAC_SHA256, key_b)])
    peer.expects(ACK, options=[CapableAck(0, HMAC_SHA256, key_a, key_b)])
    peer.sends(ACK, options=[DataSignal(ack=1)])
    return story, peer, control


@pytest.mark.clause("R6824-3.2-01", "R8684-3.2-23")
@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_host_joins(vector: dict[str, str]) -> None:
    """Token and HMACs of both ends are those of the vector; the host is its A."""
    nonce_a, nonce_b, synack, third = octets(vector, "nonceA", "nonceB", "join_synack_B", "join_ack_A")
    story, first, control = open_with_keys(vector)
    other = story.meets(PEER_IPV4, 80, SECOND_IPV4, 40_000)
    other.version = 0
    story.host.add_address(SECOND_IPV4, 0)
    story.settle()
    syn = other.expects(SYN, options=[JoinSyn])
    (option,) = [one for one in syn.options if isinstance(one, JoinSyn)]
    assert f"{option.token:08x}" == vector["tokenB"]
    control.branches[1].local_nonce = nonce_a
    other.sends(SYN | ACK, options=[MSS, JoinSynAck(False, 0, synack, nonce_b)])
    other.expects(ACK, options=[JoinAck(third)])
    assert first.host_key == bytes.fromhex(vector["keyA"])


@pytest.mark.clause("R6824-3.2-01", "R8684-3.2-28")
@pytest.mark.parametrize("vector", VECTORS, ids=str)
@pytest.mark.parametrize("is_right", [True, False])
def test_host_is_joined(vector: dict[str, str], is_right: bool) -> None:
    """The other way round, the peer being its B; and an HMAC of which one bit is wrong."""
    nonce_a, nonce_b, synack, third = octets(vector, "nonceA", "nonceB", "rev_synack_A", "rev_ack_B")
    story, _, control = open_with_keys(vector)
    other = story.meets(port=41_000, local_port=40_000)
    other.version = 0
    token = int(vector["tokenA"], 16)
    syn = other.makes(SYN, options=[MSS, JoinSyn(False, 1, token, nonce_b)])
    story.host.receive(syn, story.now)
    control.branches[1].local_nonce = nonce_a
    story.settle()
    other.expects(SYN | ACK, options=[JoinSynAck(False, 0, synack, nonce_a)])
    wrong = third[:-1] + bytes([third[-1] ^ 1])
    other.sends(ACK, seq=1, options=[JoinAck(third if is_right else wrong)])
    other.expects(ACK if is_right else RST | ACK)
    states = [one.state for one in story.host.status(story.user.connection).subflows]
    assert states == ["ESTABLISHED", "ESTABLISHED" if is_right else "CLOSED"]


# -- what it has of its own -------------------------------------------------------------------------


def meet(**choices: Any) -> tuple[User, Peer, Peer]:
    """A listener, whose peer opened in version 0, and a second subflow with the peer's Address ID 1."""
    story = Dialogue(Choices(**{"lowest_version": 0, **choices}))
    story.user.listens()
    first = story.meets()
    first.sends(SYN, options=[MSS, CapableSynV0(HMAC_SHA256, PEER_KEY)])
    first.expects(SYN | ACK, options=[CapableSynAck])
    first.sends(ACK, options=[first.capable_ack()])
    story.user.hears(Accepted)
    other = story.meets(bytes([10, 0, 0, 9]), 41_000)
    join(other, first)
    return story.user, first, other


@pytest.mark.clause("R6824-3.3.8-01")
def test_priority_of_an_address() -> None:
    """MP_PRIO with an ID is about all subflows of that address, wherever it comes; without, about its own."""
    user, first, other = meet()
    third = first.dialogue.meets(bytes([10, 0, 0, 9]), 42_000)
    join(third, first)
    branches = user.host.connections[user.connection].control.branches
    first.sends(ACK, options=[DataSignal(ack=1), PrioV0(True, 1)])
    assert [branch.is_backup for branch in branches] == [False, True, True]
    user.writes(b"hello")
    first.expects(ACK, text=b"hello")
    other.expects_nothing()
    first.sends(ACK, options=[DataSignal(ack=6), PrioV0(False, 1)])
    assert not any(branch.is_backup for branch in branches)


# -- two hosts ------------------------------------------------------------------------------------


def lay(checksum: bool = False) -> tuple[Network, Sender]:
    """Two paths and two hosts of version 0; the client sends, the server answers at the end."""
    choices = Choices(version=0, lowest_version=0, **({"checksum": REQUIRE} if checksum else {}))
    served = Choices(version=0, lowest_version=0, announce=True)
    network = two_hosts(*[path(line) for line in LINES], client=choices, server=served)
    for number in range(len(LINES)):
        network.machines["client"].host.remove_address(ipv6(number, 1), 0)
        network.machines["server"].host.remove_address(ipv6(number, 2), 0)
    network.tap("client")
    client = Sender(DATA)
    call(network, client, Sink(b"thanks"))
    return network, client


def list_options(network: Network, kind: type[Option]) -> list[Any]:
    """Those of a kind that the client's machine sent or got."""
    packets = [packet.octets for packet in network.taps["client"].packets]
    segments = [parse_segment(packet, parse_ip(packet), True, 0) for packet in packets]
    return [option for one in segments for option in one.options if isinstance(option, kind)]


def check(network: Network, client: Sender) -> None:
    """All arrived, and both sides ended in order."""
    network.run(network.now + 300 * SECOND)
    server = get_server(network)
    assert (server.inbox, client.inbox) == (DATA, b"thanks")
    assert (client.outcome, server.outcome) == ("closed", "closed")


@pytest.mark.clause("R6824-3.2-01", "R6824-3.4.1-02", "R6824-3.1-01")
@pytest.mark.parametrize("checksum", [False, True])
def test_joins(checksum: bool) -> None:
    """All paths carry; tokens and HMACs are what SHA-1 makes of the keys; ADD_ADDR is that of version 0."""
    network, client = lay(checksum)
    check(network, client)
    assert all(network.links[f"client>{number}"].counters.octets > 100_000 for number in range(2))
    (third,) = {(one.sender_key, one.receiver_key) for one in list_options(network, CapableAck)}
    tokens = {one.token for one in list_options(network, JoinSyn)}
    assert tokens == {int.from_bytes(hashlib.sha1(third[1]).digest()[:4], "big")}
    asked = {one.nonce for one in list_options(network, JoinSyn)}
    proofs = {
        hmac.digest(third[0] + third[1], one + other.nonce, "sha1")
        for one in asked
        for other in list_options(network, JoinSynAck)
    }
    assert {one.hmac for one in list_options(network, JoinAck)} <= proofs
    assert ipv4(1, 2) in {one.address for one in list_options(network, AddAddrV0)}


@pytest.mark.clause("R8684-3.4.2-01", "R8684-3.3.8-05", "R8684-3.3.8-03")
def test_backup_and_removal() -> None:
    """The second path becomes a backup and rests; then the address of the first one goes, and it carries."""
    network, client = lay()
    host = network.machines["client"].host
    network.run(300 * MILLISECOND)
    host.set_backup(client.connection, ipv4(1, 1), True, network.now)
    network.touch("client")
    network.run(500 * MILLISECOND)
    server = next(iter(network.machines["server"].host.connections.values())).control
    spares = [branch for branch in server.branches if branch.subflow.tcb.remote == ipv4(1, 1)]
    assert spares and all(branch.is_backup for branch in spares)
    own = host.connections[client.connection].control
    resting = [branch.subflow.tcb for branch in own.branches if branch.subflow.tcb.local == ipv4(1, 1)]
    before = [tcb.snd_queue.end for tcb in resting]
    network.run(650 * MILLISECOND)
    assert [tcb.snd_queue.end for tcb in resting] == before
    host.remove_address(ipv4(0, 1), network.now)
    network.touch("client")
    check(network, client)
    assert {one.ids for one in list_options(network, RemoveAddr)} == {(0,)}
    assert sum(tcb.snd_queue.end for tcb in resting) > sum(before) + 100_000


@pytest.mark.clause("R6824-3.5-01", "R6824-8-01")
def test_fast_close() -> None:
    """An acknowledgment with MP_FASTCLOSE on one subflow, RSTs on all others and in answer; no MP_TCPRST."""
    network, client = lay()
    network.run(400 * MILLISECOND)
    network.machines["client"].host.abort(client.connection, network.now)
    network.touch("client")
    network.run(10 * SECOND)
    assert (client.outcome, get_server(network).outcome) == ("aborted", "reset")
    closes = list_options(network, FastClose)
    keys = {one.receiver_key for one in list_options(network, CapableAck)}
    assert closes and {one.key for one in closes} == keys
    for machine in network.machines.values():
        assert machine.host.deadline() is None
