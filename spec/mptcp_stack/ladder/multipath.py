"""The rungs of MPTCP: several subflows, held against the kernel; groups as its own selftests have them."""

from functools import partial
from typing import Any, Final

from mptcp.choices import ACCEPT, REQUIRE
from mptcp_stack.forwarder import Line
from mptcp_stack.ladder import meshes
from mptcp_stack.ladder.meshes import FAILED, NOWHERE, Endpoint, Midway, mesh
from mptcp_stack.ladder.rung import CLIENT, SERVER, Rung

MILLION: Final = 1_000_000
SMALL: Final = {"multipath": True, "receive_buffer": MILLION, "send_buffer": MILLION}
"""Buffers that hold less than half of what is sent: the kernel is still sending at midway."""
MIDWAY: Final = 8 * MILLION
PATH: Final = Line(rate=50 * MILLION, delay=5_000)
SLOWER: Final = Line(rate=20 * MILLION, delay=15_000)
PERFECT: Final = Line()
CHECKED: Final = {"net.mptcp.checksum_enabled": 1}

QUIET: Final = (
    "TcpInErrs",
    "MPTcpExtMPCapableFallbackACK",
    "MPTcpExtMPCapableFallbackSYNACK",
    "MPTcpExtDataCsumErr",
    "MPTcpExtInfiniteMapTx",
    "MPTcpExtInfiniteMapRx",
    "MPTcpExtMPFailTx",
    "MPTcpExtMPFailRx",
    "MPTcpExtDSSCorruptionFallback",
    "MPTcpExtDSSCorruptionReset",
)
"""What the kernel must not have counted where MPTCP was spoken well."""

JOIN: Final = Endpoint(1, ("subflow",), role=SERVER)  # where the kernel is client, its second address joins
SIGNAL: Final = Endpoint(1, ("signal",), role=CLIENT)


def build(name: str, about: str, run: Any = None, *, midway: Midway | None = None, **fields: Any) -> Rung:
    """A rung of two paths over which ``mesh`` goes, but for what is said; other words are mesh's."""
    own = {key: fields.pop(key) for key in list(fields) if key in Rung.__dataclass_fields__}
    own.setdefault("paths", 2)
    own.setdefault("octets", MIDWAY if midway else MILLION)
    own.setdefault("choices", SMALL if midway else {"multipath": True})
    own.setdefault("stays", QUIET)
    own.setdefault("seconds", 30)
    if run is None:
        run = partial(mesh, midway=midway, **fields)
    return Rung(name, about, run, **own)


