"""Packets in a file that tcpdump, tshark and Wireshark read."""

import struct
import time
from pathlib import Path
from typing import Final, Self, final

NANOSECOND_MAGIC: Final = 0xA1B23C4D  # times in the file are seconds and nanoseconds
LINKTYPE_RAW: Final = 101  # packets begin with their IP header
LARGEST: Final = 262_144  # octets of a packet that a reader must be ready for


@final
class PcapWriter:
    """Writes each packet with the time of day it passed. Raises OSError where the file cannot be opened.

    When it can be written no further (the disk is full) no more is written, and ``close`` raises why.
    """

    def __init__(self, path: str | Path) -> None:
        self._file: Final = open(path, "wb")  # noqa: SIM115 (closed by close)
        self._error: OSError | None = None
        self._put(struct.pack("<IHHiIII", NANOSECOND_MAGIC, 2, 4, 0, 0, LARGEST, LINKTYPE_RAW))

    def write(self, packet: bytes) -> None:
        """Add one packet, seen now."""
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        self._put(struct.pack("<IIII", seconds, nanoseconds, len(packet), len(packet)) + packet)

    def _put(self, octets: bytes) -> None:
        if self._error is None:
            try:
                self._file.write(octets)
            except OSError as error:
                self._error = error

    def close(self) -> None:
        """End the file. Raises OSError if not all could be written; closing twice is no harm."""
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        why, self._error = self._error, None
        if why is not None:
            raise OSError(why.errno, f"cannot write {self._file.name}: {why.strerror}") from why

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: object) -> None:
        self.close()
