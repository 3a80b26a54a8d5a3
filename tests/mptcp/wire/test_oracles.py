"""Packets of Linux as tshark and scapy read them: every field that they show is the field that we have.

The oracles share no line with us nor with each other. What tshark derives by itself (times, streams,
scaled windows) is left out by name; a name that is in neither list fails the test, so that no field of
an option goes by unread.
"""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from mptcp.keys import compute_idsn, compute_token
from mptcp.numbers import MASK_32, MASK_64
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
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
from mptcp.wire.ip import Datagram
from mptcp.wire.options import (
    FastOpen,
    MaximumSegmentSize,
    NoOperation,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
)
from mptcp.wire.segment import Segment
from mptcp_model.simulated.capture import read_pcap

FILES = sorted((Path(__file__).parent.parent.parent / "traces").glob("*.pcap"))
TSHARK = [
    "tshark",
    "-n",
    "-Tjson",
    "-Jip ipv6 tcp",
    *("-otcp.relative_sequence_numbers:FALSE", "-otcp.analyze_sequence_numbers:FALSE"),
    *("-otcp.check_checksum:TRUE", "-oip.check_checksum:TRUE", "-omptcp.relative_sequence_numbers:FALSE"),
]
DERIVED = {
    *("ip.addr", "ip.host", "ip.src_host", "ip.dst_host", "ip.checksum_calculated", "ip.hdr_len"),
    *("ipv6.addr", "ipv6.host", "ipv6.src_host", "ipv6.dst_host", "tcp.port", "tcp.stream", "ip.version"),
    *("tcp.completeness", "tcp.nxtseq", "tcp.flags.str", "tcp.window_size", "tcp.window_size_scalefactor"),
    *("tcp.time_delta", "tcp.time_relative", "tcp.checksum_calculated", "mptcp.master", "mptcp.stream"),
    *("mptcp.analysis.subflows", "tcp.options.wscale.multiplier", "tcp.payload"),
    *("tcp.options.sack.dsack_le", "tcp.options.sack.dsack_re"),  # only told from order, which SACK has
}
Pairs = list[tuple[str, Any]]


def list_leaves(pairs: Pairs) -> Iterator[tuple[str, str]]:
    """All names with what tshark shows, experts' remarks left out."""
    for name, shown in pairs:
        if isinstance(shown, list):
            if name != "_ws.expert":
                yield from list_leaves(shown)
        else:
            yield name, shown


def read_shown(shown: str, like: object) -> object:
    """What tshark shows, as our own value ``like`` is written."""
    if isinstance(like, bytes):
        return bytes.fromhex(shown.replace(":", ""))
    if isinstance(like, int):
        return int(shown, 0)
    return shown


@cache
def is_known_version() -> bool:
    """Whether tshark is of the version whose names stand here; another may have more of them."""
    asked = subprocess.run(["tshark", "--version"], capture_output=True, text=True, check=True)
    return asked.stdout.startswith("TShark (Wireshark) 4.0.")


def compare(leaves: list[tuple[str, str]], ours: dict[str, Any]) -> None:
    """Assert that all leaves are ours and all of ours are there. Several values are a list."""
    left = {name: list(value) if isinstance(value, list) else [value] for name, value in ours.items()}
    for name, shown in leaves:
        if name in DERIVED or (name not in ours and not is_known_version()):
            continue
        assert left.get(name), f"{name} is {shown}, says tshark"
        value = left[name].pop(0)
        assert (name, read_shown(shown, value)) == (name, value)
    assert not [name for name, values in left.items() if values], "tshark does not show these"


