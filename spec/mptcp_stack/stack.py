"""A stack: the host, its devices and their place on the event loop, with asyncio's own calls on top.

    async with Stack(open_tun(ours=("10.77.0.2",), theirs=("10.77.0.1/24",))) as stack:
        reader, writer = await open_connection("10.77.0.1", 8000)

Within the ``async with``, ``open_connection`` and ``start_server`` of ``mptcp_stack.streams`` find it by
themselves.
"""

import asyncio
import contextvars
import errno
import ipaddress
import secrets
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, final

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Aborted, Established, Event
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.parameters import LONGEST_TEXT
from mptcp.values import Address, Micros, Port
from mptcp_stack.clock import read_clock
from mptcp_stack.device import FIRST_SHARED_PORT, Device
from mptcp_stack.entropy import draw_seed
from mptcp_stack.flow import Flow
from mptcp_stack.loop import Driver
from mptcp_stack.server import Server
from mptcp_stack.transport import StreamTransport, compute_error, format_endpoint

FIRST_DYNAMIC_PORT: Final = 49_152  # RFC 6335 §6
DYNAMIC_PORTS: Final = 16_384

ProtocolFactory = Callable[[], asyncio.BaseProtocol]

_current: contextvars.ContextVar["Stack"] = contextvars.ContextVar("mptcp stack")


def get_stack() -> "Stack":
    """The stack whose ``async with`` we are in. Raises RuntimeError outside of any."""
    try:
        return _current.get()
    except LookupError:
        raise RuntimeError("no running stack: say which one, or use 'async with Stack(...)'") from None


@final
class Opening(Flow):
    """An active open on its way: becomes a transport, or the exception that says why not."""

    def __init__(
        self,
        driver: Driver,
        connection: int,
        factory: ProtocolFactory,
        local: tuple[Address, Port],
        remote: tuple[Address, Port],
    ) -> None:
        self.local = local[0]
        self.done: Final[asyncio.Future[StreamTransport]] = asyncio.get_running_loop().create_future()
        self._driver: Final = driver
        self._connection: Final = connection
        self._factory: Final = factory
        self._remote: Final = remote
        driver.flows[connection] = self
        driver.wake()

    def notify(self, event: Event) -> None:
        """The open has succeeded, or not."""
        if isinstance(event, Established):
            self._establish()
        elif isinstance(event, Aborted):
            self._driver.forget(self._connection)
            if not self.done.done():
                self.done.set_exception(compute_error(event.error, format_endpoint(*self._remote)))

    def _establish(self) -> None:
        info = self._driver.host.status(self._connection)
        local = (info.local, info.local_port)
        try:
            protocol = self._factory()
        except Exception as error:
            self._driver.abort(self._connection)
            self.done.set_exception(error)
            return
        transport = StreamTransport(self._driver, self._connection, protocol, local, self._remote)
        if not self.done.done():
            self.done.set_result(transport)

    def fail(self, error: OSError) -> None:
        """There is no way any more."""
        self._driver.abort(self._connection)
        if not self.done.done():
            self.done.set_exception(OSError(error.errno, error.strerror))

    async def wait(self) -> StreamTransport:
        """The transport. If the waiting is given up, so is the connection."""
        try:
            return await self.done
        except asyncio.CancelledError:
            if self._driver.flows.get(self._connection) is self:
                self._driver.abort(self._connection)
            raise


