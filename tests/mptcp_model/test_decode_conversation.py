"""Which connection a segment is of, its numbers from 0, and what does not hold: by captures and by hand."""

import gc
import json
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from mptcp.errors import Malformed
from mptcp.keys import (
    compute_add_addr_hmac,
    compute_dss_checksum,
    compute_idsn,
    compute_join_hmac,
    compute_token,
)
from mptcp.numbers import MASK_64
from mptcp.values import Text
from mptcp.wire import segment
from mptcp.wire.addresses import AddAddr, AddAddrV0, PrioV0
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import FastClose
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.decoding import objects
from mptcp_model.decoding.captures import Frame, read_frames
from mptcp_model.decoding.conversation import KEPT_CLOSED, Conversation, Reading
from mptcp_model.decoding.sights import TCP_SUM, UNFINISHED, Sight, look

TRACES = Path(__file__).parent.parent / "traces"
FILES = sorted(TRACES.glob("*.pcap"))
A, B, C = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), bytes([10, 0, 0, 3])
KEY_A, KEY_B = b"key of A", b"key of B"
WRONG = {  # what middleboxes spoilt on the way: tests/traces/README.md
    "addaddr_bad_hmac_v4": ["the HMAC should be bc02e08f31f815f4"] * 2,
    "dss_dsn_corrupted_2nd_subflow_v4.srv": ["the DSN does not count from the IDSN of the key"],
    "mpfail_csum_2subflows_rst_v4.srv": ["checksum 392a of 4000 octets from 5001"],
    "mpfail_csum_single_subflow_v6.srv": ["checksum 490e of 4000 octets from 1001"],
    "mpjoin_synack_bad_hmac_v4": ["the HMAC should be 00c23a4c6bf0e439"],
}
SUBFLOWS = {  # of each connection, where it is not one of one
    "subflows2_csum_v4": [2],
    "subflows3_server_closes_v4": [3],
    "subflows4_fullmesh_v4": [4],
    "addaddr_v6_over_mapped_v4": [3],
    "rmaddr_flush_2signals_v4": [3],
    "tcp_fastopen_v4": [1, 1, 1],
    "connect_refused_v4": [1],
}


def see(path: Path) -> list[Sight]:
    with path.open("rb") as stream:
        return [*chain.from_iterable(look(read_frames(stream), Conversation()))]


