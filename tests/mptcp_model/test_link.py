"""A link does what its line says, and the same seed does the same."""

from hypothesis import given
from hypothesis import strategies as st

from mptcp_model.simulated.link import Line, Link

PACKET = bytes(1_000)


def new_link(line: Line, seed: str = "seed") -> Link:
    """A link that leads nowhere."""
    return Link("link", "target", line, seed)


def test_perfect_wire() -> None:
    """Without rate and delay a packet arrives when it is sent."""
    assert new_link(Line()).send(PACKET, 7) == [7]


def test_rate_and_delay() -> None:
    """1,000 octets at 8 Mbit/s take 1 ms; the second packet waits for the first."""
    link = new_link(Line(rate=8_000_000, delay=500))
    assert [link.send(PACKET, when) for when in (0, 0, 5_000)] == [[1_500], [2_500], [6_500]]


def test_rate_is_rounded_up() -> None:
    """A packet never arrives before its last bit has left."""
    assert new_link(Line(rate=3_000_000)).send(bytes(1), 0) == [3]


def test_queue_in_octets_drops_at_the_tail() -> None:
    """What does not fit behind the packets that wait is lost; room returns as they leave."""
    link = new_link(Line(rate=8_000_000, queue=2_000))
    assert [link.send(PACKET, 0) for _ in range(3)] == [[1_000], [2_000], []]
    assert link.send(PACKET, 1_000) == [3_000]
    assert (link.counters.overflowed, link.counters.longest_queue) == (1, 2_000)


def test_queue_in_packets_drops_at_the_tail() -> None:
    """The same, counted in packets."""
    link = new_link(Line(rate=8_000_000, queue_packets=1))
    assert [link.send(PACKET, when) for when in (0, 0, 1_000)] == [[1_000], [], [2_000]]


def test_loss_by_number() -> None:
    """Exactly the packets named are lost; the first is number 1."""
    link = new_link(Line(lose=frozenset({1, 3})))
    assert [len(link.send(PACKET, 0)) for _ in range(4)] == [0, 1, 0, 1]
    assert (link.counters.packets, link.counters.lost, link.counters.delivered) == (4, 2, 2)


def test_loss_by_chance() -> None:
    """A tenth is about a tenth."""
    link = new_link(Line(loss=0.1))
    arrived = sum(len(link.send(PACKET, 0)) for _ in range(10_000))
    assert 8_800 < arrived < 9_200


def test_reorder_and_duplicate() -> None:
    """Reordering adds its delay, duplication its second arrival."""
    link = new_link(Line(delay=10, reorder=1.0, reorder_delay=90, duplicate=1.0))
    assert link.send(PACKET, 0) == [100, 100]
    assert (link.counters.reordered, link.counters.duplicated, link.counters.delivered) == (1, 1, 2)


def test_too_long_a_packet_is_not_carried() -> None:
    """A link carries its MTU and no octet more."""
    link = new_link(Line(mtu=1_000))
    assert link.send(PACKET, 0) == [0]
    assert link.send(PACKET + b"x", 0) == []
    assert link.counters.oversized == 1


def test_one_misfortune_leaves_the_others_where_they_were() -> None:
    """Adding loss to a line does not change which packets are reordered."""
    plain = new_link(Line(reorder=0.3, reorder_delay=5))
    lossy = new_link(Line(reorder=0.3, reorder_delay=5, loss=0.2))
    pairs = [(plain.send(PACKET, 0), lossy.send(PACKET, 0)) for _ in range(200)]
    assert all(two in (one, []) for one, two in pairs)


lines = st.builds(
    Line,
    rate=st.sampled_from([0, 64_000, 10_000_000]),
    delay=st.integers(0, 100_000),
    loss=st.floats(0, 1),
    queue=st.sampled_from([0, 3_000]),
    reorder=st.floats(0, 1),
    reorder_delay=st.integers(0, 1_000),
    duplicate=st.floats(0, 1),
)


@given(lines, st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 1_500)), max_size=30))
def test_same_seed_same_fate_and_books_balance(line: Line, sendings: list[tuple[int, int]]) -> None:
    """Two links, or a link and its copy, agree on every arrival; no arrival precedes its sending."""
    one, now = new_link(line), 0
    two = one.copy()
    for pause, length in sendings:
        now += pause
        arrivals = one.send(bytes(length), now)
        assert arrivals == two.send(bytes(length), now)
        assert all(arrival >= now + line.delay for arrival in arrivals)
    counters = one.counters
    assert one.key() == two.key()
    assert counters.packets == counters.lost + counters.overflowed + counters.delivered - counters.duplicated
