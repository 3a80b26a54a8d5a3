"""`mptcp vectors`: the files say what the RFCs say, by encoders and digests that share no line with ours."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from scapy.layers.inet import TCP

from mptcp.errors import Malformed
from mptcp.wire import ip, segment
from mptcp.wire.segment import parse_options
from mptcp_model.answers import malformed, secrets
from mptcp_model.decoding.names import NAMES, spell_fields
from mptcp_model.vectors import FILES, FORMAT, vectors

FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16}
WORKED = json.loads((Path(__file__).parent.parent / "vectors" / "test-vectors.json").read_text())
ADDED = {8, 10, 20, 22}  # ADD_ADDR without HMAC: RFC 8684 §3.4.1
DSS = {8, 12, *(ack + dsn + sum_ for ack in (4, 8, 12) for dsn in (10, 14) for sum_ in (0, 2))}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The files, as somebody else reads them."""
    folder = tmp_path_factory.mktemp("vectors") / "new"
    vectors(folder)
    read = {path.stem: json.loads(path.read_text(encoding="ascii")) for path in sorted(folder.iterdir())}
    assert set(read) == set(FILES)
    assert all(
        list(one) == ["format", "title", "vectors"] and one["format"] == FORMAT for one in read.values()
    )
    return {name: one["vectors"] for name, one in read.items()}


def get_flags(one: dict[str, Any]) -> int:
    return sum(FLAGS[name] for name in one["flags"])


# -- options --------------------------------------------------------------------------------------


def number(digits: str) -> bytes:
    return bytes.fromhex(digits)


def encode(fields: dict[str, Any]) -> bytes:
    """An option of MPTCP from its fields, by the figures of RFC 8684 and RFC 6824."""
    name, layout = fields["option"], fields.get("layout", "")
    if name == "MP_CAPABLE":
        body = pack(">BB", fields.get("version", 0), fields["flags"])
        body += b"".join(
            number(fields[key]) for key in ("key", "sender_key", "receiver_key") if key in fields
        )
        body += pack(">H", fields["length"]) if "length" in fields else b""
        body += pack(">H", fields["checksum"]) if fields.get("checksum") is not None else b""
    elif name == "MP_JOIN":
        body = pack(">BB", 0x10 | fields.get("backup", 0), fields.get("address_id", 0))
        body += b"".join(number(fields[key]) for key in ("token", "hmac", "nonce") if key in fields)
    elif name == "DSS":
        body = encode_dss(fields)
    elif name == "ADD_ADDR":
        address = ip_address(fields["address"])
        nibble = {"AddAddr": 0, "AddAddrEcho": 1, "AddAddrV0": address.version}[layout]
        body = pack(">BB", 0x30 | nibble, fields["address_id"]) + address.packed
        body += pack(">H", fields["port"]) if fields["port"] is not None else b""
        body += number(fields.get("hmac", ""))
    elif name == "REMOVE_ADDR":
        body = b"\x40" + bytes(fields["ids"])
    elif name == "MP_PRIO":
        body = bytes((0x50 | fields["backup"], *([fields["address_id"]] if "address_id" in fields else [])))
    elif name == "MP_FAIL":
        body = b"\x60\x00" + number(fields["dsn"])
    elif name == "MP_FASTCLOSE":
        body = b"\x70\x00" + number(fields["key"])
    elif name == "MP_TCPRST":
        body = bytes((0x80 | fields["flags"], fields["reason"]))
    else:
        body = number(fields["octets"])
    return bytes((30, 2 + len(body))) + body


def encode_dss(fields: dict[str, Any]) -> bytes:
    """RFC 8684 §3.3, figure 9."""
    flags, body = 0, b""
    if "data_ack" in fields:
        flags |= 1 | (2 if len(fields["data_ack"]) == 16 else 0)
        body += number(fields["data_ack"])
    if "dsn" in fields:
        flags |= 4 | (8 if len(fields["dsn"]) == 16 else 0) | (16 if fields["fin"] else 0)
        body += number(fields["dsn"]) + pack(">IH", fields["ssn"], fields["length"])
        body += pack(">H", fields["checksum"]) if fields["checksum"] is not None else b""
    return bytes((0x20, flags)) + body


def read_by_scapy(octets: bytes) -> tuple[str, Any]:
    """What scapy makes of one option."""
    area = octets + bytes(-len(octets) % 4)
    head = pack(">HHIIBBHHH", 1, 2, 3, 4, (20 + len(area)) << 2, 16, 5, 0, 0)
    name, value = TCP(head + area).options[0]
    return str(name), value


def tell_like_scapy(fields: dict[str, Any]) -> tuple[str, Any] | None:
    """An option of TCP as scapy tells it; None for one of MPTCP."""
    match fields["option"]:
        case "NOP" | "EOL":
            return fields["option"], None
        case "MSS":
            return "MSS", fields["size"]
        case "WS":
            return "WScale", fields["shift"]
        case "SACK_PERMITTED":
            return "SAckOK", b""
        case "SACK":
            return "SAck", tuple(edge for block in fields["blocks"] for edge in block)
        case "TS":
            return "Timestamp", (fields["value"], fields["echo"])
    return None


