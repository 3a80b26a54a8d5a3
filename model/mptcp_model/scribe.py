"""A scribe reads segments as a person does: numbers from 0, options by name, data by its own count.

It keeps what a reader keeps in mind: where each direction's sequence numbers began, and, once the
keys were seen, where its data sequence numbers did. For directions whose beginning it has not
seen, the first number seen counts as the beginning.
"""

from typing import Final, NamedTuple

from mptcp.keys import compute_idsn, compute_token
from mptcp.numbers import compute_offset_32, compute_offset_64
from mptcp.values import Address, Port
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
from mptcp_model.state import State

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
MASK_32: Final = 0xFFFFFFFF


class End(NamedTuple):
    """One end of a flow."""

    address: Address
    port: Port


class Numbers(NamedTuple):
    """A segment's numbers, counted from the beginning of their streams; None where it has none."""

    sequence: int
    acknowledgment: int | None
    data: int | None  # data offset of the text's first octet
    data_ack: int | None


class Origin(State):
    """Where one direction of a flow began, and how far it has been seen."""

    FIELDS = ("isn", "near", "secret", "version", "data_near", "shift")

    def __init__(self, isn: int) -> None:
        self.isn = isn
        self.near = 0
        self.secret = b""
        self.version = 1
        self.data_near = 0
        self.shift: int | None = None  # data offset minus sequence offset, of the latest mapping

    def begin(self, isn: int) -> None:
        """A SYN says where the direction really begins; a key learnt before (MP_JOIN) stays."""
        self.isn = isn
        self.near = 0

    def count(self, number: int) -> int:
        """The offset of a sequence number."""
        offset = compute_offset_32(self.isn, number, self.near)
        self.near = max(self.near, offset)
        return offset

    def count_data(self, number: int, wide: bool) -> int:
        """The data offset of a DSN or Data ACK."""
        if not self.secret:
            return number
        idsn = compute_idsn(self.secret, self.version)
        if wide:
            offset = compute_offset_64(idsn, number)
        else:
            offset = compute_offset_32(idsn & MASK_32, number, self.data_near)
        self.data_near = max(self.data_near, offset)
        return offset


class Scribe(State):
    """Keeps the origins of all directions, by (source, destination)."""

    FIELDS = ("origins", "pairs")

    def __init__(self) -> None:
        self.origins: dict[tuple[End, End], Origin] = {}
        self.pairs: list[tuple[bytes, bytes, int]] = []  # keys of a connection's two ends, version

    # -- what was seen --------------------------------------------------------------------------
    def read(self, segment: Segment) -> Numbers:
        """Take note of ``segment`` and count its numbers from 0."""
        way, back = ends(segment)
        origin = self.origins.get((way, back))
        if origin is None:
            origin = self.origins[way, back] = Origin(segment.sequence)
        elif segment.flags & SYN and origin.isn != segment.sequence:
            origin.begin(segment.sequence)
        other = self.origins.get((back, way))
        if other is None and segment.flags & ACK:
            other = self.origins[back, way] = Origin(segment.acknowledgment - 1 & MASK_32)
        self.learn(segment, origin, other)
        sequence = origin.count(segment.sequence)
        acknowledgment = other.count(segment.acknowledgment) if other and segment.flags & ACK else None
        data_ack: int | None = None
        for option in segment.options:
            if isinstance(option, CapableData):
                origin.shift = 0
            elif isinstance(option, Dss):
                if option.mapping is not None:
                    mapped = origin.count_data(option.mapping.dsn, option.mapping.wide)
                    if option.mapping.ssn or not option.mapping.fin:
                        origin.shift = mapped - option.mapping.ssn
                if option.ack is not None and other is not None:
                    data_ack = other.count_data(option.ack.number, option.ack.wide)
        data = sequence + origin.shift if origin.shift is not None and segment.text_length else None
        return Numbers(sequence, acknowledgment, data, data_ack)

    def learn(self, segment: Segment, origin: Origin, other: Origin | None) -> None:
        """Take the keys out of ``segment``, or find those of the connection that it joins."""
        for option in segment.options:
            if isinstance(option, CapableSynAck):
                origin.secret, origin.version = option.key, option.version
            elif isinstance(option, (CapableAck, CapableData)) and other is not None:
                origin.secret, other.secret = option.sender_key, option.receiver_key
                origin.version = other.version = option.version
                pair = (option.sender_key, option.receiver_key, option.version)
                if pair not in self.pairs:
                    self.pairs.append(pair)
            elif isinstance(option, JoinSyn):
                way, back = ends(segment)
                self.join(option.token, origin, self.origins.setdefault((back, way), Origin(0)))

    def join(self, token: int, origin: Origin, other: Origin) -> None:
        """A flow joins the connection in which ``token`` stands for the receiver's key."""
        for one, two, version in self.pairs:
            for mine, yours in ((one, two), (two, one)):
                if compute_token(yours, version) == token:
                    origin.secret, other.secret = mine, yours
                    origin.version = other.version = version

    # -- in words -------------------------------------------------------------------------------
    def describe(self, segment: Segment) -> str:
        """One line: flags, numbers, window, options."""
        numbers = self.read(segment)
        words = [name for flag, name in FLAG_NAMES if segment.flags & flag]
        length = f"+{segment.text_length}" if segment.text_length else ""
        words.append(f"{numbers.sequence}{length}")
        if numbers.acknowledgment is not None:
            words.append(f"ack {numbers.acknowledgment}")
        words.append(f"win {segment.window}")
        way, back = ends(segment)
        options = [self.spell(option, way, back) for option in segment.options]
        spelled = ", ".join(word for word in options if word)
        return " ".join(words) + (f" <{spelled}>" if spelled else "")

    def spell(self, option: Option, way: End, back: End) -> str:
        """One option, short; "" for padding."""
        if isinstance(option, Dss):
            return self.spell_dss(option, self.origins[way, back], self.origins.get((back, way)))
        if isinstance(option, Fail) and (back, way) in self.origins:
            return f"MP_FAIL(at {self.origins[back, way].count_data(option.dsn, True)})"
        return spell_option(option)

    def spell_dss(self, dss: Dss, origin: Origin, other: Origin | None) -> str:
        """A DSS in data offsets: what it acknowledges, and ``dsn+length@ssn``."""
        words = []
        if dss.ack is not None:
            ack = other.count_data(dss.ack.number, dss.ack.wide) if other else dss.ack.number
            words.append(f"ack {ack}" if dss.ack.wide else f"ack32 {ack}")
        if dss.mapping is not None:
            mapping = dss.mapping
            start = origin.count_data(mapping.dsn, mapping.wide)
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


def letters(flags: int) -> str:
    """The letters of MP_CAPABLE's flags that are set (RFC 8684 §3.1)."""
    return "".join(letter for bit, letter in CAPABLE_LETTERS if flags & bit)
