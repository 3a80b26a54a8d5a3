"""`mptcp decode`: what it prints for people and for programs, from files, pipes and typed octets."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mptcp.errors import Refused
from mptcp.wire import segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import CapableSyn, JoinAck, JoinSyn
from mptcp.wire.options import NOP, EndOfList, FastOpen, Leftover, Option, Sack, Timestamps, Unknown
from mptcp.wire.segment import ACK, SYN, URG, Segment
from mptcp_model.decode import decode
from mptcp_model.decoding import objects
from mptcp_model.decoding.captures import Frame
from mptcp_model.decoding.conversation import Conversation
from mptcp_model.decoding.lines import Lines, Paint
from mptcp_model.decoding.names import NAMES, spell_fields
from mptcp_model.decoding.proofs import MULTIPATH, Offsets
from mptcp_model.decoding.sights import look

TRACES = Path(__file__).parent.parent / "traces"
FILES = sorted(TRACES.glob("*.pcap"))
A, B = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def run(*arguments: str, octets: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """The command in a process of its own, with ``octets`` at its standard input."""
    command = [sys.executable, "-m", "mptcp_stack.command", "decode", *arguments]
    path = os.pathsep.join(sys.path)
    return subprocess.run(command, input=octets, capture_output=True, env=os.environ | {"PYTHONPATH": path})


def tell(capsysbinary: pytest.CaptureFixture[bytes], what: str, *options: object) -> str:
    """What the command prints, in this process."""
    as_json, count, connection = (*options, *(False, None, None)[len(options) :])
    decode(what, as_json, count, connection)  # type: ignore[arg-type]
    return capsysbinary.readouterr().out.decode()


def make_frame(*options: Option, flags: int = ACK) -> Frame:
    """A segment with these options, RAW."""
    octets = segment.emit(Segment(A, B, 1, 2, 3, 4, flags, 5, 6, options, ())).octets()
    return 1_000_000_007, 101, octets, len(octets)


# -- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_objects(path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """One object a line, in the order of the frames, each with the same fields."""
    told = [json.loads(line) for line in tell(capsysbinary, str(path), True).splitlines()]
    numbers = [one["frame"] for one in told]
    assert numbers == sorted(set(numbers)) and numbers
    usual = list(told[0])
    for one in told:
        assert [name for name in one if name not in ("urgent", "sums", "faults")] == usual
        assert one["from"] in "AB" and one["connection"] >= 1 and one["subflow"] >= 1
        assert (one["acknowledgment"] is None) == ("ACK" not in one["flags"])
    lines = tell(capsysbinary, str(path)).splitlines()
    assert lines[-1].startswith(f"{len(told)} segments, {max(one['connection'] for one in told)} connection")


def test_the_fields_of_one_segment(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """In full, as docs/decode.rst has them."""
    line = tell(capsysbinary, str(TRACES / "subflows2_csum_v4.pcap"), True).splitlines()[3]
    told = json.loads(line)
    key, checksum = told["options"][3].pop("sender_key"), told["options"][3].pop("checksum")
    assert len(key) == 16 and 0 <= checksum <= 0xFFFF
    assert told.pop("time") > 1.7e9 and told.pop("sequence") and told.pop("acknowledgment")
    assert told["options"][3].pop("receiver_key") and told["options"][2].pop("value")
    assert told["options"][2].pop("echo") and len(told["options"][3].pop("idsn")) == 16
    assert told.pop("sums") == [{"ssn": 1, "dsn": 1, "length": 1000, "checksum": checksum, "valid": True}]
    assert told == {
        **{"frame": 4, "connection": 1, "subflow": 1, "from": "A"},
        **{"source": "10.9.1.1", "source_port": told["source_port"]},
        **{"destination": "10.9.1.2", "destination_port": 4433, "flags": ["PSH", "ACK"]},
        **{"sequence_offset": 1, "acknowledgment_offset": 1, "window": 63, "window_octets": 64512},
        **{"length": 1000, "data_offset": 1},
        "options": [
            {"option": "NOP"},
            {"option": "NOP"},
            {"option": "TS"},
            {
                **{"option": "MP_CAPABLE", "layout": "CapableData", "version": 1, "flags": 129},
                **{"length": 1000, "token": "c7cb922d", "valid": True},
            },
        ],
    }


@pytest.mark.parametrize("fault", ["", 'no "good"'])
@pytest.mark.parametrize("offset", [None, 5])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("checksum", [None, 0, 0xFFFF])
@pytest.mark.parametrize("which", [1, 2, 3])
def test_hand_made_text(fault: str, offset: int | None, wide: bool, checksum: int | None, which: int) -> None:
    """A DSS put together by hand is what ``json`` makes of its fields."""
    ack = DataAck(0x00FF, wide) if which & 1 else None
    mapping = Mapping(0x0ABC, wide, 1, 2, checksum, wide) if which & 2 else None
    option = Dss(ack, mapping)
    note = Offsets(option, offset, offset, fault)
    told = json.loads(objects.tell_dss(note))
    assert told == spell_fields(option) | note.facts() | ({"fault": fault} if fault else {})
    assert ("data_ack_offset" in told, "dsn_offset" in told) == (ack is not None, mapping is not None)


CUT = b"\x45\0\0\x29" + bytes(5) + b"\x06" + bytes(11)  # 21 octets of an IPv4 packet of 41
EVERY: list[Option] = [
    Timestamps(1, 2),
    Sack(((1, 2), (3, 4))),
    FastOpen(b"cook"),
    Unknown(200, b"ab"),
    JoinAck(bytes(20)),
    AddAddr(1, A, 80, bytes(8)),
    AddAddrEcho(1, bytes(16), None),
    RemoveAddr((1, 2)),
    Prio(True),
    Fail(7),
    FastClose(bytes(8)),
    TcpReset(1, 9),
    Experimental(b"\xf0x"),
    Leftover(b"\x1e\x63\0\0"),
    EndOfList(b""),
]


@pytest.mark.parametrize("option", EVERY, ids=lambda option: type(option).__name__)
def test_every_option(option: Option) -> None:
    """Each has its name and its fields, in JSON and in words."""
    ((sight,),) = look([[make_frame(option)]], Conversation())
    told = json.loads(objects.tell(sight))["options"][0]
    fields = json.loads(json.dumps(spell_fields(option)))
    if isinstance(option, EndOfList):
        fields["padding"] = "000000"
    assert told | fields == told and told["option"] == NAMES[type(option)]
    words = Lines(Paint(Console(file=io.StringIO()))).tell(sight)
    if type(option) in MULTIPATH:
        assert f" {NAMES[type(option)]} " in words


def test_every_option_has_a_name() -> None:
    """Of the tables none forgets a class."""
    import mptcp.wire.segment  # noqa: F401  # all of them are loaded

    classes = set(Option.__subclasses__())
    assert classes == set(NAMES)
    assert {one for one in classes if NAMES[one].startswith(("MP_", "ADD", "REM", "DSS"))} == MULTIPATH
    assert spell_fields(AddAddrV0(1, B, None))["address"] == "10.0.0.2"
    assert spell_fields(PrioV0(True, 3)) == {
        **{"option": "MP_PRIO", "layout": "PrioV0", "backup": True, "address_id": 3}
    }


def test_rare_things() -> None:
    """Urgent pointers and malformed packets have fields of their own; nanoseconds are kept."""
    ((one, two),) = look([[make_frame(flags=URG | ACK), (1, 101, CUT, 21)]], Conversation())
    told = json.loads(objects.tell(one))
    assert (told["urgent"], told["flags"]) == (6, ["ACK", "URG"])
    assert '"time":1.000000007,' in objects.tell(one)
    assert json.loads(objects.tell(two))["malformed"] == {"offset": 21, "reason": "the IPv4 packet is cut"}
    assert "✗ malformed: the IPv4 packet is cut (at octet 21)" in Lines(Paint(Console())).tell(two)


# -- words ----------------------------------------------------------------------------------------


def test_words(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Subflows are introduced, options spelled out, what does not hold is marked, and the end sums up."""
    told = tell(capsysbinary, str(TRACES / "addaddr_bad_hmac_v4.pcap"))
    assert told.startswith("connection 1, subflow 1  A 10.9.1.1:33354  B 10.9.1.2:4433\n     1    0.000000")
    assert told.count("✗ the HMAC should be bc02e08f31f815f4\n") == 2
    assert told.endswith("68 segments, 1 connection; what does not hold: 2 (✗)\n")
    told = tell(capsysbinary, str(TRACES / "subflows3_server_closes_v4.pcap"))
    assert [line[14:23] for line in told.splitlines() if line.startswith("connection")] == [
        f"subflow {number}" for number in (1, 2, 3)
    ]
    assert "of connection 1 ✓\n" in told and "nothing that does not hold\n" in told


