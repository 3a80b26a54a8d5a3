"""What the command line says: a line for people, JSON for programs, packets in lines."""

import json
from ipaddress import ip_address
from typing import Any

from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.handshake import CapableSyn
from mptcp.wire.options import NOP, MaximumSegmentSize
from mptcp.wire.segment import ACK, SYN, Segment, emit
from mptcp_stack.copying import Tally
from mptcp_stack.report import describe, simplify, summarize
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.transcript import Transcript

HERE, THERE = ip_address("10.0.0.1").packed, ip_address("10.0.0.2").packed


def make_packet(flags: int, *options: Any) -> bytes:
    return emit(Segment(HERE, THERE, 1000, 80, 1, 0, flags, 99, 0, options, ())).octets()


def test_summary(run: Any, pair: Any) -> None:
    """A summary is plain JSON, with Linux's names; and one line for people."""

    async def main() -> None:
        async with pair() as both:
            await start_server(lambda reader, writer: writer.close(), port=80, stack=both.right)
            reader, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            assert await reader.read() == b""
            sent, received = Tally(), Tally()
            sent.add(b"abc")
            info = writer.get_extra_info("mptcp")
            summary = json.loads(json.dumps(summarize(info, sent, received)))
            assert summary["sent"]["octets"] == 3
            assert summary["connection"]["remote"] == "10.0.0.2"
            assert summary["connection"]["subflows"][0]["local"] == "10.0.0.1"
            line = describe(info, sent, received)
            assert line.startswith("MPTCP with 10.0.0.2 port 80: sent 3 octets, received 0 octets")
            writer.close()

    run(main())


def test_simplify() -> None:
    """Octets that are no address are written in hexadecimal."""
    assert simplify((1, b"\1\2", None, "text")) == [1, "0102", None, "text"]
    assert simplify(DataAck(7, True)) == {"number": 7, "wide": True}


def test_transcript() -> None:
    """Who to whom, flags, text and options; the first packets, and how many more."""
    transcript = Transcript({"10.0.0.1": "here"}, limit=3)
    transcript.add(make_packet(SYN, MaximumSegmentSize(1460), CapableSyn(1, 1)))
    transcript.add(make_packet(ACK, NOP, NOP, Dss(DataAck(5, False), Mapping(9, True, 1, 70, None, False))))
    transcript.add(b"\x45 is no packet")
    for _ in range(4):
        transcript.add(make_packet(ACK, Dss(DataAck(5, False), Mapping(9, True, 0, 1, None, True))))
    first, second, third, last = transcript.lines()
    assert "here → 10.0.0.2  SYN" in first
    assert "MaximumSegmentSize CapableSyn" in first
    assert "[Dss ack 5 dsn 9 (70 octets from 1)]" in second
    assert "not a segment" in third
    assert last == "and 4 more"
    assert "DATA_FIN" in transcript.describe(make_packet(ACK, Dss(None, Mapping(9, True, 0, 1, None, True))))
