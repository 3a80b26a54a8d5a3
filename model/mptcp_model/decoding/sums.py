"""Whether the checksums of mappings hold, over however many segments their text is spread."""

from typing import Final, final

from mptcp.intervals import Intervals
from mptcp.keys import compute_dss_checksum
from mptcp.values import Text


@final
class Unfinished:
    """A mapping with a checksum whose text has not all been seen.

    Its text is ``size`` octets from the offsets ``ssn`` of the subflow and ``dsn`` of the data on. What
    counts in the checksum are the 64-bit ``number`` and ``relative``, as they stand for these on the wire,
    and the ``length`` of the option, DATA_FIN included.
    """

    def __init__(
        self, ssn: int, size: int, number: int, dsn: int, relative: int, length: int, checksum: int
    ) -> None:
        self.ssn: Final = ssn
        self.size: Final = size
        self.number: Final = number
        self.dsn: Final = dsn
        self.relative: Final = relative
        self.length: Final = length
        self.checksum: Final = checksum
        self.text: Final = Intervals(ssn)

    def add(self, offset: int, text: Text) -> None:
        """Keep what of ``text``, which begins at ``offset`` of the subflow, belongs here."""
        start, end = max(0, self.ssn - offset), min(len(text), self.ssn + self.size - offset)
        if start < end:
            self.text.insert(offset + start, text.cut(start, end))

    def is_whole(self) -> bool:
        """Whether all text is there."""
        return self.text.held == self.size

    def is_right(self) -> bool:
        """Whether the checksum holds; asked once, when all text is there."""
        text = tuple(self.text.take())
        return self.checksum == compute_dss_checksum(self.number, self.relative, self.length, text)
