"""A segment as an object of JSON, in one line: the format that docs/decode.rst describes.

The text is put together by hand: ``json`` takes as long for one option as all else for the segment. It
encodes words, and what is neither a word nor a number.
"""

import json
from typing import Any, Final

from mptcp.errors import Malformed
from mptcp.wire.dss import Dss
from mptcp.wire.options import NOP, Timestamps
from mptcp.wire.segment import ACK, SYN, URG
from mptcp_model.decoding.captures import SECOND, Nanos
from mptcp_model.decoding.conversation import Reading, Sum
from mptcp_model.decoding.names import name_address, spell_fields
from mptcp_model.decoding.proofs import MULTIPATH, Note, Offsets
from mptcp_model.decoding.records import Direction, Subflow
from mptcp_model.decoding.sights import Sight
from mptcp_model.scribe import spell_flags

ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode
FLAG_LISTS: Final = [ENCODE(spell_flags(octet)) for octet in range(256)]
"""The list of flags for each octet."""


def tell_all(sights: list[Sight]) -> str:
    """The objects of all sights, each in a line."""
    return "".join([tell(sight) for sight in sights])


def tell(sight: Sight) -> str:
    """The object of one sight, and the end of the line."""
    number, reading, faults = sight.number, sight.reading, sight.faults
    time = spell_time(sight.moment)
    if isinstance(reading, Malformed):
        trouble = f'{{"offset":{reading.offset},"reason":{ENCODE(reading.reason)}}}'
        return f'{{"frame":{number},"time":{time},"malformed":{trouble}}}\n'
    segment, place = reading.segment, reading.place
    direction, other = place.direction, place.other
    flags = segment.flags
    head = direction.head
    if not head:
        head = direction.head = tell_head(place.subflow, direction)
    acknowledgment = str(segment.acknowledgment) if flags & ACK else "null"
    window = segment.window
    scaled = "null"
    if flags & SYN:
        scaled = str(window)
    elif direction.begun and other.begun:
        scaled = str(window if direction.scale is None or other.scale is None else window << direction.scale)
    options = tell_options(reading) if segment.options else ""
    rest = tell_rest(reading, faults) if faults or reading.sums or flags & URG else "}\n"
    return (
        f'{{"frame":{number},"time":{time},{head}"flags":{FLAG_LISTS[flags]},'
        f'"sequence":{segment.sequence},"sequence_offset":{reading.sequence},'
        f'"acknowledgment":{acknowledgment},"acknowledgment_offset":{spell_number(reading.acknowledgment)},'
        f'"window":{window},"window_octets":{scaled},"length":{segment.text_length},"data_offset":{spell_number(reading.data)},'
        f'"options":[{options}]{rest}'
    )


def spell_time(moment: Nanos) -> str:
    """Seconds with nine digits behind the point."""
    digits = str(moment)
    if moment < SECOND:
        digits = digits.zfill(10)
    return f"{digits[:-9]}.{digits[-9:]}"


def tell_head(subflow: Subflow, direction: Direction) -> str:
    """What is the same for all segments of a direction."""
    one, two = subflow.source, subflow.destination
    if direction is subflow.back:
        one, two = two, one
    return (
        f'"connection":{subflow.connection.number},"subflow":{subflow.number},"from":"{direction.letter}",'
        f'"source":"{name_address(one.address)}","source_port":{one.port},'
        f'"destination":"{name_address(two.address)}","destination_port":{two.port},'
    )


def tell_bare(reading: Reading) -> str:
    """Octets that somebody typed: no frame, no addresses; nothing but options if there are no ports."""
    segment = reading.segment
    flags = FLAG_LISTS[segment.flags]
    if not segment.source_port and not segment.destination_port:
        return f'{{"flags":{flags},"options":[{tell_options(reading)}]}}\n'
    return (
        f'{{"source_port":{segment.source_port},"destination_port":{segment.destination_port},"flags":{flags},'
        f'"sequence":{segment.sequence},"acknowledgment":{segment.acknowledgment},"window":{segment.window},'
        f'"length":{segment.text_length},"options":[{tell_options(reading)}]}}\n'
    )


def tell_options(reading: Reading) -> str:
    """All options, in their order."""
    told: list[str] = []
    notes = 0
    for option in reading.segment.options:
        if option is NOP:
            told.append('{"option":"NOP"}')
        elif isinstance(option, Timestamps):
            told.append(f'{{"option":"TS","value":{option.value},"echo":{option.echo}}}')
        elif isinstance(option, Dss) or type(option) in MULTIPATH:
            note = reading.notes[notes]
            notes += 1
            told.append(tell_dss(note) if isinstance(note, Offsets) else tell_note(note))
        else:
            told.append(spell_object(spell_fields(option)))
    return ",".join(told)


def tell_note(note: Note) -> str:
    """An option of MPTCP, with what is known of it."""
    fields = spell_fields(note.option) | note.facts()
    if note.fault:
        fields["fault"] = note.fault
    return spell_object(fields)


def tell_dss(note: Offsets) -> str:
    """The same for a DSS, faster."""
    ack, mapping = note.dss.ack, note.dss.mapping
    acknowledges = maps = fault = ""
    if ack is not None:
        number = ack.number.to_bytes(8 if ack.wide else 4, "big").hex()
        acknowledges = f',"data_ack":"{number}","data_ack_offset":{spell_number(note.ack)}'
    if mapping is not None:
        number = mapping.dsn.to_bytes(8 if mapping.wide else 4, "big").hex()
        maps = (
            f',"dsn":"{number}","dsn_offset":{spell_number(note.dsn)},"ssn":{mapping.ssn},'
            f'"length":{mapping.length},"checksum":{spell_number(mapping.checksum)},'
            f'"fin":{"true" if mapping.fin else "false"}'
        )
    if note.fault:
        fault = f',"fault":{ENCODE(note.fault)}'
    return f'{{"option":"DSS"{acknowledges}{maps}{fault}}}'


def tell_rest(reading: Reading, faults: tuple[str, ...]) -> str:
    """What only few segments have, and the end."""
    urgent = f',"urgent":{reading.segment.urgent}' if reading.segment.flags & URG else ""
    sums = ",".join([tell_sum(one) for one in reading.sums])
    if sums:
        sums = f',"sums":[{sums}]'
    wrong = f',"faults":{ENCODE(faults)}' if faults else ""
    return f"{urgent}{sums}{wrong}}}\n"


def tell_sum(one: Sum) -> str:
    """A checksum over a mapping that is whole now."""
    mapped = one.mapped
    return (
        f'{{"ssn":{mapped.ssn},"dsn":{mapped.dsn},"length":{mapped.length},'
        f'"checksum":{one.checksum},"valid":{"true" if one.valid else "false"}}}'
    )


# -- words and numbers ----------------------------------------------------------------------------


def spell_object(fields: dict[str, Any]) -> str:
    """An object of these fields, whose names need no care."""
    return "{" + ",".join([f'"{name}":{spell_value(value)}' for name, value in fields.items()]) + "}"


def spell_value(value: Any) -> str:
    """Whatever a field may hold."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return ENCODE(value)


def spell_number(number: int | None) -> str:
    """A number that may be missing."""
    return "null" if number is None else str(number)
