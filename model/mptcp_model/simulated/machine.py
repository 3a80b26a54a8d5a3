"""A machine: one protocol host with its interfaces and the applications on top of it.

This is the loop that drives a host, in its smallest form: receive or tick, hand the events to the
applications, transmit until nothing more may leave. ``mptcp_stack`` does the same with a real
device and a real clock.
"""

from mptcp.choices import Choices
from mptcp.events import Accepted, Event
from mptcp.host import Host
from mptcp.values import Address, Micros, Port
from mptcp.wire.cutting import cut
from mptcp_model.simulated.applications import Application
from mptcp_model.state import State


class Machine(State):
    """A host named ``name``; ``interfaces`` tells by which link the packets of an address leave."""

    FIELDS = ("name", "host", "interfaces", "applications", "servers", "homeless")

    def __init__(self, name: str, host: Host, interfaces: dict[Address, str]) -> None:
        self.name = name
        self.host = host
        self.interfaces = interfaces
        self.applications: dict[int, Application] = {}
        self.servers: dict[int, Application] = {}
        self.homeless = 0

    # -- the user -------------------------------------------------------------------------------
    def listen(
        self, port: Port, pattern: Application, address: Address | None = None, choices: Choices | None = None
    ) -> int:
        """Serve ``port``: each connection accepted gets a copy of ``pattern``. The listener's handle."""
        listener = self.host.listen(address, port, choices)
        self.servers[listener] = pattern
        return listener

    def connect(
        self,
        local: Address,
        remote: Address,
        port: Port,
        application: Application,
        now: Micros,
        choices: Choices | None = None,
    ) -> int:
        """Open a connection that ``application`` will use. The connection's handle."""
        connection = self.host.connect(local, remote, port, now, choices=choices)
        application.connection = connection
        self.applications[connection] = application
        return connection

    # -- the loop -------------------------------------------------------------------------------
    def arrive(self, packet: bytes, now: Micros) -> list[tuple[str, bytes]]:
        """A packet comes in; what leaves in turn, each with the name of its link."""
        self.host.receive(packet, now)
        return self.turn(now)

    def wake(self, now: Micros) -> list[tuple[str, bytes]]:
        """Time has passed; what leaves, each with the name of its link."""
        return self.turn(now)

    def turn(self, now: Micros) -> list[tuple[str, bytes]]:
        """Timers, events and output, until all three have nothing more to say."""
        self.tick(now)
        leaving = self.flush(now)
        while self.deliver(now):
            leaving += self.flush(now)
        return leaving

    def tick(self, now: Micros) -> None:
        """Run the timers whose moment has come, the applications' too."""
        due = self.host.deadline()
        if due is not None and due <= now:
            self.host.tick(now)
        for application in list(self.applications.values()):
            due = application.deadline()
            if due is not None and due <= now:
                application.on_alarm(self.host, now)

    def deliver(self, now: Micros) -> bool:
        """Hand the host's events to the applications; whether there were any."""
        events = self.host.events()
        for event in events:
            self.find(event).on_event(self.host, event, now)
        return bool(events)

    def find(self, event: Event) -> Application:
        """The application that an event is for; a new one if it says Accepted."""
        if isinstance(event, Accepted):
            application = self.servers[event.listener].copy()
            application.connection = event.connection
            self.applications[event.connection] = application
        return self.applications[event.connection]

    def flush(self, now: Micros) -> list[tuple[str, bytes]]:
        """All that the host may send now, each packet with the name of its link."""
        leaving: list[tuple[str, bytes]] = []
        while outgoing := self.host.transmit(now):
            for one in [part for whole in outgoing for part in cut(whole)]:
                packet = one.octets()
                link = self.interfaces.get(get_source(packet))
                if link is None:
                    self.homeless += 1
                else:
                    leaving.append((link, packet))
        return leaving

    def deadline(self) -> Micros | None:
        """When to wake this machine, or None."""
        moments = [self.host.deadline()]
        moments += [application.deadline() for application in self.applications.values()]
        return min((moment for moment in moments if moment is not None), default=None)


def get_source(packet: bytes) -> Address:
    """The source address of an IP packet that we made."""
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
