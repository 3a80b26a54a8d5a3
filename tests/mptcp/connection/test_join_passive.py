"""MP_JOIN answered: RFC 8684 §3.2, the host as Host B of a further subflow."""

from typing import Any

import pytest

from mptcp.choices import REQUIRE
from mptcp.events import Readable, SubflowClosed, SubflowEstablished
from mptcp.parameters import REASON_MPTCP, REASON_PROHIBITED, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.endings import TcpReset
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn, CapableSynAck, JoinAck, JoinSynAck
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import HOST_IPV6, PEER_IPV6, DataSignal, Peer, User
from mptcp_model.joins import (
    ask,
    compute_hmac,
    compute_host_hmac,
    find_nonce,
    join,
    make_ack,
    make_syn,
)
from mptcp_model.situations import established, established_actively


def meet(**choices: Any) -> tuple[User, Peer, Peer]:
    """A connection, and somebody at another port who would join it."""
    user, first = established(multipath=True, **choices)
    return user, first, first.dialogue.meets(port=41_000)


@pytest.mark.clause(
    "R8684-3.2-02", "R8684-3.2-13", "R8684-3.2-16", "R8684-3.2-18", "R8684-3.2-23", "R8684-3.2-29"
)
@pytest.mark.clause("R8684-3.2-35")
def test_join() -> None:
    """SYN, SYN/ACK with part of an HMAC, ACK with the other side's: a fourth packet, and it is a subflow."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    option = next(option for option in syn_ack.options if isinstance(option, JoinSynAck))
    assert option.hmac == compute_host_hmac(other, option.nonce)[:8]
    assert (option.address_id, option.backup) == (0, False)
    user.hears_nothing()
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    other.expects(ACK, seq=1, ack=1, options=[DataSignal(ack=1)], at=0)
    event = user.hears(SubflowEstablished)
    assert isinstance(event, SubflowEstablished)
    assert (event.remote_port, event.local_port, event.is_backup) == (41_000, 80, False)
    other.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.2-34", "R8684-3.2-33", "R8684-3.9.1-05")
@pytest.mark.parametrize("port", [80, 81])
def test_join_to_any_port(port: int) -> None:
    """The token says whose it is: nobody has to listen."""
    user, first, _ = meet()
    other = first.dialogue.meets(port=42_000, local_port=port)
    join(other, first)
    user.hears(SubflowEstablished)


@pytest.mark.clause("R8684-3.2-34", "R8684-3.2-01")
def test_join_of_what_the_host_opened() -> None:
    """Whoever was called may join, too: here nobody listens at all."""
    user, first = established_actively(multipath=True)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other = first.dialogue.meets(port=50_000, local_port=40_000)
    join(other, first)
    user.hears(SubflowEstablished)


@pytest.mark.clause("R8684-3.2-34", "R8684-3.2-06", "R8684-2.3-01")
def test_join_over_the_other_family() -> None:
    """Any address will do."""
    user, first, _ = meet()
    other = first.dialogue.meets(PEER_IPV6, 41_000, HOST_IPV6, 80)
    syn_ack = ask(other, first, address_id=7)
    option = next(option for option in syn_ack.options if isinstance(option, JoinSynAck))
    assert option.address_id == 1  # the host's second address has an ID of its own
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    user.hears(SubflowEstablished)
    assert [one.remote_id for one in user.host.status(user.connection).subflows] == [0, 7]


@pytest.mark.clause("R8684-3.2-17", "R8684-3.2-28", "R8684-3.2-27", "R8684-3.9.3-03", "R8684-3.8-01")
@pytest.mark.parametrize("kind", ["none", "wrong", "other nonce", "own HMAC sent back", "with text"])
def test_third_packet_is_wrong(kind: str) -> None:
    """RST with reason 1, after the first attempt; the connection does not notice."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    hmac = compute_hmac(other, find_nonce(syn_ack))[:20]
    if kind == "wrong":
        hmac = bytes([hmac[0] ^ 1]) + hmac[1:]
    elif kind == "other nonce":
        hmac = compute_hmac(other, b"else")[:20]
    elif kind == "own HMAC sent back":
        hmac = compute_host_hmac(other, find_nonce(syn_ack))[:20]
    options = [] if kind in ("none", "with text") else [JoinAck(hmac)]
    mapped = [DataSignal(dsn=1, ssn=1, length=4)]
    if kind == "with text":
        other.sends(ACK, text=b"evil", options=mapped)
    else:
        other.sends(ACK, options=options)
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    other.expects(RST)  # too late: it belongs to nobody now
    user.hears_nothing()
    first.sends(ACK, text=b"fine", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    user.hears(Readable)
    user.reads(b"fine")


@pytest.mark.clause("R8684-3.2-18", "R8684-3.2-19")
def test_fourth_packet_is_lost() -> None:
    """The third one comes again, and is answered again."""
    user, first, other = meet()
    syn_ack = ask(other, first)
    for _ in range(3):
        other.sends(ACK, options=[make_ack(other, syn_ack)])
        other.expects(ACK, seq=1, ack=1, options=[DataSignal(ack=1)])
        other.expects_nothing()
    user.hears(SubflowEstablished)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.2-05", "R8684-3.2-13")
def test_syn_comes_again() -> None:
    """The same SYN gets the same answer; another join gets another nonce."""
    _, first, other = meet()
    one = ask(other, first)
    other.sends(SYN, seq=0, options=[make_syn(other, first)])
    again = other.expects(SYN | ACK, seq=0, ack=1, options=[JoinSynAck])
    assert find_nonce(one) == find_nonce(again)
    third = first.dialogue.meets(port=42_000)
    assert find_nonce(ask(third, first)) != find_nonce(one)


@pytest.mark.clause("R8684-3.2-12", "R8684-3.3.8-03", "R8684-3.3.8-06", "R8684-2.5-01")
@pytest.mark.clause("R8684-3.3.8-08")
def test_backup_of_the_peer() -> None:
    """Flag B: nothing goes there while another subflow is usable; when that is gone, all does."""
    user, first, other = meet()
    join(other, first, backup=True)
    event = user.hears(SubflowEstablished)
    assert isinstance(event, SubflowEstablished) and event.is_backup
    user.writes(bytes(200_000))
    assert len(first.skips()) >= 10
    other.expects_nothing()
    other.sends(ACK, text=b"yet it sends", options=[DataSignal(ack=1, dsn=1, ssn=1, length=12)])
    user.hears(Readable)  # it spoke of our direction
    first.sends(RST)
    user.hears(SubflowClosed)
    assert sum(one.text_length for one in other.skips()) > 10_000


@pytest.mark.clause("R8684-3.2-14", "R8684-3.2-24", "R8684-3.2-25", "R8684-3.9.2-03")
def test_as_many_as_there_may_be() -> None:
    """One too many is refused with reason 3; when one has gone, there is room again."""
    user, first, other = meet(subflows=2)
    join(other, first)
    third = first.dialogue.meets(port=42_000)
    third.sends(SYN, options=[make_syn(third, first, 2)])
    third.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])
    other.sends(RST)
    third.sends(SYN, seq=0, options=[make_syn(third, first, 2)])
    third.expects(SYN | ACK, options=[JoinSynAck])


