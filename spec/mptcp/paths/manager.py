"""The base of all path managers: facts in, wishes out, both plain values (RFC 8684 §3.2, §3.4).

The base itself is a whole manager, the humblest one: it wants one subflow and welcomes no other.
"""

from mptcp.values import Record


class PathManager(Record):
    """Decides about subflows beyond the first; this one never wants any. [R8684-3.1-31]"""

    FIELDS = ()

    def is_hopeful(self) -> bool:
        """Whether a connection that lost all its subflows may get another (RFC 8684 §3.3.3)."""
        return False
