"""A device: where packets come in and go out, one per read and one per write.

Any file descriptor that keeps packets apart will do: a TUN interface (``mptcp_stack.tun``) on a
real machine, one end of a ``socketpair`` of datagrams between two stacks of one process.
"""

import contextlib
import errno
import os
from typing import Final, final

from mptcp.values import Address, Port, join
from mptcp.wire.cutting import cut
from mptcp.wire.ip import read_destination, read_destination_port
from mptcp.wire.segment import Outgoing
from mptcp_stack.flow import DeviceGone
from mptcp_stack.framing import Framing

LARGEST_PACKET: Final = 65_600  # octets that one read may bring: 65,535 and a little room
FIRST_SHARED_PORT: Final = 61_000  # above net.ipv4.ip_local_port_range as Linux sets it
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


@final
class Device:
    """An open device, its name, our addresses on it and the largest packet (MTU, octets) it takes.

    ``framing`` is what stands before each packet. ``ports``: the only ones of these addresses that are ours,
    where the kernel has the addresses too; we call from FIRST_SHARED_PORT on. ``checked``: the TCP checksum
    of the packet read last need not be verified. ``dropped`` counts the packets that it would not take:
    like a cable, a device makes no promises. ``guard`` is closed with the device.
    """

    def __init__(
        self,
        descriptor: int,
        name: str,
        addresses: tuple[Address, ...],
        mtu: int = 1500,
        framing: Framing | None = None,
        ports: frozenset[Port] | None = None,
        guard: contextlib.ExitStack | None = None,
    ) -> None:
        os.set_blocking(descriptor, False)
        self.name: Final = name
        self.addresses: Final = addresses
        self.reachable = addresses  # these, and those of the other devices of its stack
        self.mtu: Final = mtu
        self.framing: Final = framing or Framing()
        self.ports: Final = ports
        self.checked = False
        self.dropped = 0
        self._descriptor = descriptor
        self._guard: Final = guard

    def fileno(self) -> int:
        """The file descriptor to watch; -1 once closed."""
        return self._descriptor

    def read(self) -> bytes | None:
        """The next packet behind its framing, or None if there is none now. Raises DeviceGone."""
        try:
            packet = os.read(self._descriptor, LARGEST_PACKET)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise DeviceGone(self.name) from error
        if not packet:
            raise DeviceGone(self.name)
        self.checked = self.framing.is_checked(packet)
        return packet

    def fit(self, outgoing: Outgoing) -> list[Outgoing]:
        """What ``write`` is to be given of ``outgoing``: all at once, or cut where the device does not."""
        return [outgoing] if self.framing.offloads else cut(outgoing)

    def is_ours(self, packet: bytes) -> bool:
        """Whether the packet goes to an address of ours, of whichever device, and there to one of our ports.

        The kernel also talks to its neighbours (IPv6 router solicitations and multicast reports).
        """
        start = self.framing.size
        if read_destination(packet, start) not in self.reachable:
            return False
        if self.ports is None:
            return True
        port = read_destination_port(packet, start)
        return port < 0 or port in self.ports  # what is not TCP may be a router's word

    def write(self, outgoing: Outgoing) -> bool:
        """Send one packet that fits, as ``write_some``; False if the device is full. Raises DeviceGone."""
        return self.write_some([outgoing]) == 1

    def write_some(self, packets: list[Outgoing]) -> int:
        """Send packets that fit, one after the other; how many, before the device was full.

        A packet that the device refuses for itself (the interface is down, no buffers) is lost, as
        on a cable. Raises DeviceGone.
        """
        descriptor, framing = self._descriptor, self.framing
        for place, outgoing in enumerate(packets):
            prefix = framing.emit(outgoing)
            if prefix is None:
                self.dropped += 1
                continue
            try:
                if outgoing.segment_size == 0:  # a packet of the path: one copy costs less than more pieces
                    os.write(descriptor, prefix + outgoing.octets())
                else:
                    os.writev(descriptor, [prefix, outgoing.header, *list_pieces(outgoing)])
            except (BlockingIOError, InterruptedError):
                return place
            except OSError as error:
                if error.errno in GONE:
                    raise DeviceGone(self.name) from error
                self.dropped += 1
        return len(packets)

    def detach(self) -> int:
        """The descriptor, which is the caller's from now on; the device is as if closed."""
        descriptor, self._descriptor = self._descriptor, -1
        return descriptor

    def close(self) -> None:
        """Close it; a TUN interface that we made disappears. Closing twice is no harm."""
        descriptor = self.detach()  # first: closing takes a while, and a signal's handler may close it, too
        if descriptor >= 0:
            os.close(descriptor)
            if self._guard is not None:
                self._guard.close()


def list_pieces(outgoing: Outgoing) -> list[bytes | memoryview]:
    """The text, from where it lies, in as many pieces as one call takes."""
    if len(outgoing.text) > MOST_PIECES:
        return [join(outgoing.text)]
    return [memoryview(text.packet)[text.start : text.end] for text in outgoing.text]