def find_faults(sights: list[Sight]) -> list[str]:
    """All sentences about what does not hold."""
    wrong: list[str] = []
    for sight in sights:
        wrong += sight.faults
        reading = sight.reading
        if isinstance(reading, Malformed):
            wrong.append(str(reading))
        else:
            wrong += [note.fault for note in reading.notes if note.fault]
            for one in reading.sums:
                if not one.valid:
                    size, start = one.mapped.length, one.mapped.dsn
                    wrong.append(f"checksum {one.checksum:04x} of {size} octets from {start}")
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_faults_and_no_others(path: Path) -> None:
    """What a middlebox spoilt is found, everything else holds, and nothing is left unchecked."""
    sights = see(path)
    assert find_faults(sights) == WRONG.get(path.stem, [])
    readings = [one.reading for one in sights if isinstance(one.reading, Reading)]
    assert len(readings) == len(sights) > 0
    facts = [note.facts() for reading in readings for note in reading.notes]
    assert None not in [one["valid"] for one in facts if "valid" in one]
    connections = {reading.place.subflow.connection.number: reading for reading in readings}
    if path.stem in SUBFLOWS:
        found = [len(one.place.subflow.connection.subflows) for one in connections.values()]
        assert found == SUBFLOWS[path.stem]


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_as_tshark_tells_it(path: Path) -> None:
    """Streams are subflows, MPTCP streams connections, tokens tokens, and relative numbers offsets."""
    names = {
        "tcp.stream": "subflow",
        "mptcp.stream": "connection",
        "tcp.seq": "sequence_offset",
        "tcp.ack": "acknowledgment_offset",
        "tcp.len": "length",
        "mptcp.expected_token": "token",
        "mptcp.dss.dsn": "dsn_offset",
        "mptcp.ack": "data_ack_offset",
    }
    command = ["tshark", "-n", "-Tfields", "-r", str(path), *(f"-e{name}" for name in names)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    streams: dict[tuple[str, str], Any] = {}
    for line, sight in zip(shown, see(path), strict=True):
        ours = json.loads(objects.tell(sight))
        for option in ours["options"]:
            ours |= {
                name: option[name] for name in ("token", "dsn_offset", "data_ack_offset") if name in option
            }
        theirs = dict(zip(names, line.split("\t"), strict=True))
        ours["subflow"] = (ours["connection"], ours["subflow"])
        for stream in ("tcp.stream", "mptcp.stream"):
            if theirs[stream]:
                mine = streams.setdefault((stream, theirs[stream]), ours[names[stream]])
                assert mine == ours[names[stream]]
        for name in ("tcp.seq", "tcp.len"):
            assert int(theirs[name]) == ours[names[name]]
        assert int(theirs["tcp.ack"]) == (ours["acknowledgment_offset"] or 0)
        if theirs["mptcp.expected_token"]:
            assert f"{int(theirs['mptcp.expected_token']):08x}" == ours["token"]
        for name in ("mptcp.dss.dsn", "mptcp.ack"):
            if theirs[name] and "corrupted" not in path.stem:
                assert int(theirs[name]) == ours[names[name]], name
    for kind in ("tcp.stream", "mptcp.stream"):
        mine = [str(place) for (stream, _), place in streams.items() if stream == kind]
        assert len(set(mine)) == len(mine)


# -- by hand --------------------------------------------------------------------------------------


class Talk:
    """Segments of A and B, whose numbers are offsets, and what the conversation makes of them."""

    def __init__(self, isn_a: int = 1_000, isn_b: int = 2_000, port: int = 5_000) -> None:
        self.conversation = Conversation()
        self.isn = {"A": isn_a, "B": isn_b}
        self.port = port

    def make(
        self, who: str, flags: int, seq: int, ack: int, *options: Option, text: bytes = b"", start: bytes = A
    ) -> Segment:
        """A segment of A, or of B; A may speak from another address."""
        mine, theirs = self.isn[who], self.isn["BA"["AB".index(who)]]
        ends = (start, B, self.port, 80) if who == "A" else (B, start, 80, self.port)
        numbers = ((mine + seq) & 0xFFFFFFFF, (theirs + ack) & 0xFFFFFFFF if flags & ACK else 0)
        texts = (Text(text, 0, len(text)),) if text else ()
        return Segment(*ends, *numbers, flags, 500, 0, options, texts)

    def say(
        self, who: str, flags: int, seq: int, ack: int, *options: Option, text: bytes = b"", start: bytes = A
    ) -> Reading:
        """The same, read."""
        one = self.make(who, flags, seq, ack, *options, text=text, start=start)
        return self.conversation.read(self.conversation.find(one), one)

    def open(self) -> None:
        """The three packets of version 1."""
        self.say("A", SYN, 0, 0, CapableSyn(1, 0x81))
        self.say("B", SYN | ACK, 0, 1, CapableSynAck(1, 0x81, KEY_B))
        self.say("A", ACK, 1, 1, CapableAck(1, 0x81, KEY_A, KEY_B))


def make_dss(key: bytes, dsn: int, ssn: int, text: bytes, spoilt: int = 0, fin: bool = False) -> Dss:
    """A mapping from data offset ``dsn`` with its checksum, which is wrong by ``spoilt``."""
    number, length = (compute_idsn(key) + dsn) & MASK_64, len(text) + fin
    checksum = compute_dss_checksum(number, ssn, length, (Text(text, 0, len(text)),))
    return Dss(None, Mapping(number, True, ssn, length, checksum ^ spoilt, fin))


@pytest.mark.parametrize("spoilt", [0, 1])
def test_a_checksum_over_segments(spoilt: int) -> None:
    """It is judged when the last octet of the mapping comes, in whatever order, odd pieces and all."""
    talk = Talk(isn_a=0xFFFFFFFE)
    talk.open()
    text = bytes(range(1, 12))
    dss = make_dss(KEY_A, 1, 1, text, spoilt)
    assert talk.say("A", ACK, 1, 1, dss, text=text[:3]).sums == []
    last = talk.say("A", ACK, 9, 1, dss, text=text[8:])
    assert (last.sums, last.data) == ([], 9)
    whole = talk.say("A", ACK, 2, 1, text=text[1:8])
    assert [(one.mapped.plain(), one.valid) for one in whole.sums] == [((1, 1, 11), spoilt == 0)]
    assert talk.say("A", ACK, 12, 1, make_dss(KEY_A, 12, 0, b"", spoilt, fin=True)).sums[0].valid == (
        not spoilt
    )


def test_the_first_data_in_mp_capable() -> None:
    """Its mapping begins at SSN 1, one behind the IDSN."""
    talk = Talk()
    talk.open()
    checksum = compute_dss_checksum((compute_idsn(KEY_A) + 1) & MASK_64, 1, 5, (Text(b"hello", 0, 5),))
    option = CapableData(1, 0x81, KEY_A, KEY_B, 5, checksum)
    reading = talk.say("A", ACK, 1, 1, option, text=b"hello")
    assert (reading.data, [one.valid for one in reading.sums]) == (1, [True])


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        (CapableAck(1, 1, KEY_A, KEY_A), "the receiver's key is not the one that it told"),
        (CapableAck(1, 1, KEY_B, KEY_B), "the key is not the one from before"),
        (CapableAck(1, 1, KEY_A, KEY_B), ""),
        (FastClose(KEY_A), "the key is not that of the receiver"),
        (FastClose(KEY_B), ""),
        (AddAddr(1, C, 80, compute_add_addr_hmac(KEY_A, KEY_B, 1, C, 80)), ""),
        (AddAddr(1, C, None, compute_add_addr_hmac(KEY_A, KEY_B, 1, C, None)), ""),
        (AddAddr(1, C, 80, bytes(8)), "the HMAC should be "),
        (AddAddr(1, C, 80, compute_add_addr_hmac(KEY_B, KEY_A, 1, C, 80)), "the HMAC should be "),
        (Dss(DataAck((compute_idsn(KEY_B) + 1) & MASK_64, True), None), ""),
        (Dss(DataAck(compute_idsn(KEY_B) & 0xFFFFFFFF, False), None), "the Data ACK does not count from"),
        (Dss(DataAck(compute_idsn(KEY_A), True), None), "the Data ACK does not count from"),
        (Dss(None, Mapping(compute_idsn(KEY_A) + 2, True, 1, 9, None, False)), "the DSN does not count from"),
        (Dss(None, Mapping(compute_idsn(KEY_A) + 1, True, 1, 9, None, False)), ""),
    ],
)
def test_proofs(option: Option, fault: str) -> None:
    """Keys that are told again, the key of MP_FASTCLOSE, HMACs of addresses, the numbers of a DSS."""
    talk = Talk()
    talk.open()
    (note,) = talk.say("A", ACK, 1, 1, option).notes
    assert note.fault.startswith(fault) and bool(note.fault) == bool(fault)
    assert note.facts().get("valid", not fault) == (not fault)


