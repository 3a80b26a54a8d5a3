"""The clock: microseconds that only go forward."""

import time

from mptcp.values import Micros


def read_clock() -> Micros:
    """The monotonic clock, µs; the same origin as ``asyncio``'s ``loop.time()``."""
    return time.monotonic_ns() // 1000
