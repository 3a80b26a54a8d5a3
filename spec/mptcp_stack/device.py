"""A device: where packets come in and go out, one per read and one per write.

Any file descriptor that keeps packets apart will do: a TUN interface (``mptcp_stack.tun``) on a
real machine, one end of a ``socketpair`` of datagrams between two stacks of one process.
"""

import errno
import os
from typing import Final, final

from mptcp.values import Address
from mptcp.wire.cutting import cut
from mptcp.wire.segment import Outgoing
from mptcp_stack import offload

LARGEST_PACKET: Final = 65_600  # octets that one read may bring: 65,535 and a little room
MOST_PIECES: Final = 1_000  # pieces that one writev takes; the system's own limit is 1,024

# What errno says, on a write, when the device itself is no more; all else is the trouble of one packet
GONE: Final = frozenset(
    {
        errno.EBADF,
        errno.EBADFD,
        errno.ENODEV,
        errno.ENXIO,
        errno.EPIPE,
        errno.ECONNRESET,
        errno.ECONNREFUSED,
        errno.ENOTCONN,
    }
)


class DeviceGone(OSError):
    """The device was taken away: nothing will come from it and nothing can leave through it."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ENETDOWN, f"the device {name} has gone away")


@final
class Device:
    """An open device, its name, our addresses on it and the largest packet (MTU, octets) it takes.

    ``offloads``: each packet has the header of ``mptcp_stack.offload``, and text of many segments goes in
    and out in one. ``checked``: the TCP checksum of the packet read last need not be verified.
    ``dropped`` counts the packets that it would not take: like a cable, a device makes no promises.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        addresses: tuple[Address, ...],
        mtu: int = 1500,
        offloads: bool = False,
    ) -> None:
        os.set_blocking(descriptor, False)
        self.name: Final = name
        self.addresses: Final = addresses
        self.mtu: Final = mtu
        self.offloads: Final = offloads
        self.checked = False
        self.dropped = 0
        self._descriptor = descriptor

    def fileno(self) -> int:
        """The file descriptor to watch; -1 once closed."""
        return self._descriptor

    def read(self) -> bytes | None:
        """The next packet as it came, or None if there is none now. Raises DeviceGone."""
        try:
            packet = os.read(self._descriptor, LARGEST_PACKET)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise DeviceGone(self.name) from error
        if not packet:
            raise DeviceGone(self.name)
        if self.offloads:
            self.checked = offload.is_checked(packet)
            return packet[offload.HEADER.size :]
        return packet

    def fit(self, outgoing: Outgoing) -> list[Outgoing]:
        """What ``write`` is to be given of ``outgoing``: all at once, or cut where the device does not."""
        return [outgoing] if self.offloads else cut(outgoing)

    def is_ours(self, packet: bytes) -> bool:
        """Whether the packet goes to one of our addresses.

        The kernel also talks to its neighbours (IPv6 router solicitations and multicast reports).
        """
        return read_destination(packet) in self.addresses

    def write(self, outgoing: Outgoing) -> bool:
        """Send one packet that fits, header and text from where they lie; False if the device is full.

        A packet that the device refuses for itself (the interface is down, no buffers) is lost, as
        on a cable. Raises DeviceGone.
        """
        pieces: list[bytes | memoryview] = [offload.emit_header(outgoing)] if self.offloads else []
        pieces.append(outgoing.header)
        if len(outgoing.text) > MOST_PIECES:
            pieces.append(b"".join([text.octets() for text in outgoing.text]))
        else:
            pieces.extend([memoryview(text.packet)[text.start : text.end] for text in outgoing.text])
        try:
            os.writev(self._descriptor, pieces)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if error.errno in GONE:
                raise DeviceGone(self.name) from error
            self.dropped += 1
        return True

    def close(self) -> None:
        """Close it; a TUN interface that we made disappears. Closing twice is no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def read_destination(packet: bytes) -> Address:
    """The destination of an IP packet; empty if it has none."""
    if packet[:1] and packet[0] >> 4 == 4:
        return packet[16:20]
    if packet[:1] and packet[0] >> 4 == 6:
        return packet[24:40]
    return b""


def read_source(packet: bytes) -> Address:
    """The source of an IP packet; empty if it has none."""
    if packet[:1] and packet[0] >> 4 == 4:
        return packet[12:16]
    if packet[:1] and packet[0] >> 4 == 6:
        return packet[8:24]
    return b""