def test_colours() -> None:
    """Where the console has some."""
    frame = make_frame(JoinSyn(False, 1, 2, b"nonc"), flags=SYN)
    plain = Lines(Paint(Console(file=io.StringIO())))
    bright = Lines(Paint(Console(force_terminal=True, color_system="truecolor")))
    ((sight,),) = look([[frame]], Conversation())
    words = [lines.tell(sight) for lines in (plain, bright)]
    assert "\x1b[" not in words[0] and "\x1b[1m" in words[1]


def test_some_of_it(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The first few, those of one connection, and both."""
    path = str(TRACES / "tcp_fastopen_v4.pcap")
    every = tell(capsysbinary, path, True).splitlines()
    third = [line for line in every if json.loads(line)["connection"] == 3]
    assert tell(capsysbinary, path, True, 4).splitlines() == every[:4]
    assert tell(capsysbinary, path, True, None, 3).splitlines() == third
    assert tell(capsysbinary, path, True, 2, 3).splitlines() == third[:2]


# -- octets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", ["1e040181", "1e 04 01 81", "1e:04:01:81", "0x1e, 0x04, 0x01, 0x81", r"\x1e\x04\x01\x81"]
)
def test_options_alone(words: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """However they are spelled."""
    assert tell(capsysbinary, words) == "MP_CAPABLE   version 1, flags AH\n"
    option = spell_fields(CapableSyn(1, 0x81))
    assert json.loads(tell(capsysbinary, words, True)) == {"flags": ["SYN"], "options": [option]}


def test_a_packet(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """With an Ethernet header before it, with none, and without its own IP header."""
    octets = make_frame(NOP, NOP, NOP, CapableSyn(1, 1), flags=SYN)[2]
    bare = json.loads(tell(capsysbinary, octets.hex(), True))
    assert json.loads(tell(capsysbinary, (bytes(12) + b"\x08\x00" + octets).hex(), True)) == bare
    assert (bare["source"], bare["flags"], bare["options"][3]["version"]) == ("10.0.0.1", ["SYN"], 1)
    told = json.loads(tell(capsysbinary, octets[20:].hex(), True))
    assert told["options"] == bare["options"] and told["source_port"] == 1
    words = tell(capsysbinary, octets[20:].hex())
    assert words.startswith("port 1 → 2  SYN  sequence 3  acknowledgment 4  window 5  0 octets\n")
    assert tell(capsysbinary, "00") == "padding\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("1e0", "1e0 is neither a file nor octets in hexadecimal"),
        ("", " is neither a file nor octets in hexadecimal"),
        ("45" + "00" * 8 + "06" + "00" * 10, "these octets are a packet that cannot be read"),
        ("00" * 45, "these octets cannot be read: impossible data offset"),
        ("0102030405" * 3, "these octets cannot be read: neither a packet, nor a segment, nor options"),
    ],
)
def test_octets_that_are_nothing(words: str, sentence: str) -> None:
    """One sentence says what was tried."""
    with pytest.raises(Refused) as refused:
        decode(words)
    assert refused.value.reason.startswith(sentence)


# -- as a command ---------------------------------------------------------------------------------


def test_from_a_pipe(installed: None) -> None:
    """Gzip'd or not, the same as from the file."""
    octets = (TRACES / "csum_both_v6.pcap").read_bytes()
    straight = run(str(TRACES / "csum_both_v6.pcap"), "--json")
    assert straight.returncode == 0 and straight.stdout.count(b"\n") == 26
    for piped in (octets, gzip.compress(octets)):
        assert run("-", "--json", octets=piped).stdout == straight.stdout


def test_a_pipe_is_followed(installed: None) -> None:
    """What has come is told before more comes."""
    octets = (TRACES / "basic_v4.pcap").read_bytes()
    command = [sys.executable, "-m", "mptcp_stack.command", "decode", "-", "--json"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(octets[:300])
        process.stdin.flush()
        assert [json.loads(process.stdout.readline())["frame"] for _ in range(2)] == [1, 2]
        process.stdin.write(octets[300:])
        process.stdin.close()
        assert process.stdout.read().count(b"\n") == 24
    assert process.returncode == 0


def test_whoever_reads_has_seen_enough(installed: None, tmp_path: Path) -> None:
    """`mptcp decode … | head -1` ends without a word."""
    octets = (TRACES / "bulk_200k_v4.pcap").read_bytes()
    (tmp_path / "long.pcap").write_bytes(octets + octets[24:] * 20)
    command = f"'{sys.executable}' -m mptcp_stack.command decode '{tmp_path}/long.pcap' | head -1"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(["sh", "-c", command], capture_output=True, env=environment)
    assert (ended.stdout.count(b"\n"), ended.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("octets", "segments", "sentence"),
    [
        (b"", 0, "is empty"),
        (b"<html>\n" * 99, 0, "is neither a pcap nor a pcapng file"),
        (bytes(range(256)) * 9, 0, "is neither a pcap nor a pcapng file"),
        (None, 25, "ends in the middle of frame 26"),
    ],
)
def test_bad_input(
    installed: None, tmp_path: Path, octets: bytes | None, segments: int, sentence: str
) -> None:
    """What can be read is told, then one sentence, and the exit status is 1."""
    path = tmp_path / "bad.pcap"
    path.write_bytes((TRACES / "basic_v4.pcap").read_bytes()[:-1] if octets is None else octets)
    for options in (["--json"], []):
        ended = run(str(path), *options)
        assert (ended.returncode, ended.stderr.decode()) == (1, f"mptcp: {path} {sentence}\n")
        assert sum(b'"frame"' in line or b"win" in line for line in ended.stdout.splitlines()) == segments


@pytest.mark.parametrize("what", ["/nowhere/at.pcap", "."])
def test_no_file(installed: None, what: str) -> None:
    """A sentence as well."""
    ended = run(what)
    assert ended.returncode == 1 and ended.stderr.count(b"\n") == 1 and b"Traceback" not in ended.stderr


def test_a_link_type_that_nobody_knows(installed: None, tmp_path: Path) -> None:
    """It is named."""
    octets = bytearray((TRACES / "basic_v4.pcap").read_bytes())
    octets[20] = 127
    (tmp_path / "radio.pcap").write_bytes(octets)
    ended = run(str(tmp_path / "radio.pcap"))
    assert ended.returncode == 1 and b"link type 127, which are not read here" in ended.stderr


def test_help(installed: None) -> None:
    """With examples."""
    words = run("--help").stdout.decode()
    assert "mptcp decode trace.pcap -n 20" in words and "FILE|HEX" in words
