"""Octets to and from the kernel's MPTCP over TUN: both roles and families, with and without checksums."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import mptcp
from mptcp.choices import ACCEPT, REQUIRE, Choices
from mptcp_stack.exchange import find_trouble
from mptcp_stack.lab import Lab
from mptcp_stack.namespace import call_inside
from mptcp_stack.stack import Stack, suit
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.tun import has_threads

pytestmark = pytest.mark.linux

KERNEL = {"v4": "10.77.0.1", "v6": "fd77::1", "far": "10.78.0.2"}
OURS = {"v4": "10.77.0.2", "v6": "fd77::2", "far": "10.77.0.2"}
LARGE = {"compiled": 100_000_000, "interpreted": 5_000_000}[mptcp.build()]
"""Octets of the large transfers. The interpreted build has fewer, for their time; each test's name says how
many there were."""

Swap = Callable[..., Awaitable[tuple[str, str]]]


async def serve_kernel(
    stack: Stack, lab: Lab, family: str, octets: int, swap: Swap, *more: str
) -> tuple[Any, ...]:
    """A kernel client exchanges octets with our server: (its report, sent, received, writer)."""
    done: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            digests = await swap(reader, writer, octets, seed=2)
            done.set_result((*digests, writer))
        except Exception as error:
            done.set_exception(error)
        finally:
            writer.close()

    async with await start_server(accept, OURS[family], 8000, stack=stack):
        peer = lab.peer("exchange", "--connect", OURS[family], "8000", "--octets", str(octets), *more)
        sent, received, writer = await done
        return await peer.report(), sent, received, writer


async def connect_kernel(
    stack: Stack, lab: Lab, family: str, octets: int, swap: Swap, *more: str
) -> tuple[Any, ...]:
    """We exchange octets with a kernel server: (its report, sent, received, writer)."""
    peer = lab.peer("exchange", "--listen", KERNEL[family], "8000", "--octets", str(octets), *more)
    await peer.ready()
    reader, writer = await open_connection(KERNEL[family], 8000, stack=stack)
    sent, received = await swap(reader, writer, octets, seed=3)
    writer.close()
    await writer.wait_closed()
    return await peer.report(), sent, received, writer


ROLES = {"client": serve_kernel, "server": connect_kernel}  # by the kernel's role


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("checksum", ["without", "kernel's", "ours", "both"])
@pytest.mark.parametrize("octets", [1, 1_000_000])
def test_both_ways(
    lab: Lab,
    talk: Any,
    swap: Swap,
    check_report: Any,
    check_witness: Any,
    octets: int,
    checksum: str,
    role: str,
    family: str,
) -> None:
    """What left either side arrives at the other, over MPTCP to the end, and checksums as one side asked."""
    lab.set_sysctl("net.mptcp.checksum_enabled", int(checksum in ("kernel's", "both")))

    outcome = talk(
        lab,
        lambda stack: ROLES[role](stack, lab, family, octets, swap),
        Choices(checksum=REQUIRE if checksum in ("ours", "both") else ACCEPT),
    )
    info = check_report(*outcome)
    assert info.checksum is (checksum != "without")
    assert (info.bytes_sent, info.bytes_acked, info.bytes_received) == (octets, octets, octets)
    check_witness(lab, role)


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("octets", [LARGE])
@pytest.mark.parametrize("offloads", [False, True])
def test_large(
    lab: Lab,
    talk: Any,
    swap: Swap,
    check_report: Any,
    check_witness: Any,
    offloads: bool,
    octets: int,
    role: str,
    family: str,
) -> None:
    """A hundred million octets, both ways at once, in packets of the path's size and in long ones."""
    check_report(*talk(lab, lambda stack: ROLES[role](stack, lab, family, octets, swap), offloads=offloads))
    check_witness(lab, role)


