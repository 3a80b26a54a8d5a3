"""Any segments in any state: RFC 8684 §3, §5; no exception, no runaway clock, memory within the windows.

The peer here is no honest one: it sends whatever can be spelt, near enough to what is expected that it
passes TCP's checks now and then.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mptcp.choices import ACCEPT, REQUIRE
from mptcp.errors import Refused
from mptcp.host import Host
from mptcp.numbers import MASK_32
from mptcp.parameters import MILLISECOND
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import CapableAck, CapableData, CapableSyn, CapableSynAck, JoinAck, JoinSyn
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import Scene, established, established_actively, listening, syn_received, syn_sent

BUFFER = 5_000
NEAR = st.one_of(st.integers(-2, 12), st.integers(-3_000, 8_000), st.just(1 << 31), st.just(-(1 << 31)))
FAR = [(1 << 63) - 3, (1 << 63) - 2, (1 << 63) - 1, 1 << 63]  # the far side of the data sequence space
DATA = st.one_of(NEAR, st.sampled_from(FAR))
KINDS = ["dss", "dss", "dss", "dss", "fin", "ack", "infinite", "fail", "close", "capable", "other"]
SPANS = st.sampled_from([1, 50, 300, 5_000, 90_000])  # ms
SCENES: list[Callable[..., Scene]] = [established, established_actively, syn_received, syn_sent, listening]


def make_option(peer: Peer, kind: str, data: st.DataObject, length: int) -> Option:
    """An option with numbers near those that are expected."""
    control = find_control(peer.dialogue.host)
    dsn = 1 + data.draw(DATA) if control is None else control.rcv_nxt + data.draw(DATA)
    ack = 1 + data.draw(DATA) if control is None else control.snd_una + data.draw(DATA)
    ssn = data.draw(st.one_of(st.just(peer.next), st.integers(0, 9_000)))
    wide = data.draw(st.booleans())
    number = peer.dsn(dsn)
    narrow = number if wide else number & MASK_32
    checksum = data.draw(st.one_of(st.none(), st.just(0), st.integers(0, 0xFFFF)))
    data_ack = data.draw(st.sampled_from([None, DataAck(peer.host_dsn(ack), True)]))
    mapped = data.draw(st.one_of(st.just(length), st.integers(0, 9), st.integers(0, 65_535)))
    key = data.draw(st.sampled_from([peer.host_key, peer.key, bytes(8)]))
    if kind == "dss":
        spelt = peer.checksum and data.draw(st.booleans())
        return Dss(data_ack, Mapping(narrow, wide, ssn, mapped, checksum if spelt else None, False))
    if kind == "fin":
        fin_length = data.draw(st.sampled_from([1, length + 1]))
        return Dss(data_ack, Mapping(narrow, wide, 0 if fin_length == 1 else ssn, fin_length, checksum, True))
    if kind == "ack":
        return Dss(DataAck(peer.host_dsn(ack), True), None)
    if kind == "infinite":
        return Dss(data_ack, Mapping(narrow, wide, ssn, 0, checksum, data.draw(st.booleans())))
    if kind == "fail":
        return Fail(peer.host_dsn(ack))
    if kind == "close":
        return FastClose(key)
    if kind == "capable":
        flags = data.draw(st.sampled_from([0x01, 0x81, 0x00, 0x41, 0xFF]))
        capables: list[Option] = [
            CapableSyn(1, flags),
            CapableSynAck(1, flags, key),
            CapableAck(1, flags, peer.key, key),
            CapableData(1, flags, peer.key, key, mapped, checksum),
        ]
        return data.draw(st.sampled_from(capables))
    others: list[Option] = [
        AddAddr(1, bytes([10, 0, 0, 9]), None, bytes(8)),
        AddAddrEcho(1, bytes([10, 0, 0, 9]), None),
        RemoveAddr((0, 1)),
        Prio(True),
        TcpReset(1, 99),
        JoinSyn(True, 2, 77, b"once"),
        JoinAck(bytes(20)),
    ]
    return data.draw(st.sampled_from(others))


def find_control(host: Host) -> Any:
    """The record of the only connection, if there is one."""
    for connection in host.connections.values():
        return connection.control
    return None


def say(peer: Peer, data: st.DataObject) -> None:
    """One segment of the peer."""
    flags = data.draw(
        st.sampled_from([ACK] * 8 + [FIN | ACK, RST, RST | ACK, SYN, SYN | ACK, 0, FIN, SYN | FIN | ACK])
    )
    text = bytes(data.draw(st.one_of(st.just(0), st.integers(1, 20), st.integers(0, 1_400))))
    kinds = data.draw(st.lists(st.sampled_from(KINDS), max_size=2))
    options = [make_option(peer, kind, data, len(text)) for kind in kinds]
    if sum(len(option.emit()) for option in options) > 40:
        options = options[:1]
    seq = peer.next + data.draw(st.one_of(st.just(0), st.just(0), NEAR))
    ack = peer.acked + data.draw(st.one_of(st.just(0), st.just(0), st.integers(-2_000, 2_000)))
    window = data.draw(st.sampled_from([0, 1, 500, 3_000, 65_535]))
    peer.skips()
    before = peer.next
    peer.sends(flags, text=text, options=options, seq=seq, ack=ack, window=window)
    if seq != before:
        peer.next = min(peer.next, before + 9_000)  # it does not lose itself in the distance
    peer.skips()


def act(user: User, data: st.DataObject) -> None:
    """One call of the user; what may not be called now is refused, and nothing else."""
    what = data.draw(st.sampled_from(["write", "write", "read", "read", "close", "abort"]))
    try:
        if what == "write":
            user.writes(bytes(data.draw(st.integers(0, 3_000))))
        elif what == "read":
            user.reads(limit=data.draw(st.integers(0, 3_000)))
        elif what == "close":
            user.closes()
        elif data.draw(st.integers(0, 9)) == 0:
            user.aborts()
    except Refused:
        pass


def check(host: Host) -> None:
    """Memory stays within what was promised."""
    for connection in host.connections.values():
        control = connection.control
        assert len(control.rcv_ready) + control.rcv_held.held <= 2 * BUFFER
        assert len(control.snd_queue) <= BUFFER
        assert control.snd_una <= control.snd_nxt
        assert all(left < right <= control.snd_nxt for left, right in control.again.spans)
        for branch in control.branches:
            tcb = branch.subflow.tcb
            assert len(branch.received) <= 2 * BUFFER
            assert len(branch.inbound) <= 3 * BUFFER
            assert tcb.rcv_queue.held <= 3 * BUFFER
            assert tcb.snd_una <= tcb.snd_nxt


@pytest.mark.clause("R8684-5-06", "R8684-3-02", "R8684-3-07", "R8684-2.7-02")
@pytest.mark.parametrize("checksum", [ACCEPT, REQUIRE])
@pytest.mark.parametrize("situation", SCENES, ids=lambda one: one.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_any_segments(situation: Callable[..., Scene], checksum: int, data: st.DataObject) -> None:
    """Segments of an evil peer, calls of a hasty user, time: the host lives, and so do its promises."""
    user, peer = situation(
        multipath=True,
        checksum=checksum,
        receive_buffer=BUFFER,
        send_buffer=BUFFER,
        nagle=data.draw(st.booleans()),
    )
    for _ in range(data.draw(st.integers(1, 12))):
        user.connection = next(iter(user.host.connections), 0)
        what = data.draw(st.sampled_from("sssssut"))
        if what == "s":
            say(peer, data)
        elif what == "u" and user.connection:
            act(user, data)
        else:
            peer.waits(
                peer.dialogue.now + data.draw(st.sampled_from([1, 50, 300, 5_000, 90_000])) * MILLISECOND
            )
        check(user.host)
    peer.waits(peer.dialogue.now + 3_600_000 * MILLISECOND)
    check(user.host)