@pytest.mark.clause(
    "R8684-3-01", "R8684-3.1-08", "R8684-3.2-02", "R8684-3.3-02", "R8684-3.4.2-05", "R8684-3.6-03"
)
def test_options(written: dict[str, list[dict[str, Any]]]) -> None:
    """Octets and fields say the same: to our parser, to figures of the RFCs, and to scapy where it knows."""
    by_scapy = 0
    for one in written["options"]:
        octets, fields = bytes.fromhex(one["octets"]), one["fields"]
        (option,) = parse_options(octets, 0, len(octets), get_flags(one), one["version"])
        assert json.loads(json.dumps(spell_fields(option))) == fields
        assert option.emit() == octets
        told = tell_like_scapy(fields)
        if told is not None:
            assert read_by_scapy(octets) == told
            by_scapy += 1
        elif fields["option"] == "TFO":
            assert octets == bytes((34, 2 + len(octets[2:]))) + number(fields["cookie"])
        else:
            assert encode(fields) == octets
    assert by_scapy > 25


def list_legal() -> Iterator[tuple[str, int, int]]:
    """Name, version and length of every option of MPTCP that there is."""
    for version in (0, 1):
        capable = {12, 20} if version == 0 else {4, 12, 20, 22, 24}
        added = ADDED if version == 0 else ADDED | {size + 8 for size in ADDED}
        lengths: dict[str, set[int]] = {
            "MP_CAPABLE": capable,
            "MP_JOIN": {12, 16, 24},
            "DSS": DSS,
            "ADD_ADDR": added,
            "REMOVE_ADDR": set(range(4, 41)),
            "MP_PRIO": {3, 4} if version == 0 else {3},
            "MP_FAIL": {12},
            "MP_FASTCLOSE": {12},
            "MP_TCPRST": set() if version == 0 else {4},
            "MP_EXPERIMENTAL": set(range(3, 41)),
        }
        for name, some in lengths.items():
            yield from ((name, version, length) for length in some)