@pytest.mark.parametrize("version", [0, 1])
def test_joins(version: int) -> None:
    """By token and HMACs, of either version; a wrong one of each is told."""
    talk = Talk()
    one, two, token = b"non1", b"non2", compute_token(KEY_B, version)
    talk.say("A", SYN, 0, 0, CapableSynV0(1, KEY_A) if version == 0 else CapableSyn(1, 1))
    talk.say("B", SYN | ACK, 0, 1, CapableSynAck(version, 1, KEY_B))
    talk.say("A", ACK, 1, 1, CapableAck(version, 1, KEY_A, KEY_B))
    proof_a = compute_join_hmac(KEY_A, KEY_B, one, two, version)
    proof_b = compute_join_hmac(KEY_B, KEY_A, two, one, version)
    syn = talk.say("A", SYN, 0, 0, JoinSyn(False, 1, token, one), start=C)
    assert (syn.place.subflow.number, syn.notes[0].facts()) == (2, {"connection": 1, "valid": True})
    answer = talk.say("B", SYN | ACK, 0, 1, JoinSynAck(False, 0, proof_b[:8], two), start=C)
    ack = talk.say("A", ACK, 1, 1, JoinAck(proof_a[:20]), start=C)
    assert [one.notes[0].facts()["valid"] for one in (answer, ack)] == [True, True]
    bad = talk.say("A", ACK, 1, 1, JoinAck(proof_b[:20]), start=C)
    assert bad.notes[0].fault == f"the HMAC should be {proof_a[:20].hex()}"
    talk.port += 1
    stranger = talk.say("A", SYN, 0, 0, JoinSyn(False, 1, token ^ 1, one), start=C)
    assert stranger.notes[0].fault == "the token is of no connection seen here"
    assert stranger.place.subflow.connection.number == 2


