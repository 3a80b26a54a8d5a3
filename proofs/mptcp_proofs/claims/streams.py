"""Where data begins and ends: the first octet, and DATA_FIN (RFC 8684 §3.1, §3.3.1, §3.3.3)."""

from typing import Annotated, TypeAlias

from mptcp.choices import Choices
from mptcp.connection.acknowledge import compute_data_ack as compute_ack_offset
from mptcp.connection.mapping import Run
from mptcp.connection.receive import compute_dsn, is_fin_intact, take_mapping
from mptcp.connection.send import compute_data_ack, compute_fin_mapping, compute_text_option
from mptcp.errors import Refused
from mptcp.keys import compute_idsn
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import LARGEST_MAPPING
from mptcp.subflow.arrival import Arrival, Verdict
from mptcp.subflow.control import NO_OFFSET
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import Option
from mptcp_proofs.claim import Between, Built, assume, reach, require
from mptcp_proofs.claims.domains import Double, Half, Key, Word
from mptcp_proofs.claims.ends import make_branch, make_connected, make_numbered
from mptcp_proofs.claims.makers import make_wide_mapping
from mptcp_proofs.theorem import Mutant, Theorem

End: TypeAlias = Annotated[int, Between(1, 1 << 61)]
Window: TypeAlias = Annotated[int, Between(0, 1 << 30)]
Ahead: TypeAlias = Annotated[int, Between(-(1 << 31), (1 << 31) - 1)]
WideMapping: TypeAlias = Annotated[Mapping, Built(make_wide_mapping)]
Length: TypeAlias = Annotated[int, Between(1, 0xFFFF)]


def find_mapping(option: Option) -> Mapping:
    """The mapping that a DSS carries; what is none breaks the claim."""
    assert isinstance(option, Dss) and option.mapping is not None
    return option.mapping


# -- 17: where it begins --------------------------------------------------------------------------


def begins_after_idsn(key: Key, peer_key: Key) -> bool:
    """The first octet that either end maps is IDSN + 1, which is what the other end expects."""
    sender, receiver = make_connected(key, peer_key, 0), make_connected(peer_key, key, 1)
    option = compute_text_option(sender, Run(1, sender.snd_nxt, 9, 9, None))
    mapping = find_mapping(option)
    if mapping.dsn == 0:
        reach("an IDSN of all ones")
    narrow = Mapping(mapping.dsn & MASK_32, False, 1, 9, None, False)
    require(compute_dsn(receiver, mapping) == receiver.rcv_nxt == 1, "expected")
    require(compute_dsn(receiver, narrow) == receiver.rcv_nxt, "expected with 32 bits")
    return mapping.dsn == (compute_idsn(key) + 1) & MASK_64


def acknowledges_nothing(key: Key, peer_key: Key) -> bool:
    """The Data ACK of an empty stream is IDSN + 1, and tells the other end nothing new."""
    receiver, sender = make_connected(key, peer_key, 0), make_connected(peer_key, key, 1)
    ack = compute_data_ack(receiver)
    narrow = DataAck(ack.number & MASK_32, False)
    require(compute_ack_offset(sender, ack) == sender.snd_una == 1, "nothing new")
    require(compute_ack_offset(sender, narrow) == sender.snd_una, "nothing new with 32 bits")
    return ack.wide and ack.number == (compute_idsn(peer_key) + 1) & MASK_64


# -- 43: how far it has come ----------------------------------------------------------------------


def acknowledges_wide(
    idsn: Double, rcv_nxt: End, ssn: Word, dsn: End, length: Length, narrow: bool, is_peer_wide: bool
) -> bool:
    """Alone or beside text, our Data ACK is the next number expected: whole, where the peer's are."""
    control = make_numbered(0, idsn)
    control.choices = Choices(narrow_numbers=bool(narrow))
    control.rcv_nxt = rcv_nxt
    control.is_peer_wide = is_peer_wide
    ack = compute_data_ack(control)
    text = compute_text_option(control, Run(ssn, dsn, length, length, None))
    require(isinstance(text, Dss) and text.ack == ack, "the same beside text")
    require(ack.wide or not (is_peer_wide or rcv_nxt >= 1 << 32 or not narrow), "wide where it must be")
    if idsn + rcv_nxt > MASK_64:
        reach("a Data ACK beyond a wrap")
    if not ack.wide:
        reach("a Data ACK of 32 bits")
        return ack.number == (idsn + rcv_nxt) & MASK_32
    return ack.number == (idsn + rcv_nxt) & MASK_64