def test_every_type_and_length_is_there(written: dict[str, list[dict[str, Any]]]) -> None:
    """Of both versions, and no other."""
    found = {
        (one["fields"]["option"], one["version"], len(one["octets"]) // 2)
        for one in written["options"]
        if one["octets"].startswith("1e")
    }
    assert found == set(list_legal())
    names = {one["fields"]["option"] for one in written["options"]}
    assert names == set(NAMES.values()) - {"UNKNOWN", "LEFTOVER"}
    layouts = {one["fields"].get("layout") for one in written["options"]}
    assert len(layouts - {None}) == 5 + 3 + 3 + 2


# -- secrets --------------------------------------------------------------------------------------


@pytest.mark.clause(
    "R8684-3.1-41", "R8684-3.1-42", "R8684-3.2-16", "R8684-3.2-23", "R8684-3.4.1-13", "R8684-3.4.1-15"
)
def test_secrets(written: dict[str, list[dict[str, Any]]]) -> None:
    """As hashlib and hmac have them."""
    assert {one["version"] for one in written["secrets"]} == {0, 1}
    for one in written["secrets"]:
        kind = hashlib.sha1 if one["version"] == 0 else hashlib.sha256
        key = {host: number(one[f"key_{host}"]) for host in "ab"}
        nonce = {host: number(one[f"nonce_{host}"]) for host in "ab"}
        for host, peer in ("ab", "ba"):
            digest = kind(key[host]).hexdigest()
            assert (one[f"token_{host}"], one[f"idsn_{host}"]) == (digest[:8], digest[-16:])
            proof = hmac.new(key[host] + key[peer], nonce[host] + nonce[peer], kind).hexdigest()
            assert one[f"hmac_{host}"] == proof
            assert one[f"syn_ack_hmac_{host}"] == proof[:16] and one[f"ack_hmac_{host}"] == proof[:40]
        assert ("add_addr" in one) == (one["version"] == 1)
        for added in one.get("add_addr", ()):
            keys = key[added["sender"]] + key["ba"["ab".index(added["sender"])]]
            message = bytes((added["address_id"],)) + ip_address(added["address"]).packed
            message += pack(">H", added["port"] or 0)
            assert added["hmac"] == hmac.new(keys, message, hashlib.sha256).hexdigest()[-16:]


@pytest.mark.parametrize("version", [0, 1])
def test_secrets_by_worked_values(version: int) -> None:
    """The same functions on the keys of tests/vectors/test-vectors.json give what stands there."""
    for one in WORKED[f"v{version}"]:
        drawn = [number(one[name]) for name in ("keyA", "keyB", "nonceA", "nonceB")]
        made = secrets.make_pair(version, *drawn)
        for host in "AB":
            low = host.lower()
            assert made[f"token_{low}"] == one[f"token{host}"] and made[f"idsn_{low}"] == one[f"idsn{host}"]
            assert made[f"hmac_{low}"] == one[f"hmac{host}_full"]
        assert (made["ack_hmac_a"], made["syn_ack_hmac_b"]) == (one["join_ack_A"], one["join_synack_B"])
        assert (made["syn_ack_hmac_a"], made["ack_hmac_b"]) == (one["rev_synack_A"], one["rev_ack_B"])


# -- checksums ------------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.3.3-05")
def test_checksums(written: dict[str, list[dict[str, Any]]]) -> None:
    """Header, text and checksum add up to 0xFFFF in ones' complement: a number that 65535 divides."""
    sizes = set()
    for one in written["checksums"]:
        text = number(one["text"])
        assert one["length"] == len(text) + one["fin"]
        whole = number(one["dsn"]) + pack(">IHH", one["ssn"], one["length"], one["checksum"]) + text
        whole += bytes(len(whole) % 2)
        assert int.from_bytes(whole, "big") % 0xFFFF == 0
        assert one["checksum"] != 0xFFFF or not any(whole)
        sizes.add(len(text))
    assert {0, 1, 2, 1_460} <= sizes


# -- malformed ------------------------------------------------------------------------------------


def test_malformed_packets(written: dict[str, list[dict[str, Any]]]) -> None:
    """Each has its verdict: where, and why; every reason for which a packet is refused is there."""
    packets = [one for one in written["malformed"] if one["kind"] == "packet"]
    for one in packets:
        octets = number(one["octets"])
        with pytest.raises(Malformed) as wrong:
            segment.parse(octets, ip.parse(octets))
        assert (wrong.value.offset, wrong.value.reason) == (one["offset"], one["reason"])
        assert one["offset"] <= len(octets)
    reasons = {one["reason"] for one in packets}
    for words in ("shorter than an IP header", "neither 4 nor 6", "header is cut", "packet is cut"):
        assert any(words in reason for reason in reasons)
    assert {"wrong TCP checksum", "wrong IPv4 header checksum", "the TCP header is cut"} <= reasons
    assert {"impossible data offset", "source route with segments left"} <= reasons


@pytest.mark.clause("R8684-3-02", "R8684-3.3-08", "R9293-3.1-08")
def test_malformed_options(written: dict[str, list[dict[str, Any]]]) -> None:
    """Each area is read as it stands there, and goes out again octet for octet."""
    areas = [one for one in written["malformed"] if one["kind"] == "options"]
    assert {one["verdict"] for one in areas} == {"skipped", "cut"}
    for one in areas:
        octets = number(one["octets"])
        found = parse_options(octets, 0, len(octets), get_flags(one), one["version"])
        assert json.loads(json.dumps([spell_fields(option) for option in found])) == one["read"]
        assert b"".join(option.emit() for option in found) == octets
        assert one["read"][-1]["option"] in ("UNKNOWN", "LEFTOVER")


CAPABLE = {("SYN",): ({12}, {4}), ("SYN", "ACK"): ({12}, {12}), ("ACK",): ({20}, {20, 22, 24})}
JOIN = {("SYN",): ({12}, {12}), ("SYN", "ACK"): ({16}, {16}), ("ACK",): ({24}, {24})}
OTHERS = {4: "REMOVE_ADDR", 5: "MP_PRIO", 6: "MP_FAIL", 7: "MP_FASTCLOSE", 8: "MP_TCPRST"}
OTHERS |= {15: "MP_EXPERIMENTAL"}


def test_lengths_by_the_rfcs() -> None:
    """An option is skipped if, and only if, the RFCs give no layout of its length."""
    legal = set(list_legal())
    for name, octets, flags, version in malformed.list_lengths():
        one = malformed.judge_area(name, octets, flags, version)
        subtype, length = int(name.split()[1].rstrip(",")), len(octets)
        if subtype < 2:
            expected = length in (CAPABLE, JOIN)[subtype][tuple(one["flags"])][version]
        elif subtype == 2:
            expected = length in (18, 20)  # with the flags A and M
        elif subtype == 3:
            expected = length in ({size + 8 for size in ADDED} if version == 1 else ADDED)  # without flag E
        else:
            expected = (OTHERS.get(subtype, ""), version, length) in legal
        assert (one["verdict"] == "legal") == expected, name


# -- the command ----------------------------------------------------------------------------------


def test_the_same_files_every_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Octet for octet, and each is named with how many vectors it has."""
    for folder in ("one", "two"):
        vectors(tmp_path / folder)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 * len(FILES) and said[0].startswith(f"{tmp_path}/one/options.json: ")
    for name in FILES:
        one, two = (tmp_path / folder / f"{name}.json" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_folder_that_cannot_be(installed: None, tmp_path: Path) -> None:
    """One sentence and exit status 1."""
    (tmp_path / "file").write_text("")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "mptcp_stack.command", "vectors", str(tmp_path / "file")]
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"mptcp: {tmp_path}/file: File exists\n"