def test_the_other_host_joins() -> None:
    """B opens the second subflow: it is B there, too."""
    talk = Talk()
    talk.open()
    syn = talk.say("B", SYN, 0, 0, JoinSyn(False, 1, compute_token(KEY_A), b"non1"), start=C)
    assert (syn.place.direction.letter, syn.place.subflow.number) == ("B", 2)
    answer = talk.say("A", SYN | ACK, 0, 1, start=C)
    assert (answer.place.direction.letter, answer.place.direction.host.key) == ("A", KEY_A)


def make_frame(one: Segment) -> Frame:
    octets = segment.emit(one).octets()
    return 0, 101, octets, len(octets)


def test_options_of_version_0() -> None:
    """Once a connection speaks version 0 its options are read by that version's layouts."""
    talk = Talk()
    frames = [
        make_frame(talk.make("A", SYN, 0, 0, CapableSynV0(1, KEY_A))),
        make_frame(talk.make("B", SYN | ACK, 0, 1, CapableSynAck(0, 1, KEY_B))),
        make_frame(talk.make("A", ACK, 1, 1, AddAddrV0(3, C, None), PrioV0(True, 3))),
    ]
    reading = [*chain.from_iterable(look([frames], talk.conversation))][-1].reading
    assert isinstance(reading, Reading)
    assert [note.option for note in reading.notes] == [AddAddrV0(3, C, None), PrioV0(True, 3)]


def test_from_the_middle() -> None:
    """Without a beginning the first numbers seen count as 1, and what needs keys is not judged."""
    talk = Talk()
    reading = talk.say(
        "A", ACK, 700, 900, Dss(DataAck(5, True), Mapping(9, True, 700, 3, 1, False)), text=b"abc"
    )
    assert (reading.sequence, reading.acknowledgment, reading.data) == (1, 1, None)
    assert reading.notes[0].facts() == {"data_ack_offset": None, "dsn_offset": None}
    for option in (AddAddr(1, C, 80, bytes(8)), FastClose(KEY_B), JoinAck(bytes(20))):
        (note,) = talk.say("A", ACK, 703, 900, option).notes
        assert (note.facts(), note.fault) == ({"valid": None}, "")
    syn = talk.say("A", SYN, 0, 0, JoinSyn(False, 1, 7, b"nonc"), start=C)
    assert syn.notes[0].facts() == {"connection": None, "valid": None}


def test_an_answer_comes_first() -> None:
    """Where the capture begins with a SYN/ACK, its sender is B."""
    talk = Talk()
    assert talk.say("B", SYN | ACK, 0, 1, CapableSynAck(1, 1, KEY_B)).place.direction.letter == "B"
    reading = talk.say("A", ACK, 1, 1, CapableAck(1, 1, KEY_A, KEY_B))
    assert (reading.place.direction.letter, reading.sequence) == ("A", 1)


def test_ports_are_used_again() -> None:
    """A SYN with another number begins another connection; the same SYN again does not."""
    talk = Talk()
    talk.open()
    assert talk.say("A", SYN, 0, 0, CapableSyn(1, 0x81)).place.subflow.connection.number == 1
    talk.isn["A"] += 77_777
    assert talk.say("A", SYN, 0, 0, CapableSyn(1, 0x81)).place.subflow.connection.number == 2
    assert talk.conversation.connections == 2