def describe_ip(packet: bytes, datagram: Datagram) -> dict[str, Any]:
    """The header as tshark names it."""
    ours: dict[str, Any] = {}
    if datagram.version == 4:
        kind, addresses = "ip", datagram.identification
        ours |= {"ip.id": addresses, "ip.len": datagram.end, "ip.proto": datagram.protocol}
        ours |= {"ip.ttl": datagram.hop_limit, "ip.dsfield": datagram.traffic_class, "ip.flags": 2}
        ours |= {"ip.dsfield.dscp": datagram.traffic_class >> 2, "ip.dsfield.ecn": datagram.traffic_class & 3}
        ours |= {"ip.flags.rb": 0, "ip.flags.df": 1, "ip.flags.mf": 0, "ip.frag_offset": 0}
        ours |= {"ip.checksum": int.from_bytes(packet[10:12], "big"), "ip.checksum.status": 1}
    else:
        kind = "ipv6"
        ours |= {"ipv6.version": 6, "ipv6.tclass": datagram.traffic_class, "ipv6.plen": datagram.end - 40}
        ours |= {"ipv6.tclass.dscp": datagram.traffic_class >> 2}
        ours |= {"ipv6.tclass.ecn": datagram.traffic_class & 3, "ipv6.flow": datagram.identification}
        ours |= {"ipv6.nxt": datagram.protocol, "ipv6.hlim": datagram.hop_limit}
    ours[f"{kind}.src"] = str(ip_address(datagram.source))
    ours[f"{kind}.dst"] = str(ip_address(datagram.destination))
    return ours


def describe_tcp(one: Segment, packet: bytes, datagram: Datagram) -> dict[str, Any]:
    """The header without its options as tshark names it."""
    start = datagram.start
    flags = ("fin", "syn", "reset", "push", "ack", "urg", "ece", "cwr")
    area = segment.emit_options(one.options)
    ours: dict[str, Any] = {f"tcp.flags.{name}": one.flags >> bit & 1 for bit, name in enumerate(flags)}
    ours |= {"tcp.flags": one.flags, "tcp.flags.ae": 0, "tcp.flags.res": 0, "tcp.hdr_len": 20 + len(area)}
    ours |= {"tcp.srcport": one.source_port, "tcp.dstport": one.destination_port, "tcp.len": one.text_length}
    ours |= {"tcp.seq": one.sequence, "tcp.seq_raw": one.sequence}
    ours |= {"tcp.ack": one.acknowledgment, "tcp.ack_raw": one.acknowledgment}
    ours |= {"tcp.window_size_value": one.window, "tcp.urgent_pointer": one.urgent}
    ours |= {"tcp.checksum": int.from_bytes(packet[start + 16 : start + 18], "big")}
    ours |= {"tcp.checksum.status": 1}
    if area:
        ours["tcp.options"] = area
    return ours


def number(octets: bytes) -> int:
    """Keys, nonces and short HMACs are numbers to tshark."""
    return int.from_bytes(octets, "big")


def describe_option(option: Option) -> dict[str, Any]:
    """An option of plain TCP as tshark names its fields."""
    octets = option.emit()
    if isinstance(option, NoOperation):
        return {"tcp.option_kind": 1}
    ours: dict[str, Any] = {"tcp.option_kind": octets[0], "tcp.option_len": len(octets)}
    match option:
        case MaximumSegmentSize(size):
            ours["tcp.options.mss_val"] = size
        case WindowScale(shift):
            ours["tcp.options.wscale.shift"] = shift
        case SackPermitted():
            pass
        case Sack(blocks):
            ours["tcp.options.sack.count"] = len(blocks)
            ours["tcp.options.sack_le"] = [left for left, _ in blocks]
            ours["tcp.options.sack_re"] = [right for _, right in blocks]
        case Timestamps(value, echo):
            ours |= {"tcp.options.timestamp.tsval": value, "tcp.options.timestamp.tsecr": echo}
        case FastOpen(b""):
            ours["tcp.options.tfo.request"] = ""
        case FastOpen(cookie):
            ours["tcp.options.tfo.cookie"] = cookie
        case _:
            for name, value in describe_multipath(option).items():
                ours[name[1:] if name[0] == "/" else f"tcp.options.mptcp.{name}"] = value
            ours["tcp.options.mptcp.subtype"] = octets[2] >> 4
    return ours


