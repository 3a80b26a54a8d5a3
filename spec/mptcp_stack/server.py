"""A listener as asyncio has it: accepts connections until it is closed."""

import asyncio
import contextlib
import errno
from collections.abc import Callable
from typing import Any, Final, final

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Accepted
from mptcp.values import Address, Port
from mptcp_stack.loop import Driver
from mptcp_stack.transport import StreamTransport, format_endpoint


@final
class Listening:
    """Where a server listens; asked as the sockets of asyncio's servers are."""

    def __init__(self, name: tuple[Any, ...]) -> None:
        self._name: Final = name

    def getsockname(self) -> tuple[Any, ...]:
        """Address and port."""
        return self._name


@final
class Server(asyncio.AbstractServer):
    """What ``start_server`` returns; an asynchronous context manager that closes it."""

    def __init__(
        self,
        driver: Driver,
        factory: Callable[[], asyncio.BaseProtocol],
        addresses: list[Address | None],
        port: Port,
        choices: Choices,
        registry: "set[Server]",
    ) -> None:
        self.port: Final = port
        self._driver: Final = driver
        self._factory: Final = factory
        self._addresses: Final = addresses
        self._choices: Final = choices
        self._registry: Final = registry
        self._listeners: Final[list[int]] = []
        self._active: Final[set[StreamTransport]] = set()
        self._loop: Final = asyncio.get_running_loop()
        self._ended: Final = asyncio.Event()  # closed, and no connection of it is left
        self._closed = False
        self._forever: asyncio.Future[None] | None = None

    @property
    def sockets(self) -> tuple[Listening, ...]:
        """Where it listens; empty once closed."""
        if not self._listeners:
            return ()
        named = [address for address in self._addresses if address is not None]
        ours = [address for device in self._driver.devices() for address in device.addresses]
        return tuple(Listening(format_endpoint(address, self.port)) for address in named or ours)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop it was made on."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether it accepts connections."""
        return bool(self._listeners)

    async def start_serving(self) -> None:
        """Begin to accept. Raises OSError with EADDRINUSE; doing it twice is no harm."""
        if self._listeners or self._closed:
            return
        self._driver.check()
        try:
            for address in self._addresses:
                listener = self._driver.host.listen(address, self.port, self._choices)
                self._listeners.append(listener)
                self._driver.listeners[listener] = self._accept
        except Refused as error:
            self._unlisten()
            raise OSError(errno.EADDRINUSE, f"port {self.port}: {error.reason}") from error
        self._registry.add(self)
        self._driver.on_lost.append(self._fail)

    async def serve_forever(self) -> None:
        """Accept until cancelled or closed. Raises the OSError that took the device away."""
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._closed:
            raise RuntimeError(f"server {self!r} is closed")
        await self.start_serving()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        finally:
            self._forever = None
            self.close()

    def close(self) -> None:
        """Accept no more; connections that were accepted go on."""
        self._closed = True
        self._unlisten()
        self._registry.discard(self)
        with contextlib.suppress(ValueError):
            self._driver.on_lost.remove(self._fail)
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._check_ended()

    async def wait_closed(self) -> None:
        """Wait until it is closed and its last connection is lost."""
        await self._ended.wait()

    # -- what the loop tells us ---------------------------------------------------------------------

    def _accept(self, event: Accepted) -> None:
        try:
            protocol = self._factory()
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "Error on transport creation for incoming connection", "exception": error}
            )
            self._driver.abort(event.connection)
            return
        local, remote = (event.local, event.local_port), (event.remote, event.remote_port)
        transport = StreamTransport(
            self._driver, event.connection, protocol, local, remote, on_lost=self._forget
        )
        self._active.add(transport)

    def _forget(self, transport: StreamTransport) -> None:
        self._active.discard(transport)
        self._check_ended()

    def _fail(self, error: OSError) -> None:
        if self._forever is not None and not self._forever.done():
            self._forever.set_exception(OSError(error.errno, error.strerror))
        self.close()

    def _unlisten(self) -> None:
        while self._listeners:
            listener = self._listeners.pop()
            self._driver.listeners.pop(listener, None)
            self._driver.host.unlisten(listener)

    def _check_ended(self) -> None:
        if self._closed and not self._active:
            self._ended.set()