@pytest.mark.clause("R8684-3.2-14", "R8684-5-07", "R8684-3.9.2-03")
def test_those_that_end_are_not_counted() -> None:
    """A subflow whose both FINs are out makes room; but of those, too, there are only so many."""
    _, first, other = meet(subflows=2)
    for number in range(3):
        join(other, first, 2 + number)
        other.sends(FIN | ACK, options=[DataSignal(ack=1)])
        other.expects(FIN | ACK, seq=1, ack=2)
        other = first.dialogue.meets(port=42_000 + number)
    other.sends(SYN, options=[make_syn(other, first, 9)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])


@pytest.mark.clause("R8684-3.1-37", "R8684-3.2-25")
def test_we_said_flag_c() -> None:
    """Whoever was told not to join the initial address and port is refused there, and nowhere else."""
    user, first, other = meet(join_initial_address=False)
    other.sends(SYN, options=[make_syn(other, first)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])
    third = first.dialogue.meets(PEER_IPV6, 41_000, HOST_IPV6, 80)
    join(third, first)
    user.hears(SubflowEstablished)


@pytest.mark.clause("R8684-3.2-01", "R8684-3.2-24")
@pytest.mark.parametrize("situation", ["fallen back", "before the third packet"])
def test_nothing_to_join(situation: str) -> None:
    """A connection that is plain TCP, or not open yet, is joined by nobody."""
    user, first, other = meet()
    if situation == "fallen back":
        first.sends(ACK, text=b"plain")
        assert not user.host.status(user.connection).multipath
        other.sends(SYN, options=[make_syn(other, first)])
    else:
        late = first.dialogue.meets(port=43_000)
        late.sends(SYN, options=[CapableSyn(1, HMAC_SHA256)])
        late.expects(SYN | ACK, options=[CapableSynAck])
        other.sends(SYN, options=[make_syn(other, late)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])


@pytest.mark.clause("R8684-3.2-28")
def test_join_that_is_never_finished() -> None:
    """The half-open join goes away by itself, as any half-open connection does."""
    user, first, other = meet(syn_attempts=3)
    ask(other, first)
    other.waits(100 * SECOND)
    assert len(user.host.status(user.connection).subflows) == 1
    user.hears_nothing()


@pytest.mark.clause("R8684-3.2-06", "R8684-3.2-07", "R8684-2.7-01")
def test_nat_in_the_way() -> None:
    """Three subflows whose addresses say nothing: the Address IDs are what the peer says they are."""
    user, first, other = meet()
    join(other, first, address_id=5)
    third = first.dialogue.meets(bytes([192, 0, 2, 99]), 1_024)
    join(third, first, address_id=6)
    assert [one.remote_id for one in user.host.status(user.connection).subflows] == [0, 5, 6]


@pytest.mark.clause("R8684-3.3-09", "R8684-3.2-29")
def test_checksums_are_those_of_the_connection() -> None:
    """What the first handshake agreed on holds on all subflows."""
    user, first = established(multipath=True, checksum=REQUIRE)
    first.checksum = True
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    other.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.writes(b"answer")
    mappings = [
        option.mapping
        for one in other.skips() + first.skips()
        for option in one.options
        if isinstance(option, Dss) and option.mapping is not None
    ]
    assert len(mappings) == 1 and mappings[0].checksum is not None
