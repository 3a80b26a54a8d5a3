"""What the command line says of a connection: to people on standard error, to programs as JSON."""

import json
import sys
from enum import Enum
from ipaddress import ip_address
from typing import Any

import mptcp
from mptcp.connection.info import ConnectionInfo, SubflowInfo
from mptcp.values import Value
from mptcp_stack.copying import Tally


def say(sentence: str) -> None:
    """One line for whoever watches."""
    print(sentence, file=sys.stderr, flush=True)


def simplify(thing: object, name: str = "") -> Any:
    """A value as JSON has it: fields by name, addresses written out, other octets in hexadecimal."""
    if isinstance(thing, Value):
        return {field: simplify(getattr(thing, field), field) for field in thing.__match_args__}
    if isinstance(thing, (tuple, list)):
        return [simplify(one) for one in thing]
    if isinstance(thing, bytes):
        return str(ip_address(thing)) if name in ("local", "remote") and thing else thing.hex()
    if isinstance(thing, Enum):
        return thing.name
    return thing


def summarize(info: ConnectionInfo, sent: Tally, received: Tally) -> dict[str, Any]:
    """What ``--json`` prints: octets, SHA-256, seconds and Mbit/s each way, and the ConnectionInfo."""
    summary: dict[str, Any] = {"build": mptcp.build()}
    for name, tally in (("sent", sent), ("received", received)):
        summary[name] = {
            "octets": tally.octets,
            "sha256": tally.sha256,
            "seconds": round(tally.seconds, 6),
            "mbit_per_second": round(tally.megabits_per_second, 3),
        }
    summary["connection"] = simplify(info)
    return summary


def print_json(summary: dict[str, Any], to_stdout: bool) -> None:
    """One line of JSON, to standard output where that is free, to standard error otherwise."""
    print(json.dumps(summary), file=sys.stdout if to_stdout else sys.stderr, flush=True)


def describe(info: ConnectionInfo, sent: Tally, received: Tally) -> str:
    """The same for people, in one line."""
    kind = "MPTCP" if info.multipath else "plain TCP"
    if info.multipath and info.checksum:
        kind += " with checksums"
    speed = max(sent.megabits_per_second, received.megabits_per_second)
    pace = f", up to {speed:.0f} Mbit/s" if speed >= 1 else ""
    return (
        f"{kind} with {ip_address(info.remote)} port {info.remote_port}: sent {sent.octets} octets, "
        f"received {received.octets} octets{pace}"
    )


def describe_subflows(subflows: tuple[SubflowInfo, ...]) -> list[str]:
    """Who carried what, a line for each subflow, if there are several."""
    if len(subflows) < 2:
        return []
    return [
        f"  {ip_address(one.local)} - {ip_address(one.remote)}: "
        f"sent {one.bytes_sent} octets, received {one.bytes_received} octets"
        for one in subflows
    ]
