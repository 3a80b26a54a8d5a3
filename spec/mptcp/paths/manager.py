"""The base of all path managers: facts in, wishes out, both plain values (RFC 8684 §3.2, §3.4).

The base itself is a whole manager, the humblest one: it wants one subflow and welcomes no other.
"""

from mptcp.values import Address, Port, Record


class PathManager(Record):
    """Decides about subflows beyond the first; this one never wants any. [R8684-3.1-31]"""

    FIELDS = ()

    def is_welcome(self, local: Address, local_port: Port, remote: Address, remote_port: Port) -> bool:
        """Whether an MP_JOIN from ``remote`` to ``local`` may become a subflow (RFC 8684 §3.2)."""
        return False

    def is_hopeful(self) -> bool:
        """Whether a connection that lost all its subflows may get another (RFC 8684 §3.3.3)."""
        return False
