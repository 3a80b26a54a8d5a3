"""One host on one event loop: packets in, time, events out to the connections, packets out.

The road is the same whatever woke us: what came in is received, a deadline that has passed is told,
the application hears what happened and may act on it, and all that may leave now leaves.
"""

import asyncio
import errno
from collections import deque
from collections.abc import Callable
from typing import Final, final

from mptcp.connection.info import ConnectionInfo
from mptcp.events import Accepted, Event
from mptcp.host import Host
from mptcp.values import Address, Micros
from mptcp.wire.ip import read_destination, read_source
from mptcp.wire.segment import Outgoing
from mptcp_stack.clock import read_clock
from mptcp_stack.device import Device
from mptcp_stack.flow import DeviceGone, Flow

BURST: Final = 64  # packets taken from a device before the application gets its turn
BURST_OCTETS: Final = 1 << 20  # nor more than that: what was read is still in the processor's cache then
KEPT: Final = 8 << 20  # octets of freed memory that the process keeps for the next packets
QUEUE: Final = 1_000  # packets that wait for a device which is full; the next ones are lost
CROSSINGS: Final = 4_096  # paths that leave by another device than their address; more begin anew


@final
class Driver:
    """Drives ``host`` over ``devices`` from ``start`` to ``stop``; ``tap`` sees each packet that passes.

    Packets leave through the device that has their source address.
    """

    def __init__(
        self,
        host: Host,
        devices: tuple[Device, ...],
        clock: Callable[[], Micros] = read_clock,
        tap: Callable[[bytes], None] | None = None,
    ) -> None:
        self.host: Final = host
        self.clock: Final = clock
        self.flows: Final[dict[int, Flow]] = {}
        self.listeners: Final[dict[int, Callable[[Accepted], None]]] = {}
        self.lost: OSError | None = None  # why no packet can pass any more
        self.on_lost: Final[list[Callable[[OSError], None]]] = []
        self._queues: Final[dict[Device, deque[Outgoing]]] = {device: deque() for device in devices}
        self._routes: Final = {address: device for device in devices for address in device.addresses}
        self._meet()
        self._crossings: Final[dict[tuple[Address, Address], Device]] = {}  # paths from one to another
        self._tap: Final = tap
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        self._idle = asyncio.Event()

    # -- from outside -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        # glibc learns from a large piece that is freed to keep as much (mallopt(3), M_MMAP_THRESHOLD). Else
        # the memory of each burst goes back to the kernel, and comes again page by page
        bytes(KEPT)
        for device in self._queues:
            self._loop.add_reader(device.fileno(), self._arrive, device)
        self.wake()

    def stop(self) -> None:
        """End: what may leave now leaves, then no packet comes or goes. The devices stay open."""
        if self._loop is None:
            return
        self._turn()
        for device in list(self._queues):
            self._unplug(device)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = None

    def now(self) -> Micros:
        """The time that the host is told."""
        return self.clock()

    def devices(self) -> tuple[Device, ...]:
        """The devices that are still there."""
        return tuple(self._queues)

    def wake(self) -> None:
        """Something was asked of the host: let what may leave now leave, once the caller is done."""
        if not self._woken and self._loop is not None:
            self._woken = True
            self._loop.call_soon(self._turn)

    def abort(self, connection: int) -> ConnectionInfo:
        """End a connection at once, and release it: its reset leaves soon. How it stands at the end."""
        self.host.abort(connection, self.now())
        self.wake()
        return self.forget(connection)

    def forget(self, connection: int) -> ConnectionInfo:
        """Release a connection that is over. How it stands at the end."""
        info = self.host.status(connection)
        self.flows.pop(connection, None)
        self.host.forget(connection)
        self._check_idle()
        return info

    def check(self) -> None:
        """Raise the OSError that says why nothing can be reached, if so."""
        if self._loop is None:
            raise OSError("the stack is not running")
        if self.lost is not None:
            raise OSError(self.lost.errno, self.lost.strerror)

    # -- the road -----------------------------------------------------------------------------------

    def _arrive(self, device: Device) -> None:
        """A device can be read: take a burst of packets from it, then everything else."""
        host, now, start = self.host, self.clock(), device.framing.size
        tap, crosses = self._tap, len(self._queues) > 1
        is_looked_at = tap is not None or crosses or device.ports is not None  # else by the host alone
        gone: DeviceGone | None = None
        packets, octets = BURST, BURST_OCTETS
        try:
            while packets > 0 and octets > 0:
                packet = device.read()
                if packet is None:
                    break
                packets -= 1
                octets -= len(packet)
                if is_looked_at:
                    if not device.is_ours(packet):
                        continue
                    if tap is not None:
                        tap(packet[start:])
                    if crosses:
                        self._note_crossing(device, packet, start)
                host.receive(packet, now, device.checked, start)
        except DeviceGone as error:
            gone = error
        self._turn()
        if gone is not None:  # what came before is heard first
            self._lose(device, gone)

    def _turn(self) -> None:
        """Time, events, packets, until nothing more is to be done now."""
        if self._loop is None:
            self._woken = False
            return
        host, now = self.host, self.clock()
        deadline = host.deadline()
        self._woken = True  # whoever wakes us meanwhile has another round of this turn
        try:
            if deadline is not None and deadline <= now:
                host.tick(now)
            while True:
                events = host.events()
                for event in events:
                    self._dispatch(event)
                leaving = host.transmit(self.clock())  # later than what the events brought about
                for outgoing in leaving:
                    self._send(outgoing)
                if not events and not leaving:
                    break
        finally:
            self._woken = False
        self._set_timer()

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, Accepted):
            accept = self.listeners.get(event.listener)
            if accept is None:  # nobody listens any more
                self.abort(event.connection)
            else:
                accept(event)
            return
        flow = self.flows.get(event.connection)
        if flow is not None:
            flow.notify(event)

    def _set_timer(self) -> None:
        """Have ``_turn`` called at the host's deadline. A timer that is too early does no harm."""
        deadline = self.host.deadline()
        if deadline is None or self._loop is None:
            return
        when = self._loop.time() + max(0, deadline - self.clock()) / 1_000_000
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._turn()

    def _check_idle(self) -> None:
        if not self.flows:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no connection is left, those that their users closed included."""
        self._idle.clear()
        self._check_idle()
        await self._idle.wait()

    # -- devices ------------------------------------------------------------------------------------

    def plug(self, device: Device) -> None:
        """One more device; the host is told of its addresses by whoever knows what they are for."""
        self.lost = None
        self._queues[device] = deque()
        for address in device.addresses:
            self._routes.setdefault(address, device)
        self._meet()
        if self._loop is not None:
            self._loop.add_reader(device.fileno(), self._arrive, device)

    def release(self, device: Device) -> None:
        """A device is to go: the peers are told while they can be, and what it alone carried ends."""
        if device not in self._queues:
            return
        self._forsake(device, OSError(errno.ENETDOWN, f"the device {device.name} was taken away"))
        self._turn()
        self._unplug(device)

    def _meet(self) -> None:
        """A path may cross: each of our addresses by each device."""
        for device in self._queues:
            device.reachable = tuple(self._routes)

    def _send(self, outgoing: Outgoing) -> None:
        """Hand a packet to its device, or to the queue in front of it, which loses what it cannot hold."""
        device = self._find_route(outgoing)
        if device is None:
            return
        queue, tap, packets = self._queues[device], self._tap, device.fit(outgoing)
        if tap is not None:
            for packet in packets:
                tap(packet.octets())
        try:
            taken = 0 if queue else device.write_some(packets)
            for packet in packets[taken:]:
                self._wait(device, queue, packet)
        except DeviceGone as error:
            self._lose(device, error)

    def _wait(self, device: Device, queue: deque[Outgoing], packet: Outgoing) -> None:
        """Keep a packet until the device takes it, if there is room."""
        if len(queue) >= QUEUE:
            device.dropped += 1
        elif self._loop is not None:
            if not queue:
                self._loop.add_writer(device.fileno(), self._drain, device)
            queue.append(packet)

    def _find_route(self, outgoing: Outgoing) -> Device | None:
        """The device of the packet's source, or the one by which its destination talks to that."""
        source = read_source(outgoing.header)
        if self._crossings:
            device = self._crossings.get((source, read_destination(outgoing.header)))
            if device is not None and device in self._queues:
                return device
        return self._routes.get(source)

    def _note_crossing(self, device: Device, packet: bytes, start: int) -> None:
        """A packet came by another device than that of its destination: so do the answers go."""
        destination = read_destination(packet, start)
        if destination not in device.addresses:
            if len(self._crossings) >= CROSSINGS:
                self._crossings.clear()
            self._crossings[destination, read_source(packet, start)] = device

    def _drain(self, device: Device) -> None:
        """A device that was full takes packets again."""
        queue = self._queues[device]
        while queue and self._write(device, queue[0]):
            if device not in self._queues:
                return
            queue.popleft()
        if not queue and self._loop is not None:
            self._loop.remove_writer(device.fileno())

    def _write(self, device: Device, outgoing: Outgoing) -> bool:
        """Whether the device took the packet, or is gone and takes them all."""
        try:
            return device.write(outgoing)
        except DeviceGone as error:
            self._lose(device, error)
            return True

    def _unplug(self, device: Device) -> None:
        """Watch a device no more, and send nothing there."""
        del self._queues[device]
        for address in device.addresses:
            if self._routes.get(address) is device:
                del self._routes[address]
        if self._loop is not None and device.fileno() >= 0:
            self._loop.remove_reader(device.fileno())
            self._loop.remove_writer(device.fileno())

    def _lose(self, device: Device, error: OSError) -> None:
        """A device is gone: so are the connections over it, and with the last device all that listens."""
        if device not in self._queues:
            return
        self._unplug(device)
        self._forsake(device, error)
        if not self._queues:
            self.lost = error
            for tell in list(self.on_lost):
                tell(error)

    def _forsake(self, device: Device, error: OSError) -> None:
        """Its addresses are ours no more: subflows by other devices go on, or others may come."""
        for address in device.addresses:
            if self.host.interfaces.has(address):
                self.host.remove_address(address, self.clock())
        others = any(other is not device for other in self._queues)
        for handle, flow in list(self.flows.items()):
            if flow.local in device.addresses and not (others and self.host.status(handle).multipath):
                flow.fail(error)