@final
class Stack:
    """Our own host on ``devices``, which it closes at its end.

    ``choices`` are the host's; ``tap`` sees each packet that passes (``PcapWriter.write`` will do);
    ``linger`` is how many seconds the end waits for connections that were closed but have not ended: what
    was written is delivered. Connections that nobody closed are aborted.
    """

    def __init__(
        self,
        *devices: Device,
        choices: Choices | None = None,
        seed: bytes | None = None,
        journal: Journal | None = None,
        clock: Callable[[], Micros] = read_clock,
        tap: Callable[[bytes], None] | None = None,
        linger: float = 30.0,
    ) -> None:
        self._devices: Final = list(devices)
        self.choices: Final = choices or suit(devices)
        addresses = tuple(address for device in devices for address in device.addresses)
        self.linger: Final = linger
        host = Host(addresses, seed or draw_seed(), self.choices, journal)
        self.driver: Final = Driver(host, devices, clock, tap)
        self._servers: Final[set[Server]] = set()
        self._token: contextvars.Token[Stack] | None = None

    @property
    def devices(self) -> tuple[Device, ...]:
        """Those that it has now."""
        return tuple(self._devices)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Ours, now."""
        return self.host.interfaces.addresses

    def add_device(self, device: Device, *, is_backup: bool = False, is_signal: bool = False) -> None:
        """One more device, which the stack closes at its end; connections may use its addresses at once.

        ``is_backup``: only where no other can; ``is_signal``: peers are told, so that they may join them.
        Raises OSError with EADDRINUSE if an address is ours already.
        """
        for address in device.addresses:
            if self.host.interfaces.has(address):
                raise OSError(errno.EADDRINUSE, f"{ipaddress.ip_address(address)} is an address already")
        self._devices.append(device)
        self.driver.plug(device)
        for address in device.addresses:
            self.host.add_address(address, self.driver.now(), is_backup, is_signal)
        self.driver.wake()

    def remove_device(self, device: Device) -> None:
        """Take a device away and close it: peers are told, subflows by other devices go on."""
        self.driver.release(device)
        self._devices.remove(device)
        device.close()

    @property
    def host(self) -> Host:
        """The host itself: all the protocol's state."""
        return self.driver.host

    # -- life ---------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.driver.start()
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
        await self.close(self.linger if error is None else 0)

    async def close(self, linger: float = 0) -> None:
        """End it: no more servers, connections aborted or lingered for (seconds), devices closed."""
        for server in list(self._servers):
            server.close()
        for flow in list(self.driver.flows.values()):
            if isinstance(flow, StreamTransport) and not flow.is_closing():
                flow.abort()
        try:
            if self.driver.lost is None:
                async with asyncio.timeout(linger):
                    await self.driver.wait_idle()
        except TimeoutError:
            for flow in list(self.driver.flows.values()):
                flow.fail(OSError(errno.ENETDOWN, "the stack was stopped"))
            await asyncio.sleep(0)  # the resets leave
        finally:
            self.driver.stop()
            for device in self._devices:
                device.close()
        await asyncio.sleep(0)  # the protocols hear of their end

    # -- asyncio's calls ----------------------------------------------------------------------------

    async def create_connection(
        self,
        protocol_factory: ProtocolFactory,
        host: str,
        port: int,
        *,
        local_addr: tuple[str, int] | None = None,
        choices: Choices | None = None,
        first: bytes = b"",
    ) -> tuple[StreamTransport, asyncio.BaseProtocol]:
        """Open a connection; as ``loop.create_connection``, each address of the name in its turn.

        ``first`` is written before anything is heard: with ``choices.fast_open`` it goes with the SYN.

        Raises ConnectionRefusedError, ConnectionResetError, TimeoutError, OSError with EADDRNOTAVAIL,
        EADDRINUSE, EHOSTUNREACH, ENETUNREACH (no address of ours of that family), ENETDOWN (the device is
        gone), and socket.gaierror for a name that nobody knows.
        """
        errors: list[OSError] = []
        for address in await self.resolve(host, port):
            try:
                transport = await self._connect(protocol_factory, address, port, local_addr, choices, first)
            except OSError as error:
                errors.append(error)
                continue
            return transport, transport.get_protocol()
        raise errors[0]

    async def _connect(
        self,
        factory: ProtocolFactory,
        remote: Address,
        port: Port,
        local_addr: tuple[str, int] | None,
        choices: Choices | None,
        first: bytes,
    ) -> StreamTransport:
        self.driver.check()
        local, local_port = self._choose_local(remote, local_addr)
        try:
            connection = self.host.connect(local, remote, port, self.driver.now(), local_port, choices)
            if self.host.write(connection, first, self.driver.now()) < len(first):
                self.host.abort(connection, self.driver.now())
                raise OSError(errno.EMSGSIZE, "the first octets do not fit the send buffer")
        except Refused as error:
            raise OSError(errno.EADDRINUSE, error.reason) from error
        return await Opening(self.driver, connection, factory, (local, local_port), (remote, port)).wait()

    def _choose_local(self, remote: Address, local_addr: tuple[str, int] | None) -> tuple[Address, Port]:
        """Our address and port (0: the host's choice) for a connection to ``remote``. [R9293-3.9.1.1-04]"""
        if local_addr is not None:
            address = ipaddress.ip_address(local_addr[0]).packed
            self.check_ours(address)
            return address, local_addr[1]
        for address in self.addresses:
            if len(address) == len(remote):
                return address, 0
        family = "IPv4" if len(remote) == 4 else "IPv6"
        text = ipaddress.ip_address(remote)
        raise OSError(errno.ENETUNREACH, f"{text} cannot be reached: we have no {family} address")

    async def create_server(
        self,
        protocol_factory: ProtocolFactory,
        host: str | None = None,
        port: int = 0,
        *,
        backlog: int = 100,
        choices: Choices | None = None,
        start_serving: bool = True,
    ) -> Server:
        """Accept connections; as ``loop.create_server``. ``host`` None or "": all our addresses; port 0: any.

        Raises OSError with EADDRINUSE or EADDRNOTAVAIL.
        """
        addresses: list[Address | None] = [None]
        if host:
            found = await self.resolve(host, port)
            for address in found:
                self.check_ours(address)
            addresses = list(found)
        server = Server(
            self.driver,
            protocol_factory,
            addresses,
            port or self._choose_port(),
            vary(choices or self.choices, backlog=backlog),
            self._servers,
        )
        if start_serving:
            await server.start_serving()
        return server

    def _choose_port(self) -> Port:
        """A dynamic port that is free as far as listening goes."""
        busy = {server.port for server in self._servers}
        while True:
            port = FIRST_DYNAMIC_PORT + secrets.randbelow(DYNAMIC_PORTS)
            if port not in busy:
                return port

    def check_ours(self, address: Address) -> None:
        """Raise OSError with EADDRNOTAVAIL for an address that is not ours."""
        if address not in self.addresses:
            ours = ", ".join(str(ipaddress.ip_address(one)) for one in self.addresses)
            text = ipaddress.ip_address(address)
            raise OSError(errno.EADDRNOTAVAIL, f"{text} is not an address of this stack, which has {ours}")

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses that a name or a written address stands for. Raises socket.gaierror."""
        try:
            return (ipaddress.ip_address(host).packed,)
        except ValueError:
            pass
        loop = asyncio.get_running_loop()
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return tuple(dict.fromkeys(ipaddress.ip_address(answer[4][0]).packed for answer in answers))


def suit(devices: tuple[Device, ...], **changes: Any) -> Choices:
    """The choices that suit these devices: their MTU, and long segments, which each cuts in its way."""
    mtu = min([device.mtu for device in devices], default=1500)
    fields: dict[str, Any] = {"mtu": mtu, "offload": LONGEST_TEXT}
    if any(device.ports is not None for device in devices):
        fields["first_port"] = FIRST_SHARED_PORT
    return Choices(**{**fields, **changes})


def vary(choices: Choices, **changes: Any) -> Choices:
    """The same choices but for some."""
    fields = {name: getattr(choices, name) for name in choices.__match_args__}
    return Choices(**{**fields, **changes})
