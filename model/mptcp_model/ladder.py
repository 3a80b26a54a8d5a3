"""Packet exchanges as ladders: time down the side, the two ends left and right.

print(draw(capture.packets))

µs  10.0.0.1:49152                                            10.0.0.2:80
0  ── SYN 0 win 65535 <MSS 1460, MP_CAPABLE(v1, H)> ──────────────────▶
10000  ◀───────────── SYN ACK 0 ack 1 win 65535 <MSS 1460, MP_CAPABLE(…)> ──
"""

from collections.abc import Container, Iterable, Sequence
from typing import Final, NamedTuple

from mptcp.errors import Malformed
from mptcp.values import Micros
from mptcp.wire import ip, segment
from mptcp_model.decoding.names import name_end
from mptcp_model.decoding.records import End
from mptcp_model.scribe import Scribe, ends
from mptcp_model.simulated.capture import Packet

WIDTH: Final = 96
"""Columns between the two ends."""


class Note(NamedTuple):
    """Something else that happened, in words."""

    when: Micros
    words: str


def draw(packets: Iterable[Packet | Note], width: int = WIDTH, shown: Container[int] | None = None) -> str:
    """The ladder of ``packets`` and notes. What is no TCP segment is told in a word.

    ``shown``: by their numbers from 0, those that get a rung; what lies between is counted. None: all.
    """
    scribe, rungs, flows = Scribe(), list[str](), list[tuple[End, End]]()
    left_out, last = 0, 0
    for number, packet in enumerate(packets):
        is_shown = shown is None or number in shown
        if is_shown and left_out:
            rungs.append(f"{last:>12}      · … {left_out:,} packets more …")
            left_out = 0
        left_out, last = left_out + (not is_shown), packet.when
        if isinstance(packet, Note):
            if is_shown:
                rungs.append(f"{packet.when:>12}      · {packet.words}")
            continue
        when, octets = packet
        try:
            datagram = ip.parse(octets)
            if datagram.protocol != ip.TCP:
                if is_shown:
                    rungs.append(f"{when:>12}      · protocol {datagram.protocol}, {len(octets)} octets")
                continue
            one = segment.parse(octets, datagram)
        except Malformed as malformed:
            if is_shown:
                rungs.append(f"{when:>12}      · malformed: {malformed}")
            continue
        way, back = ends(one)
        if (back, way) not in flows and (way, back) not in flows:
            flows.append((way, back))
        if not is_shown:
            scribe.read(one)  # what it says is known to those that follow
            continue
        forth = (way, back) in flows
        flow = flows.index((way, back) if forth else (back, way))
        rungs.append(draw_rung(when, flow, forth, scribe.describe(one), width))
    if left_out:
        rungs.append(f"{last:>12}      · … {left_out:,} packets more …")
    return "\n".join([*draw_heads(flows, width), *rungs])


def draw_rung(when: Micros, number: int, forth: bool, words: str, width: int) -> str:
    """One segment of flow ``number``, from left to right if ``forth``."""
    dashes = "─" * max(2, width - len(words) - 6)
    arrow = f"── {words} {dashes}▶" if forth else f"◀{dashes} {words} ──"
    return f"{when:>12}  {number:>2}  {arrow}"


def draw_heads(flows: Sequence[tuple[End, End]], width: int) -> list[str]:
    """A line for each flow that says who stands left and right."""
    heads = []
    for number, (left, right) in enumerate(flows):
        one, two = name_end(left), name_end(right)
        heads.append(f"{'µs':>12}  {number:>2}  {one}{' ' * max(1, width - len(one) - len(two) - 1)}{two}")
    return heads
