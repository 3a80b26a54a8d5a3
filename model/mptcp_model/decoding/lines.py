"""A segment in lines that a person reads: one of its own, one each option of MPTCP, each fault."""

from collections.abc import Iterator
from typing import Final

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from mptcp.errors import Malformed
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
from mptcp.wire.options import Option
from mptcp.wire.segment import SYN
from mptcp_model.decoding.captures import SECOND, Nanos
from mptcp_model.decoding.conversation import Reading, Sum
from mptcp_model.decoding.names import NAMES, name_address, name_end
from mptcp_model.decoding.proofs import MULTIPATH, Facts, Note
from mptcp_model.decoding.sights import Sight
from mptcp_model.scribe import letters, spell_flags, spell_tcp

INDENT: Final = " " * 27  # of what belongs to a segment
SIDES: Final = {"A": "A → B", "B": "A ← B"}
REASONS: Final = (  # of MP_TCPRST; RFC 8684 §3.6
    "unspecified error",
    "MPTCP-specific error",
    "lack of resources",
    "administratively prohibited",
    "too much outstanding data",
    "unacceptable performance",
    "middlebox interference",
)


class Paint:
    """Colours, where the console has some."""

    def __init__(self, console: Console) -> None:
        system = console.color_system
        self._system: Final = None if system is None else ColorSystem[system.upper()]

    def __call__(self, style: str, words: str) -> str:
        """``words`` in ``style``."""
        if self._system is None or not words:
            return words
        return Style.parse(style).render(words, color_system=self._system)


class Lines:
    """Tells sights in lines; remembers which subflows it has introduced, and counts."""

    def __init__(self, paint: Paint) -> None:
        self._paint: Final = paint
        self._first: Nanos | None = None
        self._latest = (0, 0)  # connection and subflow that were introduced last
        self.segments = self.faults = 0

    def tell(self, sight: Sight) -> str:
        """All lines of a sight, each with its end."""
        moment, reading = sight.moment, sight.reading
        if self._first is None:
            self._first = moment
        seconds, nanos = divmod(moment - self._first, SECOND)
        head = self._paint("dim", f"{sight.number:>6} {seconds:>4}.{nanos // 1_000:06d}  ")
        self.segments += 1
        if isinstance(reading, Malformed):
            self.faults += 1
            return f"{head}{self._paint('bold red', f'✗ malformed: {reading}')}\n"
        lines = [*self.introduce(reading), head + self.tell_segment(reading)]
        lines += self.tell_rest(reading, sight.faults)
        return "\n".join(lines) + "\n"

    def tell_bare(self, reading: Reading) -> str:
        """Octets that somebody typed: no frame, no addresses; nothing but options if there are no ports."""
        segment = reading.segment
        lines = [line.strip() for line in self.tell_rest(reading, ())]
        if segment.source_port or segment.destination_port:
            flags = " ".join(spell_flags(segment.flags))
            lines.insert(0, f"port {segment.source_port} → {segment.destination_port}  {flags}")
            lines[0] += f"  sequence {segment.sequence}  acknowledgment {segment.acknowledgment}"
            lines[0] += f"  window {segment.window}  {segment.text_length} octets"
        return "\n".join(lines or ["padding"]) + "\n"

    def tell_rest(self, reading: Reading, faults: tuple[str, ...]) -> Iterator[str]:
        """The lines below that of the segment."""
        plain = [
            word
            for option in reading.segment.options
            if type(option) not in MULTIPATH and (word := spell_tcp(option))
        ]
        if plain:
            yield INDENT + self._paint("dim", ", ".join(plain))
        for note in reading.notes:
            yield self.tell_note(note)
        for one in reading.sums:
            yield self.tell_sum(one)
        for fault in faults:
            self.faults += 1
            yield INDENT + self._paint("bold red", f"✗ {fault}")

    def introduce(self, reading: Reading) -> Iterator[str]:
        """A line for a subflow that is new."""
        subflow = reading.place.subflow
        connection = subflow.connection.number
        if reading.place.direction.head or reading.place.other.head:
            return
        reading.place.direction.head = reading.place.other.head = "introduced"
        ends = (subflow.source, subflow.destination)
        if subflow.forth.letter == "B":
            ends = (subflow.destination, subflow.source)
        words = f"connection {connection}, subflow {subflow.number}"
        yield self._paint("bold", words) + f"  A {name_end(ends[0])}  B {name_end(ends[1])}"

    def tell_segment(self, reading: Reading) -> str:
        """Who to whom, flags, numbers from 0, window."""
        segment, place = reading.segment, reading.place
        direction, other = place.direction, place.other
        flags = " ".join(spell_flags(segment.flags))
        words = [f"seq {reading.sequence}"]
        if segment.text_length:
            words[0] += f" + {segment.text_length}"
        if reading.acknowledgment is not None:
            words.append(f"ack {reading.acknowledgment}")
        if reading.data is not None:
            words.append(f"data {reading.data}")
        shift = 0 if segment.flags & SYN or other.scale is None else direction.scale or 0
        window = f"window {segment.window << shift}"
        where = f"{place.subflow.connection.number}.{place.subflow.number}"
        side = SIDES[direction.letter]
        return f"{where:>5}  {self._paint('bold', side)}  {flags:8} {'  '.join([*words, window])}"

    def tell_note(self, note: Note) -> str:
        """An option with its fields, and whether it proves what it should."""
        option, facts, fault = note.option, note.facts(), note.fault
        name = self._paint("bold cyan", f"{NAMES[type(option)]:12} ")
        words = spell(option, facts)
        if fault:
            self.faults += 1
            return f"{INDENT}{name}{words} {self._paint('bold red', f'✗ {fault}')}"
        if "valid" in facts:
            valid = facts["valid"]
            words += self._paint("green", " ✓") if valid else self._paint("yellow", " (cannot be checked)")
        return INDENT + name + words

    def tell_sum(self, one: Sum) -> str:
        """A checksum over a mapping that is whole now."""
        mapped = one.mapped
        words = f"checksum {one.checksum:04x} of {mapped.length} octets, data {mapped.dsn}, SSN {mapped.ssn} "
        if one.valid:
            return INDENT + words + self._paint("green", "✓")
        self.faults += 1
        return INDENT + words + self._paint("bold red", "✗ does not hold")

    def conclude(self, connections: int) -> str:
        """The last line."""
        told = f"{count(self.segments, 'segment')}, {count(connections, 'connection')}"
        if self.faults:
            return f"{told}; {self._paint('bold red', f'what does not hold: {self.faults} (✗)')}\n"
        return f"{told}; nothing that does not hold\n"


