"""Mappings: runs of subflow octets that are runs of data octets (RFC 8684 §3.3.1)."""

from typing import Final, final

from mptcp.native import mypyc_attr
from mptcp.values import Value
from mptcp.wire.options import Option


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Run(Value):
    """``length`` octets at subflow offset ``ssn`` are those at data offset ``dsn``, for good.

    [R8684-3.3.1-03]

    ``checksum`` is that of the mapping on the wire, None where checksums are not in use;
    ``wire_length`` is the data-level length it was announced with, a DATA_FIN included.
    """

    __match_args__ = ("ssn", "dsn", "length", "wire_length", "checksum")

    def __init__(self, ssn: int, dsn: int, length: int, wire_length: int, checksum: int | None) -> None:
        self.ssn: Final = ssn
        self.dsn: Final = dsn
        self.length: Final = length
        self.wire_length: Final = wire_length
        self.checksum: Final = checksum

    @property
    def end(self) -> int:
        """The subflow offset after the last octet."""
        return self.ssn + self.length


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Said(Value):
    """The ``options`` of a segment of text: the mapping of ``run``, the Data ACK for ``rcv_nxt``."""

    __match_args__ = ("run", "rcv_nxt", "wide", "options")

    def __init__(self, run: Run, rcv_nxt: int, wide: bool, options: tuple[Option, ...]) -> None:
        self.run: Final = run
        self.rcv_nxt: Final = rcv_nxt
        self.wide: Final = wide
        self.options: Final = options


def is_overlapping(a: int, a_length: int, b: int, b_length: int) -> bool:
    """Whether two runs of subflow offsets share an octet."""
    return a_length > 0 and b_length > 0 and a < b + b_length and b < a + a_length


def is_same_line(ssn: int, dsn: int, other_ssn: int, other_dsn: int) -> bool:
    """Whether two mappings give each octet the same data sequence number."""
    return dsn - ssn == other_dsn - other_ssn


def find(runs: list[Run], ssn: int) -> Run | None:
    """The run that maps subflow offset ``ssn``; ``runs`` is in order of ssn."""
    low, high = 0, len(runs)
    while low < high:
        middle = (low + high) // 2
        if runs[middle].end <= ssn:
            low = middle + 1
        else:
            high = middle
    if low < len(runs) and runs[low].ssn <= ssn:
        return runs[low]
    return None


def release(runs: list[Run], ssn: int) -> None:
    """Forget the runs that end at or before subflow offset ``ssn``."""
    count = 0
    while count < len(runs) and runs[count].end <= ssn:
        count += 1
    if count:
        del runs[:count]


def is_allowed(runs: list[Run], new: Run) -> bool:
    """Whether ``new`` contradicts no mapping that stands.

    One that stands may be said again, and cut differently where no checksum binds it.
    """
    for run in runs:
        if is_overlapping(run.ssn, run.length, new.ssn, new.length):
            if not is_same_line(run.ssn, run.dsn, new.ssn, new.dsn):
                return False  # [R8684-3.3.1-04] a mapping, once made, is never altered
            if run.checksum is not None and not is_same_text(run, new):
                return False
    return True


def is_same_text(one: Run, other: Run) -> bool:
    """Whether two mappings with checksums, on one line, are of the same text.

    A DATA_FIN may be added to a mapping of which some segments have left [R8684-3.3.3-03]: that is one
    octet more on the wire and another checksum, and the first to come still holds.
    """
    if one.ssn != other.ssn or one.length != other.length:
        return False
    return one.wire_length != other.wire_length or one.checksum == other.checksum


def add(runs: list[Run], new: Run) -> None:
    """Keep ``new``, which ``is_allowed``, as far as it maps what was not mapped; ``runs`` stays in order."""
    ssn, dsn, length = new.ssn, new.dsn, new.length
    index = 0
    while index < len(runs) and runs[index].end <= ssn:
        index += 1
    while length > 0:
        if index == len(runs) or ssn + length <= runs[index].ssn:
            runs.insert(index, Run(ssn, dsn, length, new.wire_length, new.checksum))
            return
        stands = runs[index]
        if ssn < stands.ssn:
            gap = stands.ssn - ssn
            runs.insert(index, Run(ssn, dsn, gap, new.wire_length, new.checksum))
            index += 1
        passed = max(stands.end - ssn, 0)
        ssn, dsn, length = ssn + passed, dsn + passed, length - passed
        index += 1
