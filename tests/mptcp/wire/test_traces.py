"""Packets of Linux: each parses, comes out octet for octet, and proves what it says."""

from pathlib import Path

import pytest

from mptcp import keys
from mptcp.numbers import MASK_64
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, RemoveAddr
from mptcp.wire.budget import arrange
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import FastOpen, Leftover, Option, Unknown
from mptcp.wire.segment import Segment
from mptcp_model.simulated.capture import read_pcap

TRACES = Path(__file__).parent.parent.parent / "traces"
ALL = {
    "checksums_v4": {CapableSyn, CapableSynAck, CapableAck, CapableData, Dss},
    "addresses_v4": {AddAddr, AddAddrEcho, RemoveAddr, JoinSyn, JoinSynAck, JoinAck, Dss},
    "fail_v6": {CapableData, Dss, Fail},
    "fast_close_v4": {CapableData, FastClose, TcpReset},
    "fast_open_v4": {FastOpen, CapableData},
}


def read(name: str) -> list[Segment]:
    return [segment.parse(one.octets, ip.parse(one.octets)) for one in read_pcap(TRACES / f"{name}.pcap")]


def find_keys(segments: list[Segment]) -> dict[int, tuple[bytes, bytes]]:
    """Token → key of its host and key of the other, from the third packets."""
    found = {}
    for one in segments:
        for option in one.options:
            if isinstance(option, (CapableAck, CapableData)):
                pair = (option.sender_key, option.receiver_key)
                found[keys.compute_token(pair[0])] = pair
                found[keys.compute_token(pair[1])] = (pair[1], pair[0])
    return found


@pytest.mark.parametrize("name", ALL)
def test_octet_for_octet(name: str) -> None:
    """emit(parse(x)) == x, IP header included; every checksum right; every option understood."""
    seen: set[type[Option]] = set()
    for packet in read_pcap(TRACES / f"{name}.pcap"):
        datagram = ip.parse(packet.octets)
        one = segment.parse(packet.octets, datagram)
        again = segment.emit(one, datagram.hop_limit, datagram.identification, 0, datagram.traffic_class)
        assert again.octets() == packet.octets[: datagram.end]
        seen |= {type(option) for option in one.options}
    assert ALL[name] <= seen
    assert not seen & {Unknown, Leftover}


@pytest.mark.parametrize("name", ALL)
def test_layouts_are_those_of_linux(name: str) -> None:
    """Each option area is what the budget would have made of it."""
    for one in read(name):
        assert arrange(one.options) == one.options


@pytest.mark.clause("R8684-3.1-26", "R8684-3.3.1-11", "R8684-3.3.3-04", "R8684-3.3.3-05")
def test_checksums_of_mappings() -> None:
    """Those in MP_CAPABLE over several segments, those in DSS, those of bare DATA_FINs."""
    segments = read("checksums_v4")
    checked = 0
    for one in segments:
        for option in one.options:
            if isinstance(option, CapableData):
                sender = [other for other in segments if other.source == one.source]
                text = tuple(piece for other in sender for piece in other.text)
                first = (keys.compute_idsn(option.sender_key) + 1) & MASK_64
                assert option.length == sum(map(len, text))
                assert option.checksum == keys.compute_dss_checksum(first, 1, option.length, text)
                checked += 1
            if isinstance(option, Dss) and option.mapping is not None and option.mapping.fin:
                mapping = option.mapping
                assert (mapping.ssn, mapping.length, one.text_length) == (0, 1, 0)
                assert mapping.checksum == keys.compute_dss_checksum(mapping.dsn, 0, 1, ())
                checked += 1
    assert checked == 6


@pytest.mark.clause("R8684-3.2-04", "R8684-3.2-16", "R8684-3.2-23", "R8684-3.4.1-13", "R8684-3.4.1-14")
def test_tokens_and_hmacs() -> None:
    """A join and an address, proven with the keys of the first handshake."""
    segments = read("addresses_v4")
    known = find_keys(segments)
    options = [option for one in segments for option in one.options]
    (syn,) = [option for option in options if isinstance(option, JoinSyn)]
    (answer,) = [option for option in options if isinstance(option, JoinSynAck)]
    (ack,) = [option for option in options if isinstance(option, JoinAck)]
    responder, initiator = known[syn.token]
    assert answer.hmac == keys.compute_join_hmac(responder, initiator, answer.nonce, syn.nonce)[:8]
    assert ack.hmac == keys.compute_join_hmac(initiator, responder, syn.nonce, answer.nonce)[:20]
    (added,) = {option for option in options if isinstance(option, AddAddr)}
    (echo,) = {option for option in options if isinstance(option, AddAddrEcho)}
    assert (added.address_id, added.address, added.port) == (echo.address_id, echo.address, echo.port)
    proofs = [
        keys.compute_add_addr_hmac(sender, receiver, added.address_id, added.address, added.port)
        for sender, receiver in known.values()
    ]
    assert added.hmac in proofs


@pytest.mark.clause("R8684-3.5-03")
def test_a_fast_close_carries_the_key_of_the_other_host() -> None:
    """Of the one it goes to."""
    segments = read("fast_close_v4")
    known = find_keys(segments)
    for one in segments:
        for option in one.options:
            if isinstance(option, FastClose):
                listener = next(o.key for s in segments for o in s.options if isinstance(o, CapableSynAck))
                assert option.key == listener
                assert keys.compute_token(listener) in known