def count(number: int, thing: str) -> str:
    """So many of them."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


# -- options in words -----------------------------------------------------------------------------


def spell(option: Option, facts: Facts) -> str:
    """All fields of an option of MPTCP, and what they stand for."""
    if isinstance(option, Dss):
        return spell_dss(option, facts)
    if isinstance(option, (CapableSyn, CapableSynV0, CapableSynAck, CapableAck, CapableData)):
        return spell_capable(option, facts)
    if isinstance(option, JoinSyn):
        known = facts["connection"]
        whose = "" if known is None else f" of connection {known}"
        return f"{spell_join(option)}, nonce {option.nonce.hex()}, token {option.token:08x}{whose}"
    if isinstance(option, JoinSynAck):
        return f"{spell_join(option)}, nonce {option.nonce.hex()}, HMAC {option.hmac.hex()}"
    if isinstance(option, JoinAck):
        return f"HMAC {option.hmac.hex()}"
    if isinstance(option, (AddAddr, AddAddrEcho, AddAddrV0)):
        return spell_address(option)
    return spell_rest(option, facts)


def spell_dss(option: Dss, facts: Facts) -> str:
    """What it acknowledges and maps, by offset and as it stands on the wire."""
    words = []
    ack, mapping = option.ack, option.mapping
    if ack is not None:
        words.append(f"Data ACK {spell_number(ack.number, ack.wide, facts['data_ack_offset'])}")
    if mapping is not None:
        words.append(f"DSN {spell_number(mapping.dsn, mapping.wide, facts['dsn_offset'])}")
        words.append(f"SSN {mapping.ssn}")
        words.append(f"length {mapping.length}" if mapping.length else "length 0: infinite mapping")
        if mapping.checksum is not None:
            words.append(f"checksum {mapping.checksum:04x}")
        if mapping.fin:
            words.append("DATA_FIN")
    return ", ".join(words)


def spell_number(number: int, wide: bool, offset: int | str | bool | None) -> str:
    """A data sequence number: its offset, if known, and its 16 or 8 digits."""
    digits = f"{number:016x}" if wide else f"{number:08x}"
    return digits if offset is None else f"{offset} ({digits})"


def spell_capable(
    option: CapableSyn | CapableSynV0 | CapableSynAck | CapableAck | CapableData, facts: Facts
) -> str:
    """MP_CAPABLE of any layout."""
    version = 0 if isinstance(option, CapableSynV0) else option.version
    words = [f"version {version}", f"flags {letters(option.flags) or 'none'}"]
    if isinstance(option, (CapableSynV0, CapableSynAck)):
        words.append(f"key {option.key.hex()} (token {facts['token']}, IDSN {facts['idsn']})")
    elif isinstance(option, (CapableAck, CapableData)):
        token, idsn = facts["token"], facts["idsn"]
        words.append(f"key {option.sender_key.hex()} (token {token}, IDSN {idsn})")
        if isinstance(option, CapableData):
            words.append(f"length {option.length}")
            if option.checksum is not None:
                words.append(f"checksum {option.checksum:04x}")
        words.append(f"receiver's key {option.receiver_key.hex()}")
    return ", ".join(words)


def spell_join(option: JoinSyn | JoinSynAck) -> str:
    """What both have."""
    return f"address ID {option.address_id}{', backup' if option.backup else ''}"


def spell_address(option: AddAddr | AddAddrEcho | AddAddrV0) -> str:
    """ADD_ADDR of any layout."""
    words = ["echo"] if isinstance(option, AddAddrEcho) else []
    words += [f"address ID {option.address_id}", name_address(option.address)]
    if option.port is not None:
        words.append(f"port {option.port}")
    if isinstance(option, AddAddr):
        words.append(f"HMAC {option.hmac.hex()}")
    return ", ".join(words)


def spell_rest(option: Option, facts: Facts) -> str:
    """Removed addresses, priorities and endings."""
    if isinstance(option, RemoveAddr):
        return f"address ID {', '.join(str(one) for one in option.ids)}"
    if isinstance(option, (Prio, PrioV0)):
        whose = f", address ID {option.address_id}" if isinstance(option, PrioV0) else ""
        return ("backup" if option.backup else "not a backup") + whose
    if isinstance(option, Fail):
        return f"DSN {spell_number(option.dsn, True, facts['dsn_offset'])}"
    if isinstance(option, FastClose):
        return f"key {option.key.hex()}"
    if isinstance(option, TcpReset):
        reason = REASONS[option.reason] if option.reason < len(REASONS) else "not assigned"
        return f"reason {option.reason} ({reason}){', transient' if option.flags else ''}"
    assert isinstance(option, Experimental)
    return option.octets.hex()
