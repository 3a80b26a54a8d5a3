"""The lab: a network namespace with the kernel's own MPTCP in it, that always goes away again.

    with Lab() as lab:
        device = lab.open_tun()                       # the kernel is 10.77.0.1, we are 10.77.0.2
        peer = lab.peer("receive", "--listen", "10.77.0.1", "8000")
        ...                                           # talk to it through a Stack on the device
        print(lab.counters()["MPTcpExtMPCapableSYNRX"])

Nothing leaves the namespace: it has a loopback, the TUN interfaces that we open in it and, when two
labs are joined, a veth pair or a wire between them.

    device, wire = lab.open_wire(1, Line(rate=25_000_000, delay=25_000, loss=0.01))   # the second path
    wire.change(is_up=False)                                                          # and its end

A lab is taken down when its ``with`` ends, when the interpreter exits, and on SIGTERM and SIGHUP. One
whose process was killed outright is swept away by the next lab: a lock that dies with its owner, in
/run/mptcp-lab, tells which.
"""

import atexit
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Final, Self

from mptcp_stack import endpoints, network, peers
from mptcp_stack.device import Device
from mptcp_stack.forwarder import PERFECT, Line
from mptcp_stack.lock import Lock, sweep
from mptcp_stack.namespace import call_inside, create, remove
from mptcp_stack.peer import Peer
from mptcp_stack.signals import ENDING, held
from mptcp_stack.tun import open_tun
from mptcp_stack.wire import Wire, make_device

PREFIX: Final = "mptcp-"
TABLE: Final = 100  # the routes of path N are in table TABLE + N

SYSCTLS: Final[Mapping[str, str]] = {
    "net.ipv6.conf.all.router_solicitations": "0",
    "net.ipv6.conf.default.router_solicitations": "0",
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",  # no link-local address, so no reports about it
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv4.tcp_congestion_control": "reno",  # cubic is not for namespaces; bbr paces and is erratic
    "net.ipv4.tcp_no_metrics_save": "1",  # each connection starts afresh
    "net.mptcp.enabled": "1",
    "net.mptcp.checksum_enabled": "0",
    "net.mptcp.blackhole_timeout": "0",  # one lost SYN must not turn MPTCP off for an hour
}