@pytest.mark.parametrize("role", ROLES)
def test_received_by_a_thread(lab: Lab, swap: Swap, check_report: Any, check_witness: Any, role: str) -> None:
    """A thread of the kernel takes our packets and joins them: the same octets, in fewer packets."""
    if not call_inside(lab.name, has_threads):
        pytest.skip("this kernel has no threads that receive packets")

    async def go() -> Any:
        async with Stack(lab.open_tun(threaded=True)) as stack:
            return await ROLES[role](stack, lab, "v4", 2_000_000, swap)

    check_report(*asyncio.run(go()))
    check_witness(lab, role)
    counters = lab.counters()
    assert counters["IpInReceives"] < counters["IpExtInNoECTPkts"]  # after joining, and before


@pytest.mark.parametrize("role", ROLES)
def test_long_packets_with_checksums(
    lab: Lab, talk: Any, swap: Swap, check_report: Any, check_witness: Any, role: str
) -> None:
    """DSS checksums cover what no device can finish: the text of a whole mapping."""
    main = lambda stack: ROLES[role](stack, lab, "v4", 5_000_000, swap)  # noqa: E731
    assert check_report(*talk(lab, main, suit((), checksum=REQUIRE), offloads=True)).checksum
    check_witness(lab, role)


@pytest.mark.parametrize("role", ROLES)
def test_plain_tcp(lab: Lab, talk: Any, swap: Swap, check_report: Any, role: str) -> None:
    """A kernel program without MPTCP: we fall back to TCP, and nothing else changes."""
    outcome = talk(lab, lambda stack: ROLES[role](stack, lab, "v4", 300_000, swap, "--tcp"))
    check_report(*outcome, multipath=False)


STRIPPED = {
    "all": (),
    "of SYNs": ("--tcp-flags", "SYN", "SYN"),
    "of all but SYNs": ("--tcp-flags", "SYN", "NONE"),
}
NO_SUCH_TARGET = ("missing kernel module", "No chain/target/match by that name")  # iptables' words


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("chain", ["INPUT", "OUTPUT"])
@pytest.mark.parametrize("which", STRIPPED)
@pytest.mark.clause("R8684-3.7-01", "R8684-3.7-02", "R8684-3.7-06", "R8684-3.7-09", "R8684-3.7-10")
@pytest.mark.clause("R8684-1.1-03", "R8684-6-02")
def test_options_are_taken_out(
    lab: Lab, talk: Any, swap: Swap, check_report: Any, which: str, chain: str, role: str
) -> None:
    """Somewhere on one way, of some segments or of all: both sides end up in TCP, and nothing is lost."""
    rule = ("-p", "tcp", *STRIPPED[which], "-j", "TCPOPTSTRIP", "--strip-options", "30")
    try:
        lab.run("iptables", "-w", "-t", "mangle", "-A", chain, *rule)
    except subprocess.CalledProcessError as refusal:
        if not any(words in refusal.stderr for words in NO_SUCH_TARGET):
            raise
        pytest.skip("this kernel takes no options out")
    outcome = talk(lab, lambda stack: ROLES[role](stack, lab, "v4", 300_000, swap))
    check_report(*outcome, multipath=False)


@pytest.mark.parametrize("role", ROLES)
def test_we_without(lab: Lab, talk: Any, swap: Swap, check_report: Any, role: str) -> None:
    """We without MPTCP: the kernel falls back to TCP."""
    outcome = talk(lab, lambda stack: ROLES[role](stack, lab, "v4", 300_000, swap), Choices(multipath=False))
    check_report(*outcome, multipath=False)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("octets", [{"compiled": 10_000_000, "interpreted": 1_000_000}[mptcp.build()]])
def test_loss(
    lab: Lab, talk: Any, swap: Swap, check_report: Any, octets: int, checksum: bool, role: str
) -> None:
    """One packet in a hundred is lost on the way, either way: everything arrives, over MPTCP to the end.

    The kernel's program lives in a second namespace, so that its packets are lost where they are forwarded.
    """
    with Lab({"net.mptcp.checksum_enabled": str(int(checksum))}) as far:
        lab.join(far)
        lab.lose(0.01)

        outcome = talk(lab, lambda stack: ROLES[role](stack, far, "far", octets, swap))
        assert check_report(*outcome).checksum is checksum
        assert find_trouble(far.counters()) == {}
    first_rule = lab.run("iptables", "-nvxL", "FORWARD").stdout.splitlines()[2]
    assert int(first_rule.split()[0]) > 0  # packets were lost
