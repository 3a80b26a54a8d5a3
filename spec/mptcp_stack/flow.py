"""Who hears what becomes of a connection, and how a device says that it is no more."""

import errno

from mptcp.events import Event
from mptcp.values import Address


class Flow:
    """Whoever wants to know what becomes of one connection."""

    local: Address = b""
    """Our address of it: its fate is tied to the device that has this address."""

    def notify(self, event: Event) -> None:
        """Something happened to the connection."""
        raise NotImplementedError

    def fail(self, error: OSError) -> None:
        """There is no way any more to reach the other side."""
        raise NotImplementedError


class DeviceGone(OSError):
    """The device was taken away: nothing will come from it and nothing can leave through it."""

    def __init__(self, name: str) -> None:
        super().__init__(errno.ENETDOWN, f"the device {name} has gone away")
