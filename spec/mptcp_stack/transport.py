"""A connection as an asyncio transport: what ``asyncio``'s own does over a socket, over our host.

StreamReader, StreamWriter and any other protocol of asyncio sit on it unchanged.
"""

import asyncio
import errno
import ipaddress
from collections import deque
from collections.abc import Callable
from typing import Any, Final, final

from mptcp.connection.info import ConnectionInfo
from mptcp.errors import Refused
from mptcp.events import Aborted, Closed, Event, Finished, Readable, Writable
from mptcp.values import Address, Port
from mptcp_stack.flow import Flow
from mptcp_stack.loop import Driver

READ_SIZE: Final = 65_536  # octets handed to the application in one piece
HIGH_WATER: Final = 65_536  # octets waiting in front of the host; asyncio's default


def format_endpoint(address: Address, port: Port) -> tuple[Any, ...]:
    """An address and port as the socket module has them: two fields for IPv4, four for IPv6."""
    text = str(ipaddress.ip_address(address))
    return (text, port) if len(address) == 4 else (text, port, 0, 0)


def compute_error(reason: str, where: tuple[Any, ...]) -> OSError:
    """The standard exception for the end of a connection that the host calls ``reason``."""
    if reason == "refused":
        return ConnectionRefusedError(errno.ECONNREFUSED, f"the connection to {where} was refused")
    if reason == "reset":
        return ConnectionResetError(errno.ECONNRESET, f"the connection to {where} was reset by the peer")
    if reason == "timed out":
        return TimeoutError(errno.ETIMEDOUT, f"the connection to {where} timed out: no answer")
    if reason == "user timeout":
        return TimeoutError(
            errno.ETIMEDOUT, f"{where} has acknowledged nothing for longer than the user timeout"
        )
    return OSError(errno.EHOSTUNREACH, f"{where} cannot be reached")


@final
class Lingering(Flow):
    """A connection that its user has closed: it ends in its own time, unless text comes for nobody.

    [R9293-3.6.1-02] [R9293-3.6.1-04]
    """

    def __init__(self, transport: "StreamTransport", driver: Driver) -> None:
        self.local = transport.local
        self._transport: Final = transport
        self._driver: Final = driver
        self._connection: Final = transport.connection
        driver.flows[self._connection] = self
        driver.host.close(self._connection, driver.now())
        driver.wake()
        self._refuse()

    def notify(self, event: Event) -> None:
        """Wait for the end."""
        if isinstance(event, (Aborted, Closed)):
            self._transport.info = self._driver.forget(self._connection)
        elif isinstance(event, Readable):
            self._refuse()

    def _refuse(self) -> None:
        """Text that nobody will read resets the connection, as a closed socket does (RFC 9293 §3.10.4)."""
        if self._driver.host.read(self._connection, 1, self._driver.now()):
            self._transport.info = self._driver.abort(self._connection)

    def fail(self, error: OSError) -> None:
        """Nobody is there to hear it."""
        self._transport.info = self._driver.abort(self._connection)