def describe_multipath(option: Option) -> dict[str, Any]:
    """An MPTCP option as tshark names its fields, less their usual beginning; after ``/`` all of the name."""
    match option:
        case CapableSyn(version, flags):
            return describe_capable(version, flags)
        case CapableSynAck(version, flags, key):
            return describe_capable(version, flags) | describe_key(key)
        case CapableAck(version, flags, key, peer_key):
            return describe_capable(version, flags) | describe_key(key) | {"recvkey": number(peer_key)}
        case CapableData(version, flags, key, peer_key, length, checksum):
            ours = describe_capable(version, flags) | describe_key(key) | {"recvkey": number(peer_key)}
            return ours | {"datalvllen": length} | ({} if checksum is None else {"checksum": checksum})
        case JoinSyn(backup, address_id, token, nonce):
            ours = {"flags": 0x10 | backup, "backup.flag": int(backup), "addrid": address_id}
            return ours | {"recvtok": token, "sendrand": number(nonce)}
        case JoinSynAck(backup, address_id, hmac, nonce):
            ours = {"flags": 0x10 | backup, "backup.flag": int(backup), "addrid": address_id}
            return ours | {"sendtrunchmac": number(hmac), "sendrand": number(nonce)}
        case JoinAck(hmac):
            return {"reserved": 0, "sendhmac": hmac}
        case Dss():
            return describe_dss(option)
        case AddAddr(address_id, address, port, hmac):
            return describe_address(0, address_id, address, port) | {"addaddrtrunchmac": number(hmac)}
        case AddAddrEcho(address_id, address, port):
            return describe_address(1, address_id, address, port)
        case RemoveAddr(ids):
            return {"/mptcp.rm_addr.count": len(ids), "addrid": list(ids)}
        case Prio(backup):
            return {"flags": 0x50 | backup, "backup.flag": int(backup)}
        case Fail(dsn):
            return {"reserved": 0, "rawdataseqno": dsn}
        case FastClose(key):
            return {"reserved": 0, "recvkey": number(key)}
        case TcpReset(flags, reason):
            ours = {"flags": 0x80 | flags, "rst_reason": reason, "flag_T.flag": flags & 1}
            return ours | {f"flag_{name}.flag": 0 for name in "UVW"}
    raise AssertionError(f"{option!r} is in no capture")


def describe_capable(version: int, flags: int) -> dict[str, Any]:
    """What all layouts of MP_CAPABLE share."""
    ours = {"version": version, "flags": flags, "checksumreq.flags": flags >> 7, "reserved.flag": 0}
    ours |= {"extensibility.flag": flags >> 6 & 1, "nomoresubflows.flag": flags >> 5 & 1}
    return ours | {"sha256.flag": flags & 1}


def describe_key(key: bytes) -> dict[str, Any]:
    """A sender's key, and what tshark makes of it: token and IDSN."""
    made = {"/mptcp.expected_token": compute_token(key), "/mptcp.expected_idsn": compute_idsn(key)}
    return {"sendkey": number(key)} | made


def describe_address(echo: int, address_id: int, address: bytes, port: int | None) -> dict[str, Any]:
    """What ADD_ADDR and its echo share."""
    ours = {"echo": echo, "addrid": address_id}
    ours[f"ipv{4 if len(address) == 4 else 6}"] = str(ip_address(address))
    return ours if port is None else ours | {"port": port}


def describe_dss(option: Dss) -> dict[str, Any]:
    """DSS; of its checksum, which tshark does not show, test_traces.py asks more."""
    ack, mapping = option.ack, option.mapping
    flags = option.emit()[3]
    names = ("dataackpresent", "dataack8", "dseqnpresent", "dseqn8", "datafin")
    ours: dict[str, Any] = {f"{name}.flag": flags >> bit & 1 for bit, name in enumerate(names)}
    ours["flags"] = flags
    if ack is not None:
        ours["rawdataack"] = ack.number
    if mapping is not None:
        ours |= {"rawdataseqno": mapping.dsn, "subflowseqno": mapping.ssn, "datalvllen": mapping.length}
    return ours


WHOLE = {"mptcp.ack", "mptcp.dss.dsn"}
"""Numbers that tshark extends to 64 bits by what it has seen before."""


