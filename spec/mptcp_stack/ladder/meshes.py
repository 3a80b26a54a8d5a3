"""Rungs of several subflows: each is a function of the ground, and raises Fell.

What happens midway does so while both sides have octets to send: half of ours is sent, nothing of the
kernel's is read, and the windows are smaller than what is left.
"""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mptcp_stack.ladder import transfers
from mptcp_stack.ladder.endings import PAUSE, PIECE, hear_reset
from mptcp_stack.ladder.ground import POLL, Ground, Talk, aside, choose_address, require, together
from mptcp_stack.ladder.rung import CLIENT, FEW, SERVER
from mptcp_stack.ladder.transfers import swap

ESTABLISHED: Final = "established"
JOINED: Final = ("rcv MP_JOIN on ACK", "rcv MP_JOIN on SYN/ACK")  # rules of the journal
FAILED: Final = "join failed"
CALLED: Final = "active OPEN"
NOWHERE: Final = 9  # a path that is not there
SIP: Final = 65_536  # octets read while we wait
ADD_ADDR: Final = 3  # subtype
PORT: Final = 8_443  # of addresses that are announced with one


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """An address of the kernel on a path, and what its path manager is to do with it.

    ``role``: only where that is ours; ``family`` 0: the rung's.
    """

    path: int
    flags: tuple[str, ...]
    port: int = 0
    role: str = ""
    family: int = 0


Midway = Callable[[Ground, Talk], Awaitable[None]]
Before = Callable[[Ground], Awaitable[None]]