@final
class StreamTransport(asyncio.Transport, Flow):
    """One connection for one asyncio protocol.

    ``get_extra_info`` knows "peername", "sockname" and "mptcp": the connection's ConnectionInfo, which
    after its end stays as it was last.
    """

    # asyncio asks this before it puts TLS on a transport
    _start_tls_compatible = True

    def __init__(
        self,
        driver: Driver,
        connection: int,
        protocol: asyncio.BaseProtocol,
        local: tuple[Address, Port],
        remote: tuple[Address, Port],
        on_lost: Callable[["StreamTransport"], None] | None = None,
    ) -> None:
        super().__init__({"peername": format_endpoint(*remote), "sockname": format_endpoint(*local)})
        self.local = local[0]
        self.connection: Final = connection
        self._driver: Final = driver
        self._loop: Final = asyncio.get_running_loop()
        self._protocol = protocol
        self._on_lost: Final = on_lost
        self.info: ConnectionInfo | None = None  # the last one, once the host has forgotten the connection
        self._buffer: Final[deque[bytes]] = deque()
        self._offset = 0  # octets of the first piece that the host has taken
        self._buffered = 0
        self._low, self._high = HIGH_WATER // 4, HIGH_WATER
        self._paused_protocol = False
        self._paused = False
        self._closing = False
        self._eof_asked = False  # by write_eof
        self._eof_sent = False  # and the host knows
        self._eof_came = False  # the peer sends no more
        self._eof_told = False  # and the protocol knows
        self._over = False  # both ways, or aborted: the host has nothing more to do
        driver.flows[connection] = self
        self._call(protocol.connection_made, self)

    # -- what the loop tells us ---------------------------------------------------------------------

    def notify(self, event: Event) -> None:
        """What happened to the connection."""
        if isinstance(event, Readable):
            self._read()
        elif isinstance(event, Writable):
            self._flush()
        elif isinstance(event, Finished):
            self._eof_came = True
            self._read()
        elif isinstance(event, Closed):
            self._over = True
        elif isinstance(event, Aborted):
            self._over = True
            self._end(compute_error(event.error, self.get_extra_info("peername")))

    def fail(self, error: OSError) -> None:
        """There is no way any more."""
        self._abort(OSError(error.errno, error.strerror))

    # -- reading ------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Hand over what there is, until there is nothing more or the protocol has enough."""
        driver = self._driver
        read, now = driver.host.read, driver.now()
        while not self._paused and not self._closing:
            octets = read(self.connection, READ_SIZE, now)
            if not octets:
                break
            driver.wake()  # the window has grown
            self._hand_over(octets)
        if self._eof_came and not (self._eof_told or self._paused or self._closing):
            self._eof_told = True
            assert isinstance(self._protocol, (asyncio.Protocol, asyncio.BufferedProtocol))
            if not self._call(self._protocol.eof_received):
                self.close()

    def _hand_over(self, octets: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            assert isinstance(protocol, asyncio.Protocol)
            self._call(protocol.data_received, octets)
            return
        while octets and not self._closing:
            room = memoryview(self._call(protocol.get_buffer, len(octets)) or b"")
            taken = min(len(room), len(octets))
            if taken == 0:
                self._fatal(RuntimeError("get_buffer() returned an empty buffer"))
                return
            room[:taken] = octets[:taken]
            self._call(protocol.buffer_updated, taken)
            octets = octets[taken:]

    def is_reading(self) -> bool:
        """Whether received octets are handed over as they come."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Hand over no more; the peer's window closes when our buffers are full."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand over again."""
        if self._paused and not self._closing:
            self._paused = False
            self._loop.call_soon(self._read)

    # -- writing ------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send octets, sooner or later; never blocks. Raises RuntimeError after write_eof."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._eof_asked:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return
        self._buffer.append(bytes(data))
        self._buffered += len(self._buffer[-1])
        self._flush()
        if self._buffered > self._high and not self._paused_protocol:
            self._paused_protocol = True
            self._call(self._protocol.pause_writing)

    def write_urgent(self, data: bytes) -> None:
        """As ``send`` with MSG_OOB: the peer is told to hurry up to here. Raises OSError.

        EOPNOTSUPP where MPTCP is spoken, which has no urgent data; EAGAIN behind octets that wait here.
        """
        if self._buffer:
            raise OSError(errno.EAGAIN, "octets wait to be sent")
        try:
            self._driver.host.write(self.connection, data, self._driver.now(), is_urgent=True)
        except Refused as error:
            raise OSError(errno.EOPNOTSUPP, error.reason) from error
        self._driver.wake()

    def tune(
        self,
        keep_alive: bool | None = None,
        user_timeout: float | None = None,
        hop_limit: int | None = None,
        dscp: int | None = None,
        nagle: bool | None = None,
    ) -> None:
        """What setsockopt sets elsewhere: SO_KEEPALIVE, TCP_USER_TIMEOUT (seconds), IP_TTL, IP_TOS >> 2.

        ``nagle`` False is TCP_NODELAY.

        None leaves a thing as it is. Raises ValueError out of range, OSError (ENOTCONN) after the end.
        """
        if self._over:
            raise OSError(errno.ENOTCONN, "the connection is over")
        micros = None if user_timeout is None else round(user_timeout * 1_000_000)
        try:
            host, now = self._driver.host, self._driver.now()
            host.tune(self.connection, now, keep_alive, micros, hop_limit, dscp, nagle)
        except Refused as error:
            raise ValueError(error.reason) from error
        self._driver.wake()

    def _flush(self) -> None:
        """Give the host as much as it takes; when all is given, what was to follow follows."""
        host, now = self._driver.host, self._driver.now()
        while self._buffer:
            piece = self._buffer[0]
            try:
                taken = host.write(self.connection, piece, now, start=self._offset)
            except Refused as error:
                self._fatal(ConnectionAbortedError(errno.ECONNABORTED, error.reason))
                return
            if taken:
                self._driver.wake()
            self._buffered -= taken
            self._offset += taken
            if self._offset < len(piece):
                break
            self._buffer.popleft()
            self._offset = 0
        self._maybe_resume_protocol()
        if not self._buffer:
            if self._closing:
                self._end(None)
            elif self._eof_asked and not self._eof_sent:
                self._eof_sent = True
                host.close(self.connection, now)
                self._driver.wake()

    def _maybe_resume_protocol(self) -> None:
        if self._paused_protocol and self._buffered <= self._low:
            self._paused_protocol = False
            self._call(self._protocol.resume_writing)

    def can_write_eof(self) -> bool:
        """Yes: a connection can be half-closed."""
        return True

    def write_eof(self) -> None:
        """Send no more once what was written is sent; reading goes on."""
        if self._closing or self._eof_asked:
            return
        self._eof_asked = True
        if not self._buffer:
            self._flush()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When to tell the protocol to pause (above ``high`` octets) and resume (at ``low``)."""
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        if self._buffered > self._high and not self._paused_protocol:
            self._paused_protocol = True
            self._call(self._protocol.pause_writing)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """(low, high), octets."""
        return self._low, self._high

    def get_write_buffer_size(self) -> int:
        """Octets written that the host has not taken yet."""
        return self._buffered

    def writelines(self, list_of_data: Any) -> None:
        """Write a list of octets."""
        self.write(b"".join(list_of_data))

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what was written, then close; nothing more is received."""
        if self._closing:
            return
        self._closing = True
        if not self._buffer:
            self._end(None)

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""
        return self._closing

    def abort(self) -> None:
        """Close at once; what was not sent is lost, and the peer sees a reset."""
        self._abort(None)

    def _abort(self, error: BaseException | None) -> None:
        if self._driver.flows.get(self.connection) is self:
            self.info = self._driver.abort(self.connection)
            self._over = True
            self._finish(error)

    def _end(self, error: BaseException | None) -> None:
        """Part from the host, which closes in its own time."""
        if self._driver.flows.get(self.connection) is self:
            if self._over:
                self.info = self._driver.forget(self.connection)
            else:
                Lingering(self, self._driver)
            self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        """Tell the protocol, soon."""
        self._closing = True
        self._buffer.clear()
        self._offset = self._buffered = 0
        self._loop.call_soon(self._lose, error)

    def _lose(self, error: BaseException | None) -> None:
        self._call(self._protocol.connection_lost, error)
        if self._on_lost is not None:
            self._on_lost(self)

    def _fatal(self, error: BaseException) -> None:
        """Our side is at fault: tell, and end it as asyncio does."""
        if not isinstance(error, OSError):
            self._loop.call_exception_handler(
                {
                    "message": "Fatal error: protocol call failed.",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )
        self._abort(error)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call the protocol; what it raises is its own fault and ends the connection."""
        try:
            return function(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._fatal(error)
            return None

    # -- about it -----------------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Put another protocol on top."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol on top."""
        return self._protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See the class."""
        if name == "mptcp":
            return self.info or self._driver.host.status(self.connection)
        return super().get_extra_info(name, default)
