"""A lab for each test, and what the kernel in it must not have seen."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp.connection.info import ConnectionInfo
from mptcp_stack.exchange import find_trouble
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack

Main = Callable[[Stack], Awaitable[Any]]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A namespace with the kernel in it, and nothing else."""
    with Lab() as lab:
        yield lab


@pytest.fixture
def apart(tmp_path: Path) -> list[str]:
    """What to say before a command whose labs nobody else sees, nor sweeps: its /run is ``tmp_path``.

    What is left of its labs, namespaces and locks, is there to be found as "*/mptcp-*".
    """
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /run && exec "$@"', str(tmp_path)]


@pytest.fixture
def talk() -> Callable[..., Any]:
    """How to run a coroutine with a stack on a TUN interface of a lab."""

    def run(
        lab: Lab,
        main: Main,
        choices: Choices | None = None,
        offloads: bool = False,
        tap: Callable[[bytes], None] | None = None,
    ) -> Any:
        async def go() -> Any:
            async with Stack(lab.open_tun(offloads=offloads), choices=choices, tap=tap) as stack:
                return await main(stack)

        return asyncio.run(go())

    return run


@pytest.fixture
def swap() -> Callable[..., Awaitable[tuple[str, str]]]:
    """How to send octets by chance while receiving to the end; the SHA-256 of either."""

    async def run(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, octets: int, seed: int
    ) -> tuple[str, str]:
        async def receive() -> str:
            digest = hashlib.sha256()
            while chunk := await reader.read(1 << 18):
                digest.update(chunk)
            return digest.hexdigest()

        receiving = asyncio.create_task(receive())
        digest, chance, rest = hashlib.sha256(), Random(seed), octets
        while rest:
            chunk = chance.randbytes(min(rest, 1 << 16))
            rest -= len(chunk)
            digest.update(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
        return digest.hexdigest(), await receiving

    return run


@pytest.fixture
def check_witness() -> Callable[..., None]:
    """What the kernel's counters say when MPTCP was spoken, and spoken well."""

    def check(lab: Lab, role: str) -> None:
        counters = lab.counters()
        assert find_trouble(counters) == {}
        seen = {"server": ("SYNRX", "ACKRX"), "client": ("SYNTX", "SYNACKRX")}[role]
        for name in seen:
            assert counters[f"MPTcpExtMPCapable{name}"] == 1, name
        for name in ("MPTcpExtDSSCorruptionFallback", "MPTcpExtDSSCorruptionReset", "TcpInErrs"):
            assert counters.get(name, 0) == 0, name

    return check


@pytest.fixture
def check_report() -> Callable[..., ConnectionInfo]:
    """What a peer's report and we say when both directions arrived as they left."""

    def check(
        report: dict[str, Any],
        sent: str,
        received: str,
        writer: asyncio.StreamWriter,
        multipath: bool = True,
    ) -> ConnectionInfo:
        info: ConnectionInfo = writer.get_extra_info("mptcp")
        assert report["error"] is None
        assert report["received_sha256"] == sent
        assert report["sent_sha256"] == received
        assert (report["mptcp"], info.multipath) == (multipath, multipath)
        return info

    return check
