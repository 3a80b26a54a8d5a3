"""Sharing an interface and its addresses with the kernel: a veth pair, the kernel at both of its ends."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from mptcp_stack.interface import FIRST_SHARED_PORT, open_interface
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

pytestmark = pytest.mark.linux

FAR = {"v4": "10.78.0.2", "v6": "fd78::2"}
OURS = {"v4": "10.78.0.1", "v6": "fd78::1"}
OCTETS = 2_000_000


@pytest.fixture
def far(lab: Lab) -> Iterator[Lab]:
    """A second lab, at the other end of veth0."""
    with Lab() as far:
        lab.join(far)
        yield far


def list_rules(lab: Lab) -> list[str]:
    """What keeps the kernel of ``lab`` quiet."""
    return [line for table in ("iptables", "ip6tables") for line in lab.run(table, "-S").stdout.splitlines()]


@pytest.mark.parametrize("family", ["v4", "v6"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_both_ways(
    lab: Lab, far: Lab, swap: Any, check_report: Any, check_witness: Any, role: str, family: str
) -> None:
    """What leaves either side arrives, over MPTCP to the end; and nothing is left behind."""
    before = list_rules(lab)

    async def serve(stack: Stack) -> tuple[Any, ...]:
        done: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            done.set_result((*await swap(reader, writer, OCTETS, seed=2), writer))
            writer.close()

        async with await start_server(accept, OURS[family], 8000, stack=stack):
            peer = far.peer("exchange", "--connect", OURS[family], "8000", "--octets", str(OCTETS))
            sent, received, writer = await done
            return await peer.report(), sent, received, writer

    async def call(stack: Stack) -> tuple[Any, ...]:
        peer = far.peer("exchange", "--listen", FAR[family], "8000", "--octets", str(OCTETS))
        await peer.ready()
        reader, writer = await open_connection(FAR[family], 8000, stack=stack)
        assert writer.get_extra_info("sockname")[1] >= FIRST_SHARED_PORT
        sent, received = await swap(reader, writer, OCTETS, seed=3)
        writer.close()
        await writer.wait_closed()
        return await peer.report(), sent, received, writer

    async def main() -> tuple[Any, ...]:
        async with Stack(open_interface("veth0", listening=(8000,), namespace=lab.name)) as stack:
            assert len(list_rules(lab)) == len(before) + 4
            return await (serve if role == "client" else call)(stack)

    check_report(*asyncio.run(main()))
    check_witness(far, role)
    assert list_rules(lab) == before
    assert lab.counters()["TcpOutRsts"] == 0


def test_the_kernel_keeps_its_own(lab: Lab, far: Lab) -> None:
    """Its programs on the same interface go on, and hear nothing of ours."""

    async def main() -> None:
        async with Stack(open_interface("veth0", namespace=lab.name)):
            server = lab.peer("receive", "--listen", OURS["v4"], "9000")
            await server.ready()
            client = far.peer("send", "--connect", OURS["v4"], "9000", "--octets", "100000")
            assert (await server.report())["received"] == 100_000
            await client.report()

    asyncio.run(main())


def test_a_port_in_use(lab: Lab) -> None:
    """What a program of the kernel's has is not taken away from it."""
    server = lab.peer("receive", "--listen", "::", "8000")
    server.wait_ready()
    with pytest.raises(OSError, match="port 8000 is in use"):
        open_interface("lo", listening=(8000,), namespace=lab.name)


@pytest.mark.parametrize(
    ("name", "ours", "sentence"),
    [
        ("eth99", (), "there is no interface eth99"),
        ("tun0", ("10.9.9.9",), "10.9.9.9 is not an address of the interface tun0"),
        ("tun0", (), "the interface tun0 is not like Ethernet"),
    ],
)
def test_what_cannot_be(lab: Lab, name: str, ours: tuple[str, ...], sentence: str) -> None:
    """One sentence each."""
    lab.open_tun()
    with pytest.raises(OSError, match=sentence):
        open_interface(name, ours=ours, namespace=lab.name)


def test_rules_of_the_dead_are_swept(lab: Lab, far: Lab) -> None:
    """A process that was killed left its rules: the next one removes them."""
    lab.run(
        "iptables", "-I", "INPUT", "-p", "tcp", "-m", "comment", "--comment", "mptcp-999999999", "-j", "DROP"
    )
    open_interface("veth0", namespace=lab.name).close()
    assert not [line for line in list_rules(lab) if "mptcp-" in line]


def test_nobody_there(lab: Lab, far: Lab) -> None:
    """A neighbour that does not answer is a packet lost, not an error."""

    async def main() -> None:
        device = open_interface("veth0", namespace=lab.name)
        async with Stack(device) as stack:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(open_connection("10.78.0.77", 8000, stack=stack), 0.3)
        assert device.dropped > 0

    asyncio.run(main())
