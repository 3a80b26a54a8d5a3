"""Packets of Linux: each parses, comes out octet for octet, and proves what it says.

What a capture's README says was damaged on the way is told here by number: all else verifies.
"""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from mptcp import keys
from mptcp.numbers import MASK_64, compute_offset_32, compute_offset_64, distance
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, Prio
from mptcp.wire.budget import arrange
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Leftover, Option, Unknown
from mptcp.wire.segment import SYN, Segment
from mptcp_model.simulated.capture import read_pcap

TRACES = Path(__file__).parent.parent.parent / "traces"
FILES = sorted(TRACES.glob("*.pcap"))
Way: TypeAlias = tuple[bytes, int, bytes, int]

BAD = {
    "addaddr_bad_hmac_v4": Counter({"ADD_ADDR": 2}),
    "mpjoin_synack_bad_hmac_v4": Counter({"SYN/ACK": 1}),
    "mpfail_csum_2subflows_rst_v4.srv": Counter({"checksum": 1}),
    "mpfail_csum_single_subflow_v6.srv": Counter({"checksum": 1}),
    "dss_dsn_corrupted_2nd_subflow_v4.srv": Counter({"DSN": 1}),
}
"""How much a middlebox has damaged."""


@cache
def read(path: Path) -> list[Segment]:
    """The segments of a capture."""
    return [segment.parse(one.octets, ip.parse(one.octets)) for one in read_pcap(path)]


def find_way(one: Segment) -> Way:
    """From where to where it goes."""
    return (one.source, one.source_port, one.destination, one.destination_port)


def turn(way: Way) -> Way:
    """The other direction."""
    return (*way[2:], *way[:2])


class Judge:
    """Verifies all that a capture's segments say by what it has seen before; counts what does not."""

    def __init__(self, segments: list[Segment]) -> None:
        self.verified: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.keys: dict[int, tuple[bytes, bytes]] = {}  # by token: key of its host, key of the other
        self.pairs: dict[Way, tuple[bytes, bytes]] = {}  # by way: key of the sender, key of the receiver
        self.joining: dict[Way, tuple[JoinSyn, JoinSynAck | None]] = {}
        self.text: dict[Way, dict[int, int]] = {}  # by way: SSN -> octet, the first that was seen
        self.first: dict[Way, int] = {}  # by way: the sequence number of the SYN
        self.mappings: dict[Way, set[tuple[int, Mapping]]] = {}
        for one in segments:
            self.see(one)
        for way, mappings in self.mappings.items():
            for dsn, mapping in sorted(mappings, key=lambda pair: pair[0]):
                self.check_sum(way, dsn, mapping)

    def judge(self, name: str, is_right: bool) -> None:
        """Count."""
        (self.verified if is_right else self.wrong)[name] += 1

    def see(self, one: Segment) -> None:
        """One segment: first what its options prove, then its text."""
        way = find_way(one)
        if one.flags & SYN:
            self.first[way] = one.sequence
        for option in one.options:
            self.see_option(way, option)
        at = distance(self.first[way], one.sequence) if way in self.first else 1
        for piece in one.text:
            for octet in piece.octets():
                self.text.setdefault(way, {}).setdefault(at, octet)
                at += 1

    def see_option(self, way: Way, option: Option) -> None:
        """What one option proves."""
        match option:
            case CapableSynAck(_, _, key):
                self.pairs.setdefault(way, (key, b""))
                self.pairs.setdefault(turn(way), (b"", key))
            case CapableAck(_, _, key, peer_key) | CapableData(_, _, key, peer_key):
                self.judge("echoed key", self.pairs.get(turn(way), (peer_key, b""))[0] == peer_key)
                self.pairs |= {way: (key, peer_key), turn(way): (peer_key, key)}
                self.keys[keys.compute_token(key)] = (key, peer_key)
                self.keys[keys.compute_token(peer_key)] = (peer_key, key)
                if isinstance(option, CapableData):
                    dsn = (keys.compute_idsn(key) + 1) & MASK_64
                    mapping = Mapping(dsn, True, 1, option.length, option.checksum, False)
                    self.mappings.setdefault(way, set()).add((dsn, mapping))
            case JoinSyn(_, _, token, _):
                self.judge("token", token in self.keys)
                peer_key, key = self.keys[token]
                self.pairs |= {way: (key, peer_key), turn(way): (peer_key, key)}
                self.joining[way] = (option, None)
            case JoinSynAck(_, _, hmac, nonce):
                syn, _ = self.joining[turn(way)]
                self.joining[turn(way)] = (syn, option)
                full = keys.compute_join_hmac(*self.pairs[way], nonce, syn.nonce)
                self.judge("SYN/ACK", hmac == full[:8])
            case JoinAck(hmac):
                syn, answer = self.joining[way]
                assert answer is not None
                full = keys.compute_join_hmac(*self.pairs[way], syn.nonce, answer.nonce)
                self.judge("ACK", hmac == full[:20])
            case AddAddr(address_id, address, port, hmac):
                expected = keys.compute_add_addr_hmac(*self.pairs[way], address_id, address, port)
                self.judge("ADD_ADDR", hmac == expected)
            case FastClose(key):
                self.judge("fast close", key == self.pairs[way][1])
            case Fail(dsn):
                idsn = keys.compute_idsn(self.pairs[way][1])
                self.judge("failed DSN", 0 < compute_offset_64(idsn, dsn) < 1 << 20)
            case Dss():
                self.see_dss(way, option)

    def see_dss(self, way: Way, option: Dss) -> None:
        """Its numbers lie within a megabyte of the IDSNs that the keys give."""
        key, peer_key = self.pairs[way]
        ack, mapping = option.ack, option.mapping
        if ack is not None:
            self.judge(
                "Data ACK", 0 < find_offset(keys.compute_idsn(peer_key), ack.number, ack.wide) < 1 << 20
            )
        if mapping is not None:
            offset = find_offset(keys.compute_idsn(key), mapping.dsn, mapping.wide)
            self.judge("DSN", 0 < offset < 1 << 20)
            dsn = (keys.compute_idsn(key) + offset) & MASK_64
            self.mappings.setdefault(way, set()).add((dsn, mapping))

    def check_sum(self, way: Way, dsn: int, mapping: Mapping) -> None:
        """The checksum of a mapping whose text is all there."""
        if mapping.checksum is None or mapping.length == 0:
            return
        there = self.text.get(way, {})
        places = range(mapping.ssn, mapping.ssn + mapping.length - mapping.fin)
        if any(place not in there for place in places):
            self.wrong["text not seen"] += 1
            return
        octets = bytes(there[place] for place in places)
        text = (Text(octets, 0, len(octets)),)
        expected = keys.compute_dss_checksum(dsn, mapping.ssn, mapping.length, text)
        self.judge("checksum", mapping.checksum == expected)


