"""Rungs of several subflows: each is a function of the ground, and raises Fell.

What happens midway does so while both sides have octets to send: half of ours is sent, nothing of the
kernel's is read, and the windows are smaller than what is left.
"""

import dataclasses
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from mptcp_stack.ladder.endings import PAUSE, PIECE, hear_reset
from mptcp_stack.ladder.ground import Ground, Talk, aside, choose_address, require, together
from mptcp_stack.ladder.rung import SERVER
from mptcp_stack.ladder.transfers import swap

ESTABLISHED: Final = "established"
FEW: Final = 1_000  # octets
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


async def mesh(
    ground: Ground,
    *,
    endpoints: tuple[Endpoint, ...] = (),
    signals: tuple[int, ...] = (),
    spares: tuple[int, ...] = (),
    port: int = 0,
    limits: tuple[int, int] = (8, 8),
    subflows: int | dict[str, int] = 2,
    midway: Midway | None = None,
    one_way: bool = False,
) -> None:
    """A transfer both ways over so many subflows (by role, if they differ).

    ``signals`` are paths of ours whose address we announce where we are the server, with ``port``; ``spares``
    those that are for backup. ``limits`` are the kernel's. ``one_way``: the kernel sends nothing.
    """
    prepare(ground, endpoints, signals, spares, port, limits)
    octets = str(ground.rung.octets)
    talk = await ground.open(
        "receive" if one_way else "exchange", "--octets", octets, "--source", ground.kernel
    )
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
    device = f"tun{endpoint.path}"
    ground.lab.add_endpoint(address, *endpoint.flags, number=number, port=endpoint.port, device=device)


async def wait_for(talk: Talk, count: int) -> None:
    """Wait until so many subflows are established."""

    def holds() -> bool:
        return count_subflows(talk) == count

    try:
        await talk.ground.wait_until(holds, "")
    except Exception as error:
        require(False, f"{count_subflows(talk)} subflows where {count} were expected ({error})")


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
    await wait_for(talk, before // 2)


async def kernel_loses_all(ground: Ground, talk: Talk) -> None:
    """All endpoints of the kernel are flushed."""
    before = count_subflows(talk)
    ground.lab.flush_endpoints()
    await wait_for(talk, before // 2)


async def drop_second(ground: Ground, talk: Talk) -> None:
    """The second interface carries nothing any more."""
    for chain, direction in (("INPUT", "-i"), ("OUTPUT", "-o")):
        ground.lab.run("iptables", "-w", "-A", chain, direction, "tun1", "-j", "DROP")


async def kernel_adds_again(endpoint: Endpoint, less: int, more: int, ground: Ground, talk: Talk) -> None:
    """The kernel loses an address and gets it back with the same ID, twice."""
    for _ in range(2):
        ground.lab.delete_endpoint(1)
        await wait_for(talk, less)
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


async def use_spare(ground: Ground, talk: Talk) -> None:
    """The backup carries nothing, until the other path dies."""
    spares = [one for one in talk.info.subflows if one.is_backup]
    require(len(spares) == 1, f"{len(spares)} of our subflows are for backup")
    require(spares[0].bytes_sent == 0, f"the backup carried {spares[0].bytes_sent} octets of ours")
    await die(0, ground, talk)


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


async def corrupt(
    ground: Ground, *, way: int, endpoints: tuple[Endpoint, ...] = (), subflows: int = 1
) -> None:
    """A bit of the text changes on the way and TCP does not see it: DSS checksums do.

    With one subflow both sides fall back and what was changed is delivered [RFC 8684 §3.7]; with several,
    the subflow ends and all arrives by the other.
    """
    prepare(ground, endpoints, (), (), 0, (8, 8))
    octets = str(ground.rung.octets)
    talk = await ground.open("exchange", "--octets", octets, "--source", ground.kernel)
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
    require(not talk.info.multipath, "we did not fall back")


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
