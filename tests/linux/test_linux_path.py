"""Paths through the kernel as a router: one that carries less, and says so or not; congestion marks."""

import asyncio
from typing import Any

import pytest

from mptcp.choices import ECN_ACCEPT, ECN_ASK, Choices
from mptcp.values import Micros
from mptcp.wire import ip
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection

pytestmark = pytest.mark.linux

OCTETS = 2_000_000
OURS = {"10.78.0.2": bytes([10, 77, 0, 2])}
NARROW = 1_300  # octets


async def exchange(stack: Stack, lab: Lab, remote: str, swap: Any) -> None:
    """Octets to and from the kernel's server at ``remote``, all of which arrive."""
    server = lab.peer("exchange", "--listen", remote, "8000", "--octets", str(OCTETS))
    await server.ready()
    reader, writer = await open_connection(remote, 8000, stack=stack)
    sent, received = await swap(reader, writer, OCTETS, seed=2)
    writer.close()
    report = await server.report()
    assert (report["received_sha256"], report["sent_sha256"]) == (sent, received)


def run(lab: Lab, far: Lab, remote: str, swap: Any, choices: Choices) -> list[bytes]:
    """Exchange octets with ``far``; the packets that we sent."""
    packets: list[bytes] = []

    def tap(packet: bytes, *_: Micros) -> None:
        if ip.parse(packet).source == OURS[remote]:
            packets.append(packet)

    async def go() -> None:
        async with Stack(lab.open_tun(), choices=choices, tap=tap) as stack:
            await exchange(stack, far, remote, swap)

    asyncio.run(go())
    return packets


@pytest.mark.clause("R1191-3-01", "R4821-7.7-01", "R9293-3.7.3-01")
@pytest.mark.parametrize("multipath", [True, False])
@pytest.mark.parametrize("says", ["says so", "is silent"])
@pytest.mark.parametrize("remote", OURS)
def test_a_narrow_path(lab: Lab, swap: Any, remote: str, says: str, multipath: bool) -> None:
    """The kernel drops what its next link does not carry; with its ICMP, or with none, everything arrives."""
    with Lab() as far:
        lab.join(far)
        if says == "is silent":
            kind = ("-p", "icmp", "--icmp-type", "fragmentation-needed")
            lab.run("iptables", "-w", "-A", "OUTPUT", *kind, "-j", "DROP")
        lab.run("ip", "route", "replace", f"{remote}/32", "dev", "veth0", "mtu", "lock", str(NARROW))
        packets = run(lab, far, remote, swap, Choices(multipath=multipath))
    first = [len(packet) for packet in packets[:20]]
    last = [len(packet) for packet in packets[len(packets) // 2 :]]
    assert max(first) >= 1_496  # with MP_CAPABLE there is room for a longer option
    assert 1_280 <= max(last) <= (NARROW if says == "says so" else 1_500)
    longest = sorted(last)[len(last) // 2 :]
    assert sum(length > NARROW for length in longest) < 10  # probes, at most


@pytest.mark.clause("R3168-6.1.1-01", "R3168-6.1.2-01")
@pytest.mark.parametrize("choice", [ECN_ASK, ECN_ACCEPT])
def test_congestion_marks(lab: Lab, swap: Any, choice: int) -> None:
    """With ECN asked for and agreed our text is marked as capable, and the kernel counts it."""
    with Lab({"net.ipv4.tcp_ecn": "1"}) as far:
        lab.join(far)
        packets = run(lab, far, "10.78.0.2", swap, Choices(ecn=choice))
        counters = far.counters()
    marks = {packet[1] & 3 for packet in packets if len(packet) > 1_000}
    assert marks == ({2} if choice == ECN_ASK else {0})
    assert (counters["IpExtInECT0Pkts"] > 500) is (choice == ECN_ASK)