def find_offset(idsn: int, number: int, is_wide: bool) -> int:
    """From the IDSN; of a narrow number the one near it."""
    if is_wide:
        return compute_offset_64(idsn, number)
    return compute_offset_32(idsn & 0xFFFFFFFF, number, 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_octet_for_octet(path: Path) -> None:
    """emit(parse(x)) == x, IP header included; every checksum right; every option understood."""
    for packet in read_pcap(path):
        datagram = ip.parse(packet.octets)
        one = segment.parse(packet.octets, datagram)
        again = segment.emit(one, datagram.hop_limit, datagram.identification, 0, datagram.traffic_class)
        assert again.octets() == packet.octets[: datagram.end]
        assert not {type(option) for option in one.options} & {Unknown, Leftover}


@pytest.mark.clause("R8684-3.1-41", "R8684-3.1-42", "R8684-3.1-26", "R8684-3.3.1-11")
@pytest.mark.clause("R8684-3.3.3-04", "R8684-3.3.3-05", "R8684-3.2-04", "R8684-3.2-16")
@pytest.mark.clause("R8684-3.2-23", "R8684-3.4.1-13", "R8684-3.4.1-14", "R8684-3.5-03")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_it_proves(path: Path) -> None:
    """Echoed keys, tokens, HMACs, IDSNs, checksums: right but for what was damaged on the way."""
    judge = Judge(read(path))
    assert judge.wrong == BAD.get(path.stem, Counter())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_layouts_are_those_of_linux(path: Path) -> None:
    """Each option area is what the budget would have made of it, unless a middlebox wrote NOPs over it."""
    untouched = [one for one in read(path) if segment.emit_options(one.options)[-4:] != b"\1\1\1\1"]
    assert untouched
    for one in untouched:
        assert arrange(one.options) == one.options


def list_shapes(one: Segment, option: Option) -> Iterator[tuple[str, object]]:
    """What is told apart of an option: its length, the address family around it, flags of some."""
    name = type(option).__name__
    yield name, option.compute_size()
    yield name, f"v{4 if len(one.source) == 4 else 6}"
    if isinstance(option, (JoinSyn, JoinSynAck, Prio)):
        yield name, option.backup
    if isinstance(option, TcpReset):
        yield name, f"reason {option.reason}"
    if isinstance(option, Dss) and option.mapping is not None:
        yield name, "infinite" if option.mapping.length == 0 else "fin" if option.mapping.fin else "data"


def test_all_is_there() -> None:
    """Every option that Linux writes, in every length, under IPv4 and IPv6; all that can be proven, often."""
    seen: dict[str, set[object]] = {}
    verified: Counter[str] = Counter()
    for path in FILES:
        verified += Judge(read(path)).verified
        for one in read(path):
            for option in one.options:
                for name, shape in list_shapes(one, option):
                    seen.setdefault(name, set()).add(shape)
    assert seen.pop("NoOperation")
    assert seen == {
        "MaximumSegmentSize": {4, "v4", "v6"},
        "WindowScale": {3, "v4", "v6"},
        "SackPermitted": {2, "v4", "v6"},
        "Sack": {10, 18, 26, 34, "v4"},
        "Timestamps": {10, "v4", "v6"},
        "FastOpen": {2, 10, "v4"},
        "CapableSyn": {4, "v4", "v6"},
        "CapableSynAck": {12, "v4", "v6"},
        "CapableAck": {20, "v4", "v6"},
        "CapableData": {22, 24, "v4", "v6"},
        "JoinSyn": {12, "v4", "v6", False, True},
        "JoinSynAck": {16, "v4", "v6", False, True},
        "JoinAck": {24, "v4", "v6"},
        "Dss": {8, 12, 22, 26, 28, "v4", "v6", "data", "fin", "infinite"},
        "AddAddr": {16, 18, 28, 30, "v4", "v6"},
        "AddAddrEcho": {8, 10, 20, 22, "v4", "v6"},
        "RemoveAddr": {4, 5, "v4", "v6"},
        "Prio": {3, "v4", "v6", False, True},
        "Fail": {12, "v4", "v6"},
        "FastClose": {12, "v4", "v6"},
        "TcpReset": {4, "v4", "v6", "reason 0", "reason 1", "reason 3", "reason 6"},
    }
    assert {name for name, count in verified.items() if count >= 3} == {
        *("echoed key", "token", "SYN/ACK", "ACK", "ADD_ADDR", "Data ACK", "DSN", "checksum", "fast close"),
        "failed DSN",
    }
