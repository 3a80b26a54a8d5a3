"""A scribe reads segments as a person does: numbers from 0, options by name, data by its own count.

What a reader keeps in mind, a conversation keeps (mptcp_model.decoding): where each direction's sequence
numbers began, and, once the keys were seen, where its data sequence numbers did. For directions whose
beginning it has not seen, the first number seen counts as 1.
"""

from typing import Final, NamedTuple

from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
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
from mptcp.wire.options import (
    EndOfList,
    FastOpen,
    Leftover,
    MaximumSegmentSize,
    NoOperation,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
)
from mptcp.wire.segment import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, Segment
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.proofs import Facts, Offsets
from mptcp_model.decoding.records import End

FLAG_NAMES: Final = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
)
CAPABLE_LETTERS: Final = ((0x80, "A"), (0x40, "B"), (0x20, "C"), (0x01, "H"))


class Numbers(NamedTuple):
    """A segment's numbers, counted from the beginning of their streams; None where it has none."""

    sequence: int
    acknowledgment: int | None
    data: int | None  # data offset of the text's first octet
    data_ack: int | None


class Scribe:
    """Puts segments into words, as one conversation makes them out."""

    def __init__(self) -> None:
        self._conversation: Final = Conversation()

    def read(self, segment: Segment) -> Numbers:
        """Take note of ``segment`` and count its numbers from 0."""
        return get_numbers(self._read(segment))

    def describe(self, segment: Segment) -> str:
        """One line: flags, numbers, window, options."""
        reading = self._read(segment)
        words = spell_flags(segment.flags)
        length = f"+{segment.text_length}" if segment.text_length else ""
        words.append(f"{reading.sequence}{length}")
        if reading.acknowledgment is not None:
            words.append(f"ack {reading.acknowledgment}")
        words.append(f"win {segment.window}")
        notes = {id(note.option): note.facts() for note in reading.notes}
        options = [spell(option, notes.get(id(option), {})) for option in segment.options]
        spelled = ", ".join(word for word in options if word)
        return " ".join(words) + (f" <{spelled}>" if spelled else "")

    def _read(self, segment: Segment) -> Reading:
        return self._conversation.read(self._conversation.find(segment), segment)


def get_numbers(reading: Reading) -> Numbers:
    """The numbers of a reading; a Data ACK as it is where the key was not seen."""
    data_ack: int | None = None
    for note in reading.notes:
        if isinstance(note, Offsets) and note.dss.ack is not None:
            data_ack = note.dss.ack.number if note.ack is None else note.ack
    return Numbers(reading.sequence, reading.acknowledgment, reading.data, data_ack)


def get_offset(facts: Facts, name: str, number: int) -> int:
    """A number of an option counted from 0, or as it is where that cannot be."""
    offset = facts[name]
    return offset if isinstance(offset, int) else number


def spell(option: Option, facts: Facts) -> str:
    """One option, short; "" for padding."""
    if isinstance(option, Dss):
        return spell_dss(option, facts)
    if isinstance(option, Fail):
        return f"MP_FAIL(at {get_offset(facts, 'dsn_offset', option.dsn)})"
    return spell_option(option)


def spell_dss(dss: Dss, facts: Facts) -> str:
    """A DSS in data offsets: what it acknowledges, and ``dsn+length@ssn``."""
    words = []
    if dss.ack is not None:
        ack = get_offset(facts, "data_ack_offset", dss.ack.number)
        words.append(f"ack {ack}" if dss.ack.wide else f"ack32 {ack}")
    if dss.mapping is not None:
        mapping = dss.mapping
        start = get_offset(facts, "dsn_offset", mapping.dsn)
        words.append(f"map{'' if mapping.wide else '32'} {start}+{mapping.length}@{mapping.ssn}")
        if mapping.checksum is not None:
            words.append(f"sum {mapping.checksum:04x}")
        if mapping.fin:
            words.append("FIN")
    return f"DSS({', '.join(words)})"


def ends(segment: Segment) -> tuple[End, End]:
    """The sender's and the receiver's end."""
    return End(segment.source, segment.source_port), End(segment.destination, segment.destination_port)