def remembers_wide(idsn: Double, rcv_nxt: End, mapping: WideMapping) -> bool:
    """Once a mapping with a DSN of 64 bits came, all Data ACKs are whole, whatever was chosen."""
    control, branch = make_numbered(0, idsn), make_branch()
    control.choices = Choices(narrow_numbers=True)
    control.rcv_nxt = rcv_nxt
    control.checksum = mapping.checksum is not None
    assume(mapping.length > 0)
    take_mapping(control, branch, mapping, Arrival(Verdict.ACCEPTED), 0)
    return compute_data_ack(control).wide


# -- 46, 47: where it ends ------------------------------------------------------------------------


def ends_alone(idsn: Double, snd_fin: End) -> bool:
    """Our DATA_FIN goes alone: SSN 0, length 1, and its own number as DSN."""
    control = make_numbered(idsn, 0)
    control.snd_fin = snd_fin
    mapping = compute_fin_mapping(control)
    require(mapping.fin and mapping.ssn == 0 and mapping.length == 1 and mapping.wide, "the empty form")
    return (mapping.dsn + mapping.length - 1) & MASK_64 == (idsn + snd_fin) & MASK_64


def ends_intact(idsn: Double, snd_fin: End) -> bool:
    """With checksums, the other end finds that of our DATA_FIN right."""
    sender, receiver = make_numbered(idsn, 0), make_numbered(0, idsn)
    sender.checksum = receiver.checksum = True
    sender.snd_fin = snd_fin
    mapping = compute_fin_mapping(sender)
    return mapping.checksum is not None and is_fin_intact(receiver, mapping, compute_dsn(receiver, mapping))


def text_never_ends(idsn: Double, ssn: Word, dsn: End, length: Length) -> bool:
    """Our mappings of text carry no F and say their own length."""
    option = compute_text_option(make_numbered(idsn, 0), Run(ssn, dsn, length, length, None))
    mapping = find_mapping(option)
    return not mapping.fin and mapping.length == length and mapping.dsn == (idsn + dsn) & MASK_64


def finds_start(idsn: Double, rcv_nxt: End, ahead: Ahead, wide: bool) -> bool:
    """A peer's mapping is put where it belongs, whatever its width."""
    control = make_numbered(0, idsn)
    control.rcv_nxt = rcv_nxt
    number = (idsn + rcv_nxt + ahead) & (MASK_64 if wide else MASK_32)
    if not wide and number < idsn & MASK_32:
        reach("a DATA_FIN of 32 bits beyond a wrap")
    return compute_dsn(control, Mapping(number, bool(wide), 0, 1, None, True)) == rcv_nxt + ahead


def finds_end(rcv_nxt: End, window: Window, mapping: WideMapping) -> bool:
    """Of any mapping with F, start + length - 1 is where the data ends, if that is inside our window."""
    assume(mapping.checksum is None and mapping.length > 0)
    control = make_numbered(0, 0)
    control.rcv_nxt = rcv_nxt
    control.rcv_edge = rcv_nxt + window
    end = compute_dsn(control, mapping) + mapping.length - 1
    take_mapping(control, make_branch(), mapping, Arrival(Verdict.ACCEPTED), 0)
    if mapping.fin and rcv_nxt <= end <= rcv_nxt + window:
        reach("an end")
        return control.rcv_fin == end
    return control.rcv_fin == NO_OFFSET


def never_empty(idsn: Double, snd_fin: End, ssn: Word, dsn: End, length: Length) -> bool:
    """No DSS of ours has length 0 by accident, neither with F nor without."""
    control = make_numbered(idsn, 0)
    control.snd_fin = snd_fin
    text = compute_text_option(control, Run(ssn, dsn, length, length, None))
    return compute_fin_mapping(control).length > 0 and find_mapping(text).length > 0


