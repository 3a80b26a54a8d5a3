"""What two SYNs agree on: segment size (RFC 9293 §3.7.1), window scale, timestamps (RFC 7323), SACK."""

from mptcp.congestion.controller import Window
from mptcp.native import i64
from mptcp.numbers import MASK_32
from mptcp.parameters import (
    DEFAULT_MSS_IPV4,
    DEFAULT_MSS_IPV6,
    IPV4_HEADER,
    IPV6_HEADER,
    MAXIMUM_WINDOW,
    MAXIMUM_WINDOW_SHIFT,
    TCP_HEADER,
    TIMESTAMP_TICK,
)
from mptcp.subflow.control import Control
from mptcp.values import Address, Micros
from mptcp.wire.options import MaximumSegmentSize, Option, SackPermitted, Timestamps, WindowScale


def compute_mss(mtu: int, address: Address) -> int:
    """The largest text, before options, that fits a packet of ``mtu`` octets (RFC 9293 §3.7.1).

    [R9293-3.7.1-03] IP reassembles nothing here, so the device's MTU is what we can take.
    """
    return mtu - TCP_HEADER - (IPV4_HEADER if len(address) == 4 else IPV6_HEADER)


def compute_default_mss(address: Address) -> int:
    """The MSS of a peer at ``address`` that announces none, octets (RFC 9293 §3.7.1)."""
    return DEFAULT_MSS_IPV4 if len(address) == 4 else DEFAULT_MSS_IPV6


def compute_window_shift(buffer: int) -> int:
    """The smallest shift with which a window of ``buffer`` octets can be announced (RFC 7323 §2.3)."""
    shift = 0
    while shift < MAXIMUM_WINDOW_SHIFT and buffer >> shift > MAXIMUM_WINDOW:
        shift += 1
    return shift


def compute_timestamp(tcb: Control, now: Micros) -> i64:
    """TSval: our timestamp clock at ``now``, 32 bits (RFC 7323 §4.1, §5.4)."""
    return (now // TIMESTAMP_TICK + tcb.ts_offset) & MASK_32


def compute_timestamps(tcb: Control, now: Micros) -> Timestamps:
    """The timestamps option for a segment that leaves ``now``."""
    return Timestamps(compute_timestamp(tcb, now), tcb.ts_recent)  # [R7323-3.2-01]


def compute_syn_options(tcb: Control, now: Micros, is_answer: bool) -> tuple[Option, ...]:
    """The options of our SYN, or of our SYN/ACK, which offers only what the SYN did."""
    # [R9293-3.1-09] [R9293-3.7.1-04] [R9293-3.7.1-05] MSS is always sent, [R9293-3.2-02] only here
    options: list[Option] = [MaximumSegmentSize(compute_mss(tcb.choices.mtu, tcb.local))]
    if tcb.sack or (tcb.choices.sack and not is_answer):
        options.append(SackPermitted())  # [R2018-2-01]
    if tcb.timestamps or (tcb.choices.timestamps and not is_answer):
        options.append(compute_timestamps(tcb, now))
    if tcb.scaling:
        # [R7323-2.2-01] scaling needs the option on both SYNs, if only with a shift of 0
        options.append(WindowScale(tcb.rcv_shift))
    return tuple(options)


def begin(tcb: Control) -> None:
    """What we will offer, from our choices."""
    tcb.scaling = tcb.choices.window_scaling
    if tcb.scaling:
        tcb.rcv_shift = compute_window_shift(tcb.choices.receive_buffer)


def take_syn_options(tcb: Control, options: tuple[Option, ...]) -> None:
    """Settle the terms from the options of the peer's SYN; elsewhere they mean nothing [R7323-2.2-02]."""
    # [R9293-3.7.1-01] without the option, the default
    peer_mss = compute_default_mss(tcb.remote)
    scale: WindowScale | None = None
    timestamps: Timestamps | None = None
    tcb.sack = False
    for option in options:
        if isinstance(option, MaximumSegmentSize):
            peer_mss = option.size
        elif isinstance(option, WindowScale):
            scale = option
        elif isinstance(option, Timestamps):
            timestamps = option
        elif isinstance(option, SackPermitted):
            tcb.sack = tcb.choices.sack
    # [R9293-3.7.1-02] never more than the peer takes and our own MTU carries; a tiny announcement
    # would leave no room for text beside 40 octets of options
    tcb.path.agree(max(peer_mss, 88))
    tcb.snd_mss = tcb.path.mss
    if scale is not None and tcb.scaling:
        tcb.snd_shift = min(scale.shift, MAXIMUM_WINDOW_SHIFT)  # [R7323-2.3-02]
    else:
        tcb.scaling = False  # [R7323-2.2-01] both or none
        tcb.snd_shift = 0
        tcb.rcv_shift = 0
    tcb.timestamps = timestamps is not None and tcb.choices.timestamps
    if tcb.timestamps and timestamps is not None:
        tcb.ts_recent = timestamps.value
    tcb.window = Window(tcb.snd_mss)
    if tcb.syn_lost:
        tcb.window.cwnd = tcb.snd_mss  # [R5681-3.1-04] a lost SYN: start with one segment
