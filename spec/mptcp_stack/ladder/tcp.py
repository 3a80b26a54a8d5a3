"""The rungs of TCP: one subflow, held against the kernel."""

from typing import Final

from mptcp_stack.forwarder import Line
from mptcp_stack.ladder import endings, transfers
from mptcp_stack.ladder.rung import CLIENT, KERNEL, ROLES, SERVER, Rung

MILLION: Final = 1_000_000
PERFECT: Final = Line()
QUICK: Final = Line(delay=2_000)
SLOW: Final = Line(rate=40 * MILLION, delay=5_000)
PLAIN: Final = {"multipath": False}
COOKIES: Final = {"net.ipv4.tcp_syncookies": 2}
FAST_OPEN: Final = {"net.ipv4.tcp_fastopen": 3}

RUNGS: Final = (
    Rung("octets-1", "one octet each way", transfers.exchange, 1),
    Rung("octets-1M", "a million octets each way at once", transfers.exchange, MILLION),
    Rung("octets-200M", "200 million octets there, then back", transfers.in_turn, 200 * MILLION, alone=True),
    *(
        Rung(
            f"loss-{percent}%",
            f"5 ms, {percent} % lost",
            transfers.exchange,
            octets,
            (Line(delay=5_000, loss=percent / 100),),
            roles=(*ROLES, KERNEL),
        )
        for percent, octets in ((0.1, 4 * MILLION), (1, 2 * MILLION), (5, MILLION // 2))
    ),
    Rung(
        "reordering-5%",
        "one packet in twenty 3 ms late",
        transfers.exchange,
        4 * MILLION,
        (Line(delay=5_000, reorder=0.05),),
    ),
    Rung(
        "reordering-jitter",
        "every packet up to 2 ms late",
        transfers.exchange,
        2 * MILLION,
        (Line(delay=5_000, jitter=2_000),),
    ),
    Rung(
        "duplicates-5%",
        "one packet in twenty comes twice",
        transfers.exchange,
        4 * MILLION,
        (Line(delay=2_000, duplicate=0.05),),
    ),
    Rung("half-close", "one half closes, the other goes on", endings.half_close),
    Rung("open-both", "two SYNs cross", endings.open_both, lines=(PERFECT,), roles=(CLIENT,)),
    Rung("close-both", "two FINs cross", endings.close_both, lines=(PERFECT,)),
    Rung("reset", "by the kernel, by us, from a closed port", endings.reset, rises=("TcpEstabResets",)),
    Rung(
        "window-kernel",
        "the kernel's program reads slowly: its window closes",
        endings.kernel_is_slow,
        300_000,
        rises=("TcpExtTCPToZeroWindowAdv", "TcpExtTCPFromZeroWindowAdv"),
    ),
    Rung(
        "window-ours",
        "we read slowly: our window closes",
        endings.we_are_slow,
        300_000,
        choices={"receive_buffer": 32_768},
        rises=("TcpExtTCPWinProbe",),
    ),
    Rung(
        "scaling-kernel",
        "the kernel without window scaling",
        transfers.exchange,
        MILLION,
        (QUICK,),
        sysctls={"net.ipv4.tcp_window_scaling": 0},
    ),
    Rung(
        "scaling-ours",
        "we without window scaling",
        transfers.exchange,
        MILLION,
        (QUICK,),
        choices={"window_scaling": False},
    ),
    Rung(
        "timestamps-kernel",
        "the kernel without timestamps, 1 % lost",
        transfers.exchange,
        MILLION,
        (Line(delay=2_000, loss=0.01),),
        sysctls={"net.ipv4.tcp_timestamps": 0},
    ),
    Rung(
        "timestamps-ours",
        "we without timestamps, 1 % lost",
        transfers.exchange,
        MILLION,
        (Line(delay=2_000, loss=0.01),),
        choices={"timestamps": False},
    ),
    Rung(
        "sack-both",
        "selective acknowledgments, 2 % lost",
        transfers.exchange,
        MILLION,
        (Line(delay=2_000, loss=0.02),),
        rises=("TcpExtTCPSackRecovery",),
    ),
    Rung(
        "sack-kernel",
        "the kernel without SACK, 2 % lost",
        transfers.exchange,
        MILLION // 2,
        (Line(delay=2_000, loss=0.02),),
        sysctls={"net.ipv4.tcp_sack": 0},
        stays=("TcpInErrs", "TcpExtTCPSackRecovery"),
    ),
    Rung(
        "sack-ours",
        "we without SACK, 2 % lost",
        transfers.exchange,
        MILLION // 2,
        (Line(delay=2_000, loss=0.02),),
        choices={"sack": False},
        stays=("TcpInErrs", "TcpExtTCPSackRecovery"),
    ),
    Rung(
        "crowd-500",
        "500 connections at once, each with octets of its own",
        transfers.crowd,
        2_000,
        sysctls={"net.core.somaxconn": 4096, "net.ipv4.tcp_max_syn_backlog": 4096},
        alone=True,
    ),
    *(
        Rung(f"mtu-{mtu}", f"packets of up to {mtu} octets", transfers.exchange, MILLION, mtu=mtu)
        for mtu in (1280, 1400, 4000, 9000)
    ),
    Rung(
        "path-told",
        "the path shrinks to 1,300 octets, ICMP says so",
        transfers.shrink,
        2 * MILLION,
        (SLOW,),
    ),
    Rung(
        "path-silent",
        "the path shrinks to 1,300 octets, nobody says so",
        transfers.shrink,
        2 * MILLION,
        (Line(rate=40 * MILLION, delay=5_000, icmp=False),),
        sysctls={"net.ipv4.tcp_mtu_probing": 1, "net.ipv4.tcp_base_mss": 1024},
    ),
    Rung(
        "fast-open",
        "text in the SYN, with a cookie",
        transfers.fast_open,
        500,
        sysctls=FAST_OPEN,
        choices={"fast_open": True},
    ),
    Rung(
        "cookies-kernel",
        "the kernel answers SYNs with cookies",
        transfers.exchange,
        sysctls=COOKIES,
        roles=(CLIENT,),
        rises=("TcpExtSyncookiesSent", "TcpExtSyncookiesRecv"),
    ),
    Rung(
        "cookies-ours",
        "we answer SYNs with cookies",
        transfers.exchange,
        choices={"backlog": 0},
        roles=(SERVER,),
    ),
    Rung("mptcp-1M", "the same with MPTCP", transfers.exchange, MILLION, choices={"multipath": True}),
    Rung(
        "mptcp-loss",
        "MPTCP, 5 ms, 1 % lost",
        transfers.exchange,
        MILLION,
        (Line(delay=5_000, loss=0.01),),
        choices={"multipath": True},
    ),
    Rung(
        "mptcp-200M",
        "MPTCP, 200 million octets there, then back",
        transfers.in_turn,
        200 * MILLION,
        choices={"multipath": True},
        alone=True,
    ),
)
