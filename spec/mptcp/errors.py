"""Two exceptions, by who is wrong: the octets, or the caller.

A peer never raises anything in us: ``Malformed`` is caught once, in ``host.receive``.
"""


class Malformed(Exception):
    """Octets that are not what they claim to be.

    ``offset`` is where, in octets from the start of what was parsed; ``reason`` says what is wrong.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"{reason} (at octet {offset})")
        self.offset = offset
        self.reason = reason


class Refused(Exception):
    """A call that the caller may not make now, in the words of RFC 9293 §3.10."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