class Lab:
    """A network namespace of our own. Raises OSError, in one sentence, without the right to make one."""

    def __init__(self, sysctls: Mapping[str, str] | None = None) -> None:
        self.name: Final = f"{PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        self._owner: Final = os.getpid()
        self._guard: Final = ExitStack()
        _watch(self)
        try:
            with held():
                sweep(PREFIX)
                self._guard.callback(Lock(self.name).release)
                self._guard.callback(remove, self.name)
                create(self.name)
                call_inside(self.name, lambda: network.prepare({**SYSCTLS, **(sysctls or {})}))
        except PermissionError as error:
            self.close()
            raise PermissionError(error.errno, "a lab needs root (or CAP_SYS_ADMIN)") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- interfaces ---------------------------------------------------------------------------------

    def open_tun(
        self,
        number: int = 0,
        mtu: int = 1500,
        offloads: bool = False,
        apart: bool = False,
        threaded: bool = False,
    ) -> Device:
        """The TUN interface ``tunN``: the kernel is 10.77.N.1 and fd77:N::1, we are .2 and ::2.

        ``apart``: a socket that the kernel has bound to it reaches our addresses elsewhere by it, too.
        """
        device = open_tun(
            f"tun{number}",
            ours=(f"10.77.{number}.2", f"fd77:{number:x}::2"),
            theirs=(f"10.77.{number}.1/24", f"fd77:{number:x}::1/64"),
            mtu=mtu,
            namespace=self.name,
            offloads=offloads,
            threaded=threaded,
        )
        self._guard.callback(device.close)
        if apart:
            call_inside(self.name, lambda: network.route_by_source(device.name, TABLE + number))
        return device

    def open_wire(
        self, number: int = 0, line: Line = PERFECT, *, mtu: int = 1500, seed: int = 1, apart: bool = True
    ) -> tuple[Device, Wire]:
        """As ``open_tun``, but with a wire between the kernel and us: way 0 leads to us.

        Without ``apart`` our address alone decides by which wire the kernel answers.
        """
        far = self.open_tun(number, mtu, apart=apart)
        device, end = make_device(f"wire{number}", far.addresses, mtu)
        self._guard.callback(device.close)
        return device, self._lay(far, end, line, seed)

    def lay_wire(
        self, other: "Lab", number: int = 0, line: Line = PERFECT, *, mtu: int = 1500, seed: int = 1
    ) -> Wire:
        """A wire to the kernel of another lab, which takes our place: way 0 leads there.

        What is behind TUN interfaces here is found from there by this wire: 10.79.N.0/24 and fd79:N::/64.
        """
        near = self.open_tun(number, mtu, apart=True)
        far = open_tun(
            f"tun{number}",
            ours=(),
            theirs=(f"10.77.{number}.2/24", f"fd77:{number:x}::2/64"),
            mtu=mtu,
            namespace=other.name,
            offloads=False,
        )
        call_inside(other.name, lambda: network.route_by_source(near.name, TABLE + number))
        behind = (f"10.79.{number}.0/24", f"fd79:{number:x}::/64")
        call_inside(self.name, lambda: network.route_by_source(near.name, TABLE + number, behind))
        call_inside(other.name, lambda: network.add_routes(near.name, behind))
        end = far.detach()
        return self._lay(near, end, line, seed)

    def limit(self, name: str, rate: int, queue: int = 262_144) -> None:
        """Let an interface send ``rate`` bit/s, by the kernel's own token bucket; ``queue`` octets wait."""
        call_inside(self.name, lambda: network.limit_rate(name, rate, queue))

    def _lay(self, near: Device, end: int, line: Line, seed: int) -> Wire:
        """The wire from the device, which is the wire's from now on, to the descriptor."""
        wire = Wire(near.detach(), end, line, seed)
        self._guard.callback(wire.close)
        return wire

    def join(self, other: "Lab", number: int = 0, offload: bool = True) -> None:
        """A veth pair to another lab: here 10.78.N.1 and fd78:N::1, there .2 and ::2 with a default
        route back here, so that it also reaches what is behind our TUN interfaces.

        Without ``offload`` each packet on it is of MTU size, as on a real wire.
        """
        here, there = f"veth{number}", f"veth{number}"
        call_inside(self.name, lambda: network.add_veth(here, there, other.name))
        addresses = (f"10.78.{number}.1/24", f"fd78:{number:x}::1/64")
        call_inside(self.name, lambda: network.set_up(here, addresses))
        addresses_there = (f"10.78.{number}.2/24", f"fd78:{number:x}::2/64")
        call_inside(other.name, lambda: network.set_up(there, addresses_there))
        if not offload:
            call_inside(self.name, lambda: network.switch_offload_off(here))
            call_inside(other.name, lambda: network.switch_offload_off(there))
        gateways = (f"10.78.{number}.1", f"fd78:{number:x}::1")
        call_inside(other.name, lambda: network.add_default_routes(gateways))

    # -- what runs inside ---------------------------------------------------------------------------

    def run(
        self, *command: str, timeout: float | None = 60, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside to its end, its output kept. Raises CalledProcessError, TimeoutExpired."""
        process = self.popen(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if check and process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command, out, err)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def popen(
        self,
        *command: str,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        """Start a command inside; it is ended with the lab at the latest."""

        def start() -> "subprocess.Popen[str]":
            return subprocess.Popen(
                command,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=env,
                encoding="utf-8",
                errors="replace",
            )

        return call_inside(self.name, start)

    def peer(self, *arguments: str) -> Peer:
        """Start a kernel program inside, as ``python -m mptcp_stack.peers`` takes its arguments."""
        process = self.popen(
            sys.executable,
            "-I",
            peers.__file__,
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        peer = Peer(process)
        self._guard.callback(peer.kill)
        return peer

    # -- what the kernel does there -----------------------------------------------------------------

    def set_sysctl(self, name: str, value: str | int) -> None:
        """Set one of the namespace's own: ``lab.set_sysctl("net.mptcp.checksum_enabled", 1)``."""
        call_inside(self.name, lambda: network.write_sysctl(name, str(value)))

    def lose(self, fraction: float) -> None:
        """Lose this fraction of the packets that this lab forwards, either way, by chance; 0 ends it.

        Only what passes through is lost (between a TUN interface and a joined lab): a packet dropped where
        it is made is not lost to its sender, which would know.
        """
        for tables in ("iptables", "ip6tables"):
            self.run(tables, "-w", "-F", "FORWARD")
            if fraction > 0:
                chance = ("-m", "statistic", "--mode", "random", "--probability", f"{fraction:.6f}")
                self.run(tables, "-w", "-A", "FORWARD", *chance, "-j", "DROP")

    def set_limits(self, subflows: int = 8, accepted: int = 8) -> None:
        """How many subflows beside the first the kernel has, and how many of the peer's addresses it uses."""
        call_inside(self.name, lambda: endpoints.set_limits(subflows, accepted))

    def add_endpoint(
        self, address: str, *flags: str, number: int = 0, port: int = 0, device: str | None = None
    ) -> None:
        """Tell the kernel's path manager of an address: "signal", "subflow", "backup", "fullmesh".

        ``number`` is its Address ID (0: any), ``device`` the interface that subflows from it leave by.
        """
        call_inside(self.name, lambda: endpoints.add(address, flags, number, port, device))

    def delete_endpoint(self, number: int, address: str | None = None) -> None:
        """Take one back, by its Address ID; ID 0 needs the address."""
        call_inside(self.name, lambda: endpoints.delete(number, address))

    def flush_endpoints(self) -> None:
        """Take all of them back."""
        call_inside(self.name, endpoints.flush)

    def change_endpoint(self, number: int, *flags: str) -> None:
        """Make it "backup" or "nobackup", "fullmesh" or "nofullmesh"; the peer is told."""
        self.run("ip", "mptcp", "endpoint", "change", "id", str(number), *flags)

    def counters(self) -> dict[str, int]:
        """The kernel's counters in here, under nstat's names: "MPTcpExtMPCapableSYNRX", "TcpRetransSegs"."""
        return call_inside(self.name, network.read_counters)

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """End what runs inside, close our devices, remove the namespace. Closing twice is no harm."""
        if os.getpid() != self._owner:
            return
        try:
            with held():
                self._guard.close()
        finally:
            _unwatch(self)


# -- labs that are open, and the signals that would leave them behind -----------------------------------

_labs: list[Lab] = []
_handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}


