"""What the application may know: values that ``host.events()`` hands out.

Each is told once, found by comparing the connection before and after (never inside a rule).
"""

from typing import Final, TypeAlias, final

from mptcp.values import Address, Port, Value


@final
class Accepted(Value):
    """A passive open is ESTABLISHED: the connection ``connection`` came through ``listener``."""

    __match_args__ = ("connection", "listener", "local", "local_port", "remote", "remote_port")

    def __init__(
        self,
        connection: int,
        listener: int,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
    ) -> None:
        self.connection: Final = connection
        self.listener: Final = listener
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port


@final
class Established(Value):
    """An active open is ESTABLISHED."""

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Readable(Value):
    """Octets may be read that were not there before."""

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Writable(Value):
    """There is room again after a write that was cut short."""

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Finished(Value):
    """The peer will send no more (DATA_FIN, or FIN of plain TCP); what came before may still be read."""

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Urgent(Value):
    """Urgent data of the peer comes, or more than was told (RFC 9293 §3.8.5); ``status`` says how much.

    [R9293-3.8.5-03]
    """

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Troubled(Value):
    """Nothing ends, but something is wrong: "retransmissions" or "unreachable" (RFC 9293 §3.9.1.8)."""

    __match_args__ = ("connection", "reason")

    def __init__(self, connection: int, reason: str) -> None:
        self.connection: Final = connection
        self.reason: Final = reason


@final
class FellBack(Value):
    """Plain TCP from here on, and why (RFC 8684 §3.7)."""

    __match_args__ = ("connection", "reason")

    def __init__(self, connection: int, reason: str) -> None:
        self.connection: Final = connection
        self.reason: Final = reason


@final
class Closed(Value):
    """Both directions ended in order and all that was written has been acknowledged."""

    __match_args__ = ("connection",)

    def __init__(self, connection: int) -> None:
        self.connection: Final = connection


@final
class Aborted(Value):
    """The connection is over, and not in order: refused, reset, timed out or unreachable."""

    __match_args__ = ("connection", "error")

    def __init__(self, connection: int, error: str) -> None:
        self.connection: Final = connection
        self.error: Final = error


@final
class SubflowEstablished(Value):
    """Another subflow is part of the connection (RFC 8684 §3.2); of the first one Established tells."""

    __match_args__ = ("connection", "local", "local_port", "remote", "remote_port", "is_backup")

    def __init__(
        self,
        connection: int,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
        is_backup: bool,
    ) -> None:
        self.connection: Final = connection
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port
        self.is_backup: Final = is_backup


@final
class SubflowClosed(Value):
    """A subflow is over and the connection is not; ``error`` is empty when it ended in order."""

    __match_args__ = ("connection", "local", "local_port", "remote", "remote_port", "error")

    def __init__(
        self,
        connection: int,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
        error: str,
    ) -> None:
        self.connection: Final = connection
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port
        self.error: Final = error


@final
class AddressAnnounced(Value):
    """The peer may be reached at this address as well (RFC 8684 §3.4.1)."""

    __match_args__ = ("connection", "address", "port")

    def __init__(self, connection: int, address: Address, port: Port) -> None:
        self.connection: Final = connection
        self.address: Final = address
        self.port: Final = port


@final
class AddressRemoved(Value):
    """The peer has lost this address (RFC 8684 §3.4.2)."""

    __match_args__ = ("connection", "address", "port")

    def __init__(self, connection: int, address: Address, port: Port) -> None:
        self.connection: Final = connection
        self.address: Final = address
        self.port: Final = port


PathEvent: TypeAlias = SubflowEstablished | SubflowClosed | AddressAnnounced | AddressRemoved
"""What only those want to know who care for paths."""

Event: TypeAlias = (
    Accepted
    | Established
    | Readable
    | Writable
    | Urgent
    | Troubled
    | Finished
    | FellBack
    | Closed
    | Aborted
    | PathEvent
)