async def mesh(
    ground: Ground,
    *,
    endpoints: tuple[Endpoint, ...] = (),
    signals: tuple[int, ...] = (),
    spares: tuple[int, ...] = (),
    port: int = 0,
    limits: tuple[int, int] = (8, 8),
    subflows: int | dict[str, int] = 2,
    before: Before | None = None,
    midway: Midway | None = None,
    one_way: bool = False,
) -> None:
    """A transfer both ways over so many subflows (by role, if they differ).

    ``signals`` are paths of ours whose address we announce where we are the server, with ``port``; ``spares``
    those that are for backup. ``limits`` are the kernel's. ``one_way``: the kernel sends nothing.
    """
    prepare(ground, endpoints, signals, spares, port, limits)
    if before is not None:
        await before(ground)
    talk = await begin(ground, one_way)
    wanted = subflows if isinstance(subflows, int) else subflows[ground.role]
    await wait_for(talk, wanted)
    if midway is None:
        await swap(talk)
    else:
        await talk.send(ground.rung.octets // 2, end=False)
        await midway(ground, talk)
        await together(talk.send(ground.rung.octets // 2), talk.receive())
        await talk.close()
        await talk.check()
    joined = ground.count("MPTcpExtMPJoinAckRx") + ground.count("MPTcpExtMPJoinSynAckRx")
    require(joined >= wanted - 1, f"the kernel counted {joined} joins")
    noted = sum(ground.count_notes(rule) for rule in JOINED)
    require(noted >= wanted - 1, f"our journal has {noted} joins")


async def begin(ground: Ground, one_way: bool = False) -> Talk:
    """A connection on which the kernel sends a little, and the rest when it hears of us.

    Before that nobody is sure enough of the other to join [RFC 8684 §3.1]; and after all was sent the kernel
    joins no more.
    """
    source = ("--source", ground.kernel)
    if one_way:
        talk = await ground.open("receive", *source)
        await talk.send(FEW, end=False)
        return talk
    return await ground.open("exchange", "--octets", str(ground.rung.octets), "--in-turn", *source)


def prepare(
    ground: Ground,
    endpoints: tuple[Endpoint, ...],
    signals: tuple[int, ...],
    spares: tuple[int, ...],
    port: int,
    limits: tuple[int, int],
) -> None:
    """Tell both path managers what there is."""
    ground.lab.set_limits(*limits)
    if any(endpoint.family for endpoint in endpoints):
        ground.anywhere = "::"
    for endpoint in endpoints:
        if endpoint.role in ("", ground.role):
            add(ground, endpoint)
    if ground.role == SERVER:
        for path in signals:
            ground.declare(path, is_signal=True, port=port)
    for path in spares:
        ground.declare(path, is_backup=True)


def add(ground: Ground, endpoint: Endpoint, number: int = 0) -> None:
    """One more endpoint of the kernel."""
    address = choose_address(endpoint.family or ground.family, endpoint.path, 1)
    device = f"tun{endpoint.path}" if endpoint.path < NOWHERE else None
    ground.lab.add_endpoint(address, *endpoint.flags, number=number, port=endpoint.port, device=device)


async def wait_for(talk: Talk, count: int) -> None:
    """Wait until so many subflows are established."""

    def holds() -> bool:
        return count_subflows(talk) == count

    try:
        await talk.ground.wait_until(holds, "")
    except Exception as error:
        require(False, f"{count_subflows(talk)} subflows where {count} were expected ({error})")


async def fade(talk: Talk, count: int) -> None:
    """Wait until so many are left, and read: a FIN stands behind the text before it."""

    async def read() -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await talk.receive(SIP)
            await asyncio.sleep(POLL)

    reading = asyncio.create_task(read())
    try:
        await wait_for(talk, count)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    if talk.ground.count("TcpExtTCPAbortOnData"):
        talk.ground.deviate("ends a subflow that works with RST [R8684-3.4.2-16]")


def count_subflows(talk: Talk) -> int:
    """How many are established."""
    return sum(one.joining == ESTABLISHED for one in talk.info.subflows)


# -- midway ---------------------------------------------------------------------------------------------


async def die(path: int, ground: Ground, talk: Talk) -> None:
    """Nothing passes on one path any more."""
    await aside(partial(ground.wires[path].change, is_up=False))


async def die_and_return(path: int, ground: Ground, talk: Talk) -> None:
    """Nothing passes on one path until both sides have noticed; then it is as before."""
    await aside(partial(ground.wires[path].change, is_up=False))
    before = talk.info.bytes_acked
    await talk.send(ground.rung.octets // 10, end=False)
    await ground.wait_until(lambda: talk.info.bytes_acked > before, "nothing went by the other path")
    await aside(partial(ground.wires[path].change, is_up=True))


async def kernel_adds(endpoint: Endpoint, count: int, ground: Ground, talk: Talk) -> None:
    """The kernel has one more address."""
    add(ground, endpoint)
    await wait_for(talk, count)


async def kernel_removes(ground: Ground, talk: Talk) -> None:
    """The kernel loses its second address: half of the subflows end."""
    before = count_subflows(talk)
    ground.lab.delete_endpoint(1)
    await fade(talk, before // 2)


async def kernel_removes_first(ground: Ground, talk: Talk) -> None:
    """The kernel loses the address of the first subflow."""
    before = count_subflows(talk)
    ground.lab.delete_endpoint(0, ground.kernel)
    await fade(talk, before // 2)


async def kernel_loses_all(ground: Ground, talk: Talk) -> None:
    """All endpoints of the kernel are flushed."""
    before = count_subflows(talk)
    ground.lab.flush_endpoints()
    await fade(talk, before // 2)
    if not ground.count("MPTcpExtRmAddrTx"):
        ground.deviate("tells nobody that an address has gone [R8684-3.4.2-01]")


async def drop_second(ground: Ground, talk: Talk) -> None:
    """The second interface carries nothing any more."""
    await silence(ground)


async def kernel_adds_again(endpoint: Endpoint, less: int, more: int, ground: Ground, talk: Talk) -> None:
    """The kernel loses an address and gets it back with the same ID, twice."""
    for _ in range(2):
        ground.lab.delete_endpoint(1)
        await fade(talk, less)
        add(ground, endpoint, number=1)
        await wait_for(talk, more)


async def we_add(path: int, count: int, ground: Ground, talk: Talk) -> None:
    """We have one more device."""
    device = ground.lab.open_tun(path, offloads=True, apart=True)
    ground.stack.add_device(device, is_signal=ground.role == SERVER)
    # from a socket of IPv6 the kernel joins the IPv4 address of the device, too
    await wait_for(talk, count + (ground.role == SERVER and ground.family == 6))


async def we_remove(path: int, count: int, ground: Ground, talk: Talk) -> None:
    """We lose an address: the first one alone, for the kernel's is needed yet, or all of a device."""
    device = ground.stack.devices[path]
    if path:
        ground.stack.remove_device(device)
    else:
        address = device.addresses[0 if ground.family == 4 else 1]
        ground.stack.host.remove_address(address, ground.stack.driver.now())
        ground.stack.driver.wake()
    await wait_for(talk, count)
    await ground.wait_until(lambda: ground.count("MPTcpExtRmAddr") > 0, "the kernel was not told")


async def spare(ground: Ground, talk: Talk) -> None:
    """The kernel makes its endpoint a backup, and takes that back."""
    for flag, holds in (("backup", True), ("nobackup", False)):
        await aside(partial(ground.lab.change_endpoint, 1, flag))
        await ground.wait_until(
            lambda holds=holds: any(one.is_backup for one in talk.info.subflows) == holds,  # type: ignore[misc]
            f"we did not hear of {flag}",
        )
    require(ground.count("MPTcpExtMPPrioTx") > 0, "the kernel sent no MP_PRIO")


async def we_spare(ground: Ground, talk: Talk) -> None:
    """We make our second address a backup, and take that back; the kernel hears of both."""
    address = ground.stack.devices[1].addresses[0 if ground.family == 4 else 1]
    for told, is_backup in ((1, True), (2, False)):
        connection = talk.writer.transport.connection  # type: ignore[attr-defined]
        ground.stack.host.set_backup(connection, address, is_backup, ground.stack.driver.now())
        ground.stack.driver.wake()
        await ground.wait_until(
            lambda told=told: ground.count("MPTcpExtMPPrioRx") >= told,  # type: ignore[misc]
            "the kernel was not told",
        )


async def use_spare(count: int, ground: Ground, talk: Talk) -> None:
    """The backups carry nothing, until the other path dies."""
    spares = [one for one in talk.info.subflows if one.is_backup]
    require(len(spares) == count, f"{len(spares)} of our subflows are for backup")
    carried = sum(one.bytes_sent for one in spares)
    require(carried == 0, f"the backup carried {carried} octets of ours")
    await die(0, ground, talk)


async def use_spares_of_kernel(ground: Ground, talk: Talk) -> None:
    """Half of the subflows are for backup."""
    await use_spare(count_subflows(talk) // 2, ground, talk)


async def fail(ground: Ground, talk: Talk) -> None:
    """A join of ours comes to nothing."""
    await ground.wait_until(lambda: ground.noted(FAILED), "no join failed")
    require(count_subflows(talk) >= 1, "the first subflow ended, too")


async def fail_without_listener(ground: Ground, talk: Talk) -> None:
    """We join what the kernel as client announces, and there nobody listens."""
    await fail(ground, talk)
    require(ground.count("MPTcpExtAddAddrTx") > 0, "the kernel announced nothing")
    ground.deviate("its client announces an address and refuses the join to it [R8684-3.4.1-12]")


async def find_room(ground: Ground, talk: Talk) -> None:
    """ADD_ADDR with an IPv6 address, a port and an HMAC has 30 octets; timestamps leave as many."""
    if ground.role == SERVER:
        return  # the kernel has joined what we announced
    await ground.wait_until(
        lambda: ground.count("MPTcpExtAddAddrTxDrop") > 0 or count_subflows(talk) == 4,
        "nothing was announced",
    )
    if count_subflows(talk) == 2:
        ground.deviate("never announces an IPv6 address with a port beside timestamps [R8684-3.4.1-03]")


async def try_in_vain(ground: Ground, talk: Talk) -> None:
    """A join is tried and not answered."""
    wish = "no join was tried"
    if ground.role == CLIENT:
        await ground.wait_until(lambda: ground.count_notes(CALLED) > 1, wish)
    else:
        await ground.wait_until(lambda: ground.count("MPTcpExtMPJoinSynTx") > 0, wish)


async def hear_again(side: str, count: dict[str, int], ground: Ground, talk: Talk) -> None:
    """What the server announces, or the echo of it, is lost twice, and sent again."""
    way = find_way(side, ground)
    await ground.wait_until(
        lambda: sum(wire.counts()[way]["refused"] for wire in ground.wires) >= 2,
        "what was lost was not sent again",
    )
    for wire in ground.wires:
        await aside(partial(wire.change, (way,), refuse=()))
    await wait_for(talk, count[ground.role])
    echoed = "MPTcpExtEchoAdd" if ground.role == CLIENT else "MPTcpExtEchoAddTx"
    await ground.wait_until(lambda: ground.count(echoed) > 0, f"the kernel has not counted {echoed}")


# -- before it begins ------------------------------------------------------------------------------------


async def silence(ground: Ground) -> None:
    """The second interface carries nothing."""
    for chain, direction in (("INPUT", "-i"), ("OUTPUT", "-o")):
        await block(ground, chain, direction, "DROP")


async def refuse(words: str, ground: Ground) -> None:
    """What comes by the second interface is refused."""
    if ground.family == 6:
        words = words.replace("icmp", "icmp6")
    await block(ground, "INPUT", "-i", "REJECT", "--reject-with", words)


async def block(ground: Ground, chain: str, direction: str, *target: str) -> None:
    """A rule of the kernel's filter for TCP on the second interface."""
    tables = "iptables" if ground.family == 4 else "ip6tables"
    rule = ("-A", chain, direction, "tun1", "-p", "tcp", "-j", *target)
    await aside(partial(ground.lab.run, tables, "-w", *rule))


async def announce_nowhere(ground: Ground) -> None:
    """The server, if it is we, announces an address that nobody has, too."""
    if ground.role == SERVER:
        family = socket.AF_INET if ground.family == 4 else socket.AF_INET6
        address = socket.inet_pton(family, choose_address(ground.family, NOWHERE, 2))
        ground.stack.host.add_address(address, ground.stack.driver.now(), False, True, 0)


async def lose(side: str, ground: Ground) -> None:
    """Announcements of the server, or their echoes, are lost on all wires."""
    for wire in ground.wires:
        await aside(partial(wire.change, (find_way(side, ground),), refuse=(ADD_ADDR,)))


def find_way(side: str, ground: Ground) -> int:
    """The way by which one side sends: 0 leads to us."""
    return 0 if (side == SERVER) == (ground.role == CLIENT) else 1


# -- others ---------------------------------------------------------------------------------------------


async def fast_close(ground: Ground) -> None:
    """Either side ends at once, and the other knows that it is the whole connection."""
    await hear_reset(ground)
    require(ground.count("MPTcpExtMPFastcloseTx") > 0, "the kernel sent no MP_FASTCLOSE")
    ground.next_port()
    talk = await ground.open("receive")
    await talk.send(FEW, end=False)
    await ground.wait_until(lambda: talk.info.bytes_acked == FEW, "what we sent is not acknowledged")
    talk.writer.transport.abort()
    await ground.wait_report(talk.peer, "ECONNRESET")
    require(ground.count("MPTcpExtMPFastcloseRx") > 0, "the kernel got no MP_FASTCLOSE")


async def crowd(ground: Ground, *, size: int) -> None:
    """Many connections at once, of which those that last long enough have a second subflow."""
    prepare(ground, (Endpoint(1, ("subflow",), role=SERVER),), (), (), 0, (8, 8))
    await transfers.crowd(ground, size)
    joined = ground.count("MPTcpExtMPJoinAckRx") + ground.count("MPTcpExtMPJoinSynAckRx")
    require(joined > 0, "the kernel counted no join")
    require(any(ground.noted(rule) for rule in JOINED), "our journal has no join")


async def corrupt(
    ground: Ground, *, way: int, endpoints: tuple[Endpoint, ...] = (), subflows: int = 1
) -> None:
    """A bit of the text changes on the way and TCP does not see it: DSS checksums do.

    With one subflow both sides fall back and what was changed is delivered [RFC 8684 §3.7]; with several,
    the subflow ends and all arrives by the other.
    """
    prepare(ground, endpoints, (), (), 0, (8, 8))
    talk = await begin(ground)
    await wait_for(talk, subflows)
    seen = ground.wires[0].counts()[way]["texts"]
    await aside(partial(ground.wires[0].change, (way,), alter=(seen + 20,)))
    await together(talk.send(ground.rung.octets), talk.receive())
    await talk.close()
    require(ground.wires[0].counts()[way]["altered"] == 1, "nothing was changed on the way")
    counter = "MPTcpExtDataCsumErr" if way == 1 else "MPTcpExtMPFailRx"
    require(ground.count(counter) > 0, f"the kernel has not counted {counter}")
    if subflows > 1:
        await talk.check()
        return
    report = await ground.wait_report(talk.peer)
    require(report["received"] == report["sent"] == ground.rung.octets, "not all has arrived")
    intact = (
        report["received_sha256"] == talk.sent.hexdigest(),
        report["sent_sha256"] == talk.received.hexdigest(),
    )
    require(intact == (way == 0, way == 1), "what was changed was not delivered, or something else was, too")
    require(not talk.info.multipath, "we did not fall back")
    if ground.wires[0].counts()[0]["longest"] > ground.stack.choices.mtu:
        ground.deviate("its infinite mapping makes packets longer than our MSS allows [R9293-3.7.1-02]")


async def slow_kernel(ground: Ground) -> None:
    """We send over two subflows, and the kernel's program reads slowly from a small buffer."""
    prepare(ground, (Endpoint(1, ("subflow",), role=SERVER),), (), (), 0, (8, 8))
    slowness = ("--receive-buffer", "16384", "--chunk", str(PIECE), "--pause", str(PAUSE))
    talk = await ground.open("receive", *slowness, "--source", ground.kernel)
    await talk.send(FEW, end=False)
    await wait_for(talk, 2)
    await talk.send(ground.rung.octets)
    require(await talk.receive() == 0, "octets came from nowhere")
    await talk.close()
    await talk.check()


async def slow(ground: Ground) -> None:
    """The kernel sends over two subflows, and we read slowly from a small buffer."""
    prepare(ground, (Endpoint(1, ("subflow",), role=SERVER),), (), (), 0, (8, 8))
    octets = ("--octets", str(ground.rung.octets), "--end", "half")
    talk = await ground.open("send", *octets, "--source", ground.kernel)
    await wait_for(talk, 2)
    await talk.receive(chunk=PIECE, pause=PAUSE)
    talk.writer.write_eof()
    await talk.close()
    await talk.check()