def check_whole(tree: dict[str, str], option: Option) -> None:
    """What tshark extends has our number as its lower half, or is it."""
    if isinstance(option, Dss):
        ack, mapping = option.ack, option.mapping
        if ack is not None:
            assert int(tree["mptcp.ack"]) & (MASK_64 if ack.wide else MASK_32) == ack.number
        if mapping is not None and mapping.length > 0:
            assert int(tree["mptcp.dss.dsn"]) & (MASK_64 if mapping.wide else MASK_32) == mapping.dsn


@cache
def read(path: Path) -> list[tuple[bytes, Datagram, Segment]]:
    """The packets of a capture, parsed."""
    found = []
    for packet in read_pcap(path):
        datagram = ip.parse(packet.octets)
        found.append((packet.octets, datagram, segment.parse(packet.octets, datagram)))
    return found


def ask_tshark(path: Path) -> list[dict[str, Pairs]]:
    """The layers of each packet."""
    asked = subprocess.run([*TSHARK, "-r", path], capture_output=True, text=True, check=True)
    packets = json.loads(asked.stdout, object_pairs_hook=list)
    return [dict(dict(dict(packet)["_source"])["layers"]) for packet in packets]


@pytest.mark.needs("tshark")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_tshark(path: Path) -> None:
    """Each packet, each header, each option, each field."""
    ours, theirs = read(path), ask_tshark(path)
    assert len(ours) == len(theirs) > 1
    for (packet, datagram, one), layers in zip(ours, theirs, strict=True):
        shown = list(list_leaves(layers["ip" if datagram.version == 4 else "ipv6"]))
        compare(shown, describe_ip(packet, datagram))
        outside = [pair for pair in layers["tcp"] if pair[0] != "tcp.options_tree"]
        compare(list(list_leaves(outside)), describe_tcp(one, packet, datagram))
        trees = [
            list(list_leaves(shown))
            for name, shown in dict(layers["tcp"]).get("tcp.options_tree", [])
            if name == "mptcp" or name.endswith("_tree")
        ]
        assert len(trees) == len(one.options)
        for tree, option in zip(trees, one.options, strict=True):
            compare([leaf for leaf in tree if leaf[0] not in WHOLE], describe_option(option))
            check_whole(dict(tree), option)


def rebuild(option: Option) -> tuple[Any, Any]:
    """An option as scapy has it; of an MPTCP option it knows the octets alone."""
    match option:
        case MaximumSegmentSize(size):
            return ("MSS", size)
        case WindowScale(shift):
            return ("WScale", shift)
        case SackPermitted():
            return ("SAckOK", b"")
        case NoOperation():
            return ("NOP", None)
        case Sack(blocks):
            return ("SAck", tuple(edge for block in blocks for edge in block))
        case Timestamps(value, echo):
            return ("Timestamp", (value, echo))
        case FastOpen(b""):
            return ("TFO", b"")
        case FastOpen(cookie):
            return ("TFO", (number(cookie[:4]), number(cookie[4:])))
    return (30, option.emit()[2:])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scapy(path: Path) -> None:
    """Each header and each option that scapy knows; the same checksums when it writes the packet."""
    for packet, datagram, one in read(path):
        theirs = (IP if datagram.version == 4 else IPv6)(packet)
        tcp = theirs[TCP]
        assert (tcp.sport, tcp.dport) == (one.source_port, one.destination_port)
        assert (tcp.seq, tcp.ack, tcp.flags) == (one.sequence, one.acknowledgment, one.flags)
        assert (tcp.window, tcp.urgptr) == (one.window, one.urgent)
        assert tcp.options == [rebuild(option) for option in one.options]
        assert (theirs.src, theirs.dst) == tuple(map(str, map(ip_address, (one.source, one.destination))))
        size = len(bytes(tcp.payload)) - (len(packet) - datagram.end)
        assert size == one.text_length
        del tcp.chksum
        if datagram.version == 4:
            del theirs.chksum
        again = segment.emit(one, datagram.hop_limit, datagram.identification, 0, datagram.traffic_class)
        assert again.octets() == bytes(theirs)[: datagram.end]