@pytest.mark.parametrize("ending", [FIN | ACK, RST])
def test_memory_follows_open_connections(ending: int) -> None:
    """Thousands of connections that close leave no more behind than those that are kept for stragglers."""
    talk = Talk()
    for _ in range(3 * KEPT_CLOSED):
        talk.port += 1
        talk.open()
        talk.say("A", ending, 1, 1)
        talk.say("B", ending, 1, 2)
    assert talk.conversation.connections == 3 * KEPT_CLOSED
    assert len(talk.conversation.flows) == 2 * KEPT_CLOSED
    assert len(talk.conversation.tokens) == 2
    for _ in range(KEPT_CLOSED):
        talk.port += 1
        talk.say("A", SYN, 0, 0)
        talk.say("A", RST, 1, 0)
    assert (len(talk.conversation.flows), len(talk.conversation.tokens)) == (2 * KEPT_CLOSED, 0)


def test_what_is_forgotten_is_gone() -> None:
    """Connections that are forgotten leave no circles behind for the collector of garbage."""
    talk = Talk()
    gc.collect()
    gc.disable()
    try:
        for _ in range(2 * KEPT_CLOSED):
            talk.port += 1
            talk.open()
            talk.say("A", RST, 1, 1)
        assert gc.collect() < KEPT_CLOSED
    finally:
        gc.enable()


def test_mappings_are_bounded() -> None:
    """A sender that is never acknowledged, and checksums that never come true, fill no memory."""
    talk = Talk()
    talk.open()
    for place in range(1, 3_000, 2):
        talk.say("A", ACK, place, 1, make_dss(KEY_A, place, place, b"xy"))
    direction = talk.conversation.find(talk.make("A", ACK, 1, 1)).direction
    assert (len(direction.mappings), len(direction.unfinished)) == (256, 64)


# -- around the segment ---------------------------------------------------------------------------


def look_at(octets: bytes, full: int | None = None) -> list[Sight]:
    """One packet, RAW."""
    (sights,) = look([[(0, 101, octets, len(octets) if full is None else full)]], Conversation())
    return sights


def test_damaged_headers() -> None:
    """Wrong checksums are named and the segment is read all the same; one that a device fills in is told."""
    octets = segment.emit(Talk().make("A", ACK, 1, 1, text=b"hello")).octets()
    assert look_at(octets)[0].faults == ()
    assert look_at(octets[:-1] + b"\0")[0].faults == (TCP_SUM,)
    assert look_at(octets[:8] + b"\x01" + octets[9:])[0].faults == ("wrong IPv4 header checksum",)
    pending = segment.emit(Talk().make("A", ACK, 1, 1, text=b"hello"), segment_size=1_000).header + b"hello"
    assert look_at(pending)[0].faults == (UNFINISHED,)


def test_cut_by_the_capture() -> None:
    """With a small snapshot length the header is read, and the text counts but is not summed up."""
    talk = Talk()
    talk.open()
    octets = segment.emit(
        talk.make("A", ACK, 1, 1, make_dss(KEY_A, 1, 1, b"hello" * 9), text=b"hello" * 9)
    ).octets()
    frames = [(0, 101, octets[:80], len(octets))]
    ((sight,),) = look([frames], talk.conversation)
    reading, faults = sight.reading, sight.faults
    assert isinstance(reading, Reading)
    assert (reading.segment.text_length, reading.data, reading.sums) == (45, 1, [])
    assert faults == (f"cut by the capture: 60 of {len(octets) - 20} octets are here",)
    malformed = look_at(octets[:50], len(octets))[0].reading
    assert isinstance(malformed, Malformed) and "cut the TCP header" in malformed.reason


def test_what_is_no_tcp() -> None:
    """UDP, ARP, and fragments behind the first are left out; what is no IP is said so."""
    octets = segment.emit(Talk().make("A", ACK, 1, 1)).octets()
    udp = octets[:9] + b"\x11" + octets[10:]
    later = octets[:6] + b"\x00\x10" + octets[8:]
    assert look_at(udp) == look_at(later) == look_at(udp[:30], 40) == []
    malformed = look_at(b"\x00" * 40)[0].reading
    assert isinstance(malformed, Malformed)