def spell_option(option: Option) -> str:
    """An option that needs no context, short; "" for padding."""
    if isinstance(option, (NoOperation, EndOfList)):
        return ""
    return spell_tcp(option) or spell_handshake(option) or spell_rest(option) or repr(option)


def spell_tcp(option: Option) -> str:
    """The options of TCP itself; "" if it is none."""
    if isinstance(option, MaximumSegmentSize):
        return f"MSS {option.size}"
    if isinstance(option, WindowScale):
        return f"WS {option.shift}"
    if isinstance(option, Timestamps):
        return f"TS {option.value} {option.echo}"
    if isinstance(option, SackPermitted):
        return "SACK OK"
    if isinstance(option, Sack):
        return f"SACK {' '.join(f'{start}-{end}' for start, end in option.blocks)}"
    if isinstance(option, FastOpen):
        return f"TFO({option.cookie.hex()})"
    if isinstance(option, Leftover):
        return f"leftover({option.octets.hex()})"
    if isinstance(option, Unknown):
        return f"option {option.kind}({option.octets.hex()})"
    return ""


def spell_handshake(option: Option) -> str:
    """MP_CAPABLE and MP_JOIN; "" if it is neither."""
    if isinstance(option, CapableSyn):
        return f"MP_CAPABLE(v{option.version}, {letters(option.flags)})"
    if isinstance(option, CapableSynV0):
        return f"MP_CAPABLE(v0, {letters(option.flags)}, {option.key.hex()})"
    if isinstance(option, CapableSynAck):
        return f"MP_CAPABLE(v{option.version}, {letters(option.flags)}, {option.key.hex()})"
    if isinstance(option, CapableAck):
        return f"MP_CAPABLE(v{option.version}, {letters(option.flags)}, both keys)"
    if isinstance(option, CapableData):
        total = "" if option.checksum is None else f", sum {option.checksum:04x}"
        return f"MP_CAPABLE(v{option.version}, {letters(option.flags)}, both keys, {option.length}{total})"
    if isinstance(option, JoinSyn):
        backup = ", backup" if option.backup else ""
        return f"MP_JOIN(id {option.address_id}, token {option.token:08x}{backup})"
    if isinstance(option, JoinSynAck):
        backup = ", backup" if option.backup else ""
        return f"MP_JOIN(id {option.address_id}, HMAC{backup})"
    if isinstance(option, JoinAck):
        return "MP_JOIN(HMAC)"
    return ""


def spell_rest(option: Option) -> str:
    """Addresses, priorities and endings; "" if it is none."""
    if isinstance(option, (AddAddr, AddAddrEcho, AddAddrV0)):
        port = f" port {option.port}" if option.port is not None else ""
        kind = "echo " if isinstance(option, AddAddrEcho) else ""
        return f"ADD_ADDR({kind}id {option.address_id}, {option.address.hex()}{port})"
    if isinstance(option, RemoveAddr):
        return f"REMOVE_ADDR({', '.join(str(one) for one in option.ids)})"
    if isinstance(option, (Prio, PrioV0)):
        return f"MP_PRIO({'backup' if option.backup else 'regular'})"
    if isinstance(option, Fail):
        return f"MP_FAIL({option.dsn})"
    if isinstance(option, FastClose):
        return f"MP_FASTCLOSE({option.key.hex()})"
    if isinstance(option, TcpReset):
        return f"MP_TCPRST(reason {option.reason}{', transient' if option.flags & 1 else ''})"
    if isinstance(option, Experimental):
        return f"MP_EXPERIMENTAL({option.octets.hex()})"
    return ""


def spell_flags(flags: int) -> list[str]:
    """The names of a segment's flags that are set, SYN first."""
    return [name for flag, name in FLAG_NAMES if flags & flag]


def letters(flags: int) -> str:
    """The letters of MP_CAPABLE's flags that are set (RFC 8684 §3.1)."""
    return "".join(letter for bit, letter in CAPABLE_LETTERS if flags & bit)