def _watch(lab: Lab) -> None:
    """Note an open lab; the first one takes over the signals that would end us without unwinding."""
    _labs.append(lab)
    if len(_labs) > 1 or threading.current_thread() is not threading.main_thread():
        return
    for number in ENDING:
        before = signal.getsignal(number)
        # Python's own SIGINT handler unwinds, and a handler of asyncio's or of the program's may too
        if before is signal.SIG_IGN or (number == signal.SIGINT and before is not signal.SIG_DFL):
            continue
        _handlers[number] = before
        signal.signal(number, _close_all_and_chain)


def _unwatch(lab: Lab) -> None:
    """Forget a lab; the last one gives the signals back."""
    if lab in _labs:
        _labs.remove(lab)
    if _labs or threading.current_thread() is not threading.main_thread():
        return
    for number, before in _handlers.items():
        if signal.getsignal(number) is _close_all_and_chain:
            signal.signal(number, before)
    _handlers.clear()


def _close_all() -> None:
    for lab in list(_labs):
        lab.close()


def _close_all_and_chain(number: int, frame: FrameType | None) -> None:
    """On a signal: take the labs down, then do what would have been done without us."""
    before = _handlers.get(number, signal.SIG_DFL)
    try:
        _close_all()
    finally:
        if callable(before):
            before(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def _close_at_exit() -> None:
    """What comes now must not keep one of them open."""
    with held():
        _close_all()


atexit.register(_close_at_exit)