def fits_with_end(dsn: Double, ssn: Word, length: Half) -> bool:
    """A DATA_FIN can be added to any mapping of text."""
    try:
        Mapping(dsn, True, ssn, length + 1, None, True)
    except Refused:
        return False
    return True


def never_wraps(dsn: Double, ssn: Word, length: Half) -> bool:
    """A mapping of 65535 octets and a DATA_FIN is refused: its length never wraps to 0."""
    try:
        mapping = Mapping(dsn, True, ssn, length + 1, None, True)
    except Refused:
        reach("65536 octets")
        return length == LARGEST_MAPPING
    return mapping.length == length + 1 and Dss(None, mapping).emit()[-2:] != bytes(2)


SEND = "mptcp/connection/send.py"
RECEIVE = "mptcp/connection/receive.py"
CONTROL = "mptcp/connection/control.py"
DSS = "mptcp/wire/dss.py"
FIN_MAPPING = "return make_mapping(control, control.snd_fin, 0, 1, checksum, True)"
HASH = "SHA-256 is a function of its octets, and nothing more is known of it."

THEOREMS = (
    Theorem(
        id="T17",
        name="first-octet",
        words="In both directions the first octet of data is IDSN + 1, where the IDSN is the"
        " sender's; the Data ACK of an"
        " empty stream is IDSN + 1 too.",
        sections="RFC 8684 §3.1, §3.3.1",
        clauses=("R8684-3.1-26", "R8684-3.1-60", "R8684-3.1-62", "R8684-3.3.1-30", "R8684-3.3.2-01"),
        bounds="All keys, and so all IDSNs; numbers of 32 and 64 bits.",
        claims=(begins_after_idsn, acknowledges_nothing),
        goals=("an IDSN of all ones",),
        mutants=(
            Mutant(CONTROL, "self.snd_nxt = 1  #", "self.snd_nxt = 0  #"),
            Mutant(CONTROL, "self.rcv_nxt = 1  #", "self.rcv_nxt = 0  #"),
            Mutant(
                SEND,
                "compute_wire_64(control.remote_idsn, control.rcv_nxt)",
                "compute_wire_64(control.local_idsn, control.rcv_nxt)",
                by="acknowledges_nothing",
            ),
            Mutant(
                RECEIVE,
                "return compute_offset_32(control.remote_idsn & MASK_32, mapping.dsn, control.rcv_nxt)",
                "return mapping.dsn - (control.remote_idsn & MASK_32)",
            ),
            Mutant(
                "mptcp/connection/initiate.py",
                "control.remote_idsn = compute_idsn(key, control.version)",
                "control.remote_idsn = compute_idsn(control.local_key, control.version)",
            ),
        ),
        unclaimed="MP_CAPABLE with data, whose mapping is written as offsets 1 and 1 in the code itself.",
        assumes=HASH,
    ),
    Theorem(
        id="T43",
        name="wide-ack",
        words="Every Data ACK of ours is the next number expected; it has 64 bits from when data came whose"
        " DSN has, and beyond 2**32 octets, and else unless fewer were chosen.",
        sections="RFC 8684 §3.3.2",
        clauses=("R8684-3.3.2-01", "R8684-3.3.2-02"),
        bounds="All IDSNs; up to 2**61 octets received.",
        claims=(acknowledges_wide, remembers_wide),
        goals=("a Data ACK beyond a wrap", "a Data ACK of 32 bits"),
        mutants=(
            Mutant(RECEIVE, "control.is_peer_wide or mapping.wide", "control.is_peer_wide"),
            Mutant(
                SEND,
                "control.choices.narrow_numbers and offset < NARROW_END",
                "control.choices.narrow_numbers",
            ),
            Mutant(
                SEND,
                "if not control.is_peer_wide and is_narrow(",
                "if is_narrow(",
                "multipath-tcp #7: data of 64 bits answered by a Data ACK of 32",
            ),
            Mutant(
                SEND,
                "compute_wire_64(control.remote_idsn, control.rcv_nxt)",
                "compute_wire_64(control.remote_idsn, control.rcv_nxt - 1)",
            ),
            Mutant(
                SEND, "    return Dss(compute_data_ack(control), mapping)", "    return Dss(None, mapping)"
            ),
        ),
        unclaimed="When a Data ACK leaves.",
    ),
    Theorem(
        id="T46",
        name="data-fin",
        words="DSN + length - 1 of every DSS with F is the one number of the DATA_FIN. Ours goes"
        " alone, with SSN 0 and"
        " length 1; of a peer's, in whatever DSS and width, exactly that number is taken, if it is"
        " in the window.",
        sections="RFC 8684 §3.3.3",
        clauses=("R8684-3.3.3-03", "R8684-3.3.3-04", "R8684-3.3.3-05", "R8684-3.3-05", "R8684-3.3.1-28"),
        bounds="All IDSNs; ends below 2**61; mappings within 2**31 of what is expected; a window of"
        " up to 2**30.",
        claims=(ends_alone, ends_intact, text_never_ends, finds_start, finds_end),
        goals=("a DATA_FIN of 32 bits beyond a wrap", "an end"),
        mutants=(
            Mutant(
                SEND,
                FIN_MAPPING,
                FIN_MAPPING.replace("0, 1, checksum", "0, 2, checksum"),
                "net-next #34: a DATA_FIN without data that says a length above 1",
            ),
            Mutant(
                RECEIVE,
                "return compute_offset_32(control.remote_idsn & MASK_32, mapping.dsn, control.rcv_nxt)",
                "return mapping.dsn - (control.remote_idsn & MASK_32)",
                "net-next #93: a DATA_FIN of 32 bits is not expanded, and never acknowledged",
                by="finds_start",
            ),
            Mutant(
                RECEIVE,
                "take_data_fin(control, branch, dsn + length)",
                "take_data_fin(control, branch, dsn + length + 1)",
                "net-next #69: the DATA_FIN and the Data ACK behind it taken for each other",
                by="finds_end",
            ),
            Mutant(
                RECEIVE,
                "return mapping.length - 1 if mapping.fin else mapping.length",
                "return mapping.length",
                "multipath-tcp #39: F is set, and the length does not count it",
                by="finds_end",
            ),
            Mutant(SEND, FIN_MAPPING, FIN_MAPPING.replace("snd_fin, 0, 1", "snd_fin, 1, 1")),
            Mutant(
                SEND,
                "compute_dss_checksum(number, 0, 1, ())",
                "compute_dss_checksum(number, 1, 1, ())",
                by="ends_intact",
            ),
            Mutant(
                SEND,
                "run.ssn - snd_syn, run.wire_length, run.checksum, False)",
                "run.ssn - snd_syn, run.wire_length, run.checksum, True)",
                by="text_never_ends",
            ),
            Mutant(RECEIVE, " <= offset <= control.rcv_edge", " <= offset", by="finds_end"),
        ),
        unclaimed="When our DATA_FIN leaves, and that its number never changes: that is the"
        " connection's state.",
    ),
    Theorem(
        id="T47",
        name="no-empty-end",
        words="No DSS with F has data-level length 0: a mapping of 65535 octets has no room for the"
        " DATA_FIN, and the one"
        " that would wrap to the infinite mapping cannot be spelled.",
        sections="RFC 8684 §3.3.1, §3.3.3",
        clauses=("R8684-3.3.3-03", "R8684-3.3.3-04", "R8684-3.3.1-33"),
        bounds="All fields.",
        claims=(never_empty, never_wraps),
        refuted=(fits_with_end,),
        goals=("65536 octets",),
        mutants=(
            Mutant(
                SEND,
                FIN_MAPPING,
                FIN_MAPPING.replace("0, 1, checksum", "0, 0, checksum"),
                "packetdrill_mptcp #7, #24: a DATA_FIN whose own length does not count it",
            ),
            Mutant(
                DSS,
                '        if length >> 16:\n            raise Refused("a data-level length has 16 bits")\n',
                "        length = length & 0xFFFF\n",
                by="never_wraps",
            ),
            Mutant(DSS, "if length >> 16:", "if length >> 15:", by="never_wraps"),
        ),
        unclaimed="A peer that sends F with length 0: that is the infinite mapping, whatever F says.",
    ),
)