RUNGS: Final = (
    build("subflows-1", "one address each: nobody joins", paths=1, subflows=1),
    build("subflows-2", "the client has two addresses and joins from the second", endpoints=(JOIN,)),
    build(
        "subflows-3",
        "the client has three",
        paths=3,
        endpoints=(JOIN, Endpoint(2, ("subflow",), role=SERVER)),
        subflows=3,
    ),
    build(
        "subflows-limit-kernel",
        "the kernel wants no second subflow",
        endpoints=(JOIN,),
        limits=(0, 0),
        subflows=1,
    ),
    build(
        "subflows-limit-ours",
        "we want no second subflow",
        endpoints=(JOIN,),
        choices={"multipath": True, "subflows": 1},
        subflows=1,
    ),
    *(
        build(
            f"errors-{name}",
            f"the client's second address joins and {about}",
            before=partial(meshes.refuse, words),
            subflows=1,
            midway=meshes.fail,
            roles=(CLIENT,),
            notes=(FAILED,),
        )
        for name, words, about in (
            ("refused", "tcp-reset", "is refused"),
            ("unreachable", "icmp-port-unreachable", "ICMP says that it cannot be reached"),
        )
    ),
    build(
        "errors-silent",
        "the client's second address joins and nobody answers",
        endpoints=(JOIN,),
        before=meshes.silence,
        subflows=1,
        midway=meshes.try_in_vain,
    ),
    build(
        "signal-server",
        "the server announces its second address, the client joins it",
        endpoints=(SIGNAL,),
        signals=(1,),
        subflows={CLIENT: 4, SERVER: 2},
    ),
    build(
        "signal-client",
        "the client announces its second address, where it does not listen",
        endpoints=(Endpoint(1, ("signal",), role=SERVER),),
        subflows=1,
        midway=meshes.fail_without_listener,
        roles=(SERVER,),
        notes=(FAILED,),
    ),
    build(
        "signal-several",
        "the server announces three addresses at once, the client joins each",
        paths=4,
        signals=(1, 2, 3),
        subflows=4,
        roles=(SERVER,),
        stays=(*QUIET, "MPTcpExtAddAddrDrop"),
    ),
    build(
        "signal-nowhere",
        "the server announces an address that nobody has, too",
        endpoints=(Endpoint(NOWHERE, ("signal",), role=CLIENT), SIGNAL),
        signals=(1,),
        before=meshes.announce_nowhere,
        subflows={CLIENT: 4, SERVER: 2},
    ),
    *(
        build(
            f"timeout-{name}",
            f"{about} is lost twice, and sent again",
            paths=0,
            lines=(PERFECT, PERFECT),
            endpoints=(SIGNAL,),
            signals=(1,),
            before=partial(meshes.lose, side),
            subflows=first,
            midway=partial(meshes.hear_again, side, {CLIENT: 4, SERVER: 2}),
        )
        for name, about, side, first in (
            ("announcement", "what the server announces", SERVER, {CLIENT: 2, SERVER: 1}),
            ("echo", "the echo of what the server announces", CLIENT, {CLIENT: 4, SERVER: 2}),
        )
    ),
    build(
        "ports",
        "the server announces its second address with a port",
        endpoints=(Endpoint(1, ("signal",), port=meshes.PORT, role=CLIENT),),
        signals=(1,),
        port=meshes.PORT,
        subflows={CLIENT: 4, SERVER: 2},
        families=(4,),
    ),
    build(
        "ports-6",
        "the same with IPv6, where timestamps leave just enough room",
        endpoints=(Endpoint(1, ("signal",), port=meshes.PORT, role=CLIENT),),
        signals=(1,),
        port=meshes.PORT,
        subflows=2,
        midway=meshes.find_room,
        families=(6,),
    ),
    build(
        "mixed",
        "an address of the other family is announced and joined",
        endpoints=(Endpoint(1, ("signal",), family=6, role=CLIENT),),
        subflows=4,
        families=(4,),
        roles=(CLIENT,),
    ),
    build(
        "add-kernel",
        "the kernel gets an address midway",
        midway=partial(meshes.kernel_adds, Endpoint(1, ("subflow",)), 2),
        subflows=1,
        roles=(SERVER,),
    ),
    build(
        "add-kernel-signal",
        "the kernel gets an address midway and announces it",
        midway=partial(meshes.kernel_adds, Endpoint(1, ("signal",)), 4),
        roles=(CLIENT,),
    ),
    build(
        "add-ours",
        "we get an address midway",
        paths=1,
        midway=partial(meshes.we_add, 1, 2),
        subflows=1,
    ),
    build(
        "remove-kernel",
        "the kernel loses an address midway",
        endpoints=(JOIN, SIGNAL),
        subflows={CLIENT: 4, SERVER: 2},
        midway=meshes.kernel_removes,
    ),
    build(
        "remove-all",
        "all endpoints of the kernel are flushed midway",
        endpoints=(JOIN, SIGNAL),
        subflows={CLIENT: 4, SERVER: 2},
        midway=meshes.kernel_loses_all,
    ),
    build(
        "remove-ours",
        "we lose an address midway",
        endpoints=(JOIN,),
        midway=partial(meshes.we_remove, 1, 1),
        roles=(CLIENT,),
    ),
    build(
        "remove-id0",
        "we lose the address of the first subflow midway",
        endpoints=(JOIN,),
        midway=partial(meshes.we_remove, 0, 1),
        roles=(CLIENT,),
    ),
    build(
        "remove-kernel-id0",
        "the kernel loses the address of the first subflow midway",
        endpoints=(JOIN, SIGNAL),
        subflows={CLIENT: 4, SERVER: 2},
        midway=meshes.kernel_removes_first,
    ),
    build(
        "endpoint-again",
        "the kernel loses its second address and gets it back, twice, with the same ID",
        endpoints=(JOIN,),
        midway=partial(meshes.kernel_adds_again, Endpoint(1, ("subflow",)), 1, 2),
        roles=(SERVER,),
    ),
    build(
        "endpoint-again-signal",
        "the same with an address that it announces",
        endpoints=(SIGNAL,),
        subflows=4,
        midway=partial(meshes.kernel_adds_again, Endpoint(1, ("signal",)), 2, 4),
        roles=(CLIENT,),
    ),
    build(
        "backup-kernel",
        "the kernel says that its second address is for backup, and takes it back",
        endpoints=(JOIN,),
        midway=meshes.spare,
        roles=(SERVER,),
    ),
    build(
        "backup-used",
        "our second address is for backup, and used when the first path dies",
        paths=0,
        lines=(PATH, PATH),
        spares=(1,),
        midway=partial(meshes.use_spare, 1),
        roles=(CLIENT,),
    ),
    build(
        "backup-used-kernel",
        "the kernel's second address is for backup, and used when the first path dies",
        paths=0,
        lines=(PATH, PATH),
        endpoints=(
            Endpoint(1, ("subflow", "backup"), role=SERVER),
            Endpoint(1, ("signal", "backup"), role=CLIENT),
        ),
        subflows={CLIENT: 4, SERVER: 2},
        midway=meshes.use_spares_of_kernel,
    ),
    build(
        "backup-ours",
        "we say that our second address is for backup, and take it back",
        midway=meshes.we_spare,
        roles=(CLIENT,),
    ),
    *(
        build(
            f"link-{path}-dies",
            f"path {path} dies midway, all arrives by the other",
            paths=0,
            lines=(PATH, SLOWER),
            endpoints=(JOIN,),
            midway=partial(meshes.die, path),
        )
        for path in (0, 1)
    ),
    build(
        "link-returns",
        "path 0 dies midway and comes back",
        paths=0,
        lines=(PATH, SLOWER),
        endpoints=(JOIN,),
        midway=partial(meshes.die_and_return, 0),
    ),
    build(
        "link-loss",
        "1 % lost on both paths",
        paths=0,
        lines=(Line(delay=5_000, loss=0.01), Line(delay=15_000, loss=0.01)),
        endpoints=(JOIN,),
        octets=2 * MILLION,
    ),
    build(
        "cookies",
        "SYN cookies on the server, and a second subflow",
        endpoints=(JOIN,),
        sysctls={"net.ipv4.tcp_syncookies": 2},
        choices={"multipath": True, "backlog": 0},
    ),
    build(
        "cookies-signal",
        "SYN cookies on the server, which announces its second address",
        endpoints=(SIGNAL,),
        signals=(1,),
        sysctls={"net.ipv4.tcp_syncookies": 2},
        choices={"multipath": True, "backlog": 0},
        subflows={CLIENT: 4, SERVER: 2},
    ),
    *(
        build(
            f"checksum-{kernel}{ours}",
            f"checksums: asked for by {('nobody', 'us', 'the kernel', 'both')[2 * kernel + ours]}",
            endpoints=(JOIN,),
            sysctls={"net.mptcp.checksum_enabled": kernel},
            choices={"multipath": True, "checksum": REQUIRE if ours else ACCEPT},
        )
        for kernel in (0, 1)
        for ours in (0, 1)
    ),
    build(
        "deny-id0",
        "the server forbids joins to its first address and announces another",
        endpoints=(SIGNAL,),
        signals=(1,),
        sysctls={"net.mptcp.allow_join_initial_addr_port": 0},
        choices={"multipath": True, "join_initial_address": False},
        subflows={CLIENT: 3, SERVER: 2},
    ),
    build(
        "fullmesh-8",
        "three addresses with each of three: as many subflows as there may be",
        paths=3,
        endpoints=(
            SIGNAL,
            Endpoint(2, ("signal",), role=CLIENT),
            Endpoint(1, ("subflow", "fullmesh"), role=SERVER),
            Endpoint(2, ("subflow", "fullmesh"), role=SERVER),
        ),
        signals=(1, 2),
        subflows={CLIENT: 8, SERVER: 7},
        limits=(8, 8),
    ),
    build("fastclose", "either side ends the connection at once", meshes.fast_close, paths=1),
    *(
        build(
            f"fail-{'kernel' if way else 'ours'}-{subflows}",
            f"{'the kernel' if way else 'we'} get{'s' if way else ''} altered text, {subflows} subflows",
            partial(meshes.corrupt, way=way, endpoints=(JOIN,)[: subflows - 1], subflows=subflows),
            paths=0,
            lines=(PATH, PATH)[:subflows],
            sysctls=CHECKED,
            # the kernel's infinite mapping has to fit into its own interface, and is too long for ours
            choices={"multipath": True, "checksum": REQUIRE, "mtu": 1_400},
            notes=("checksum failure" if way == 0 else "MP_FAIL received",) if way + subflows < 3 else (),
            stays=("TcpInErrs",),
        )
        for way in (0, 1)
        for subflows in (1, 2)
    ),
    build(
        "slow-kernel",
        "the kernel reads slowly, over two subflows",
        meshes.slow_kernel,
        octets=MILLION // 2,
    ),
    build(
        "slow-ours",
        "we read slowly, over two subflows",
        meshes.slow,
        octets=MILLION // 2,
        choices={"multipath": True, "receive_buffer": 65_536},
    ),
    build(
        "crowd-100",
        "100 connections at once, with a second subflow where there is time for it",
        partial(meshes.crowd, size=100),
        octets=100_000,
        alone=True,
    ),
    build(
        "gigabyte",
        "a billion octets to the kernel over two paths, one of which dies midway",
        endpoints=(JOIN,),
        octets=1_000 * MILLION,
        midway=meshes.drop_second,
        one_way=True,
        families=(4,),
        alone=True,
        seconds=90,
        choices={"multipath": True},
    ),
)
