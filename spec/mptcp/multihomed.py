"""A host whose connections have several subflows, and whose addresses come and go (RFC 8684 §3.2, §3.4)."""

from mptcp.assembly import make_subflow
from mptcp.choices import Choices
from mptcp.connection.connection import Connection
from mptcp.connection.control import Branch, Control
from mptcp.connection.join import find_join, find_objection, find_reason, refuse
from mptcp.errors import Refused
from mptcp.paths.manager import Join
from mptcp.ports import compute_iss, compute_ts_offset, is_unicast
from mptcp.registry import Registry
from mptcp.subflow.subflow import Subflow
from mptcp.values import Address, FourTuple, Micros, Port
from mptcp.wire.handshake import NONCE_LENGTH, JoinSyn
from mptcp.wire.segment import Segment


class Multihomed(Registry):
    """Opens the subflows that path managers wish for, and admits those that peers open."""

    # -- the user's calls ---------------------------------------------------------------------

    def add_address(
        self, address: Address, now: Micros, is_backup: bool = False, is_signal: bool = False, port: Port = 0
    ) -> None:
        """The host has ``address``, too, from now on: its connections may use it [R8684-3.9.2-01].

        ``is_backup``: for subflows that are spared; ``is_signal``: peers are told of it, with ``port``
        if that is not 0. Raises Refused: no address, or ours already.
        """
        self.interfaces.add(address, is_backup, is_signal, port)
        for connection in self.connections.values():
            self.tell(connection, address)
            self.touch(connection)

    def remove_address(self, address: Address, now: Micros) -> None:
        """The host has lost ``address``: subflows from it end, peers are told. Raises Refused: not ours."""
        self.interfaces.remove(address)
        for connection in self.connections.values():
            connection.remove_address(address, now)
            self.touch(connection)

    def set_backup(self, connection: int, address: Address, is_backup: bool, now: Micros) -> None:
        """Subflows from ``address`` carry data only if no other can, or as any. Raises Refused: no such."""
        found = self.find(connection)
        found.set_priority(address, is_backup, now)
        self.touch(found)

    # -- inside -------------------------------------------------------------------------------

    def register(self, connection: Connection) -> None:
        """See ``Registry``; it learns of the other addresses, too."""
        super().register(connection)
        for address in self.interfaces.addresses:
            self.tell(connection, address)

    def tell(self, connection: Connection, address: Address) -> None:
        """A connection learns of an address of the host."""
        choices: Choices = connection.control.choices
        if choices.multipath:
            own = self.interfaces
            is_signal = address in own.signals or choices.announce
            is_spare = own.spares.get(address, False)
            connection.add_address(address, own.signals.get(address, 0), is_spare, is_signal)

    def admit(self, segment: Segment, option: JoinSyn, now: Micros) -> Connection | None:
        """A SYN with MP_JOIN: whose it is its token says, not its port [R8684-3.2-34] [R8684-3.2-33].

        No listener counts for that; and without the token nothing is computed: state is kept for whoever
        knows it [R8684-3.2-15]. Later segments are found by addresses and ports [R8684-3.2-35].

        The connection that has another subflow by now, for this very segment.
        """
        connection = self.connections.get(self.by_token.get(option.token, 0))
        four = (segment.destination, segment.destination_port, segment.source, segment.source_port)
        if connection is not None:
            self.clear(connection)  # whoever tries again and again leaves nothing behind
        objection = "" if connection is None else find_objection(connection.control, four)
        if connection is None or objection:
            self.journal.note(now, "host", "MP_JOIN refused", objection or "token")
            self.answer(refuse(segment, find_reason(objection)))
            return None
        subflow = self.create_subflow(connection.control, four, now)
        connection.accept(subflow, option, self.chance.draw(NONCE_LENGTH), now)
        return connection

    def cross(self, connection: Connection, branch: Branch, segment: Segment, now: Micros) -> bool:
        """A SYN came on a subflow that waits for the answer to its own: whether it makes way.

        Both ends wanted the same subflow, and one is enough [R8684-3.9.2-05]: that of whoever opened the
        connection.
        """
        join = find_join(segment)
        control = connection.control
        if control.is_initiator or join is None or join.token != control.local_token:
            return False
        self.journal.note(now, branch.subflow.tcb.name, "MP_JOINs cross", "")
        connection.yield_way(branch, now)
        return self.clear(connection)

    def fulfil(self, connection: Connection, now: Micros) -> None:
        """Open the subflows that the path manager wishes for now, each with a new nonce [R8684-5-03]."""
        for wish in connection.wishes(now):
            four = self.choose(connection.control, wish, now)
            if four is None:
                connection.cannot(wish)
            else:
                subflow = self.create_subflow(connection.control, four, now)
                connection.join(subflow, wish, self.chance.draw(NONCE_LENGTH), now)

    def clear(self, connection: Connection) -> bool:
        """Take back what its subflows that are over had; whether there were any."""
        gone = connection.bury()
        for four in gone:
            self.ports.release(four, connection.control.handle)
        return len(gone) > 0

    def choose(self, control: Control, wish: Join, now: Micros) -> FourTuple | None:
        """Addresses and ports for it, if there are any.

        To the port that the connection has on the other side [R8684-3.9.1-02] [R8684-3.4-02], and from
        its own where that is free [R8684-3.9.1-01] [R8684-3.9.1-03]; a port is taken for one pair of
        addresses, and so free for another [R8684-3.9.1-04]. Several subflows between the same two addresses
        differ in their ports [R8684-3.9.1-05]. So does one from an address that was gone within an
        MSL: where our RST was lost the peer may take a SYN whose number the last one had, too, for that one
        come late, and its answer tells us nothing (RFC 9293 §3.10.7.3).
        """
        local, remote = control.book.locals[wish.local_id].address, control.book.remotes[wish.remote_id]
        if not is_unicast(remote.address) or len(local) != len(remote.address):
            return None
        four = (local, control.first[1], remote.address, remote.port)
        if not self.ports.find(four) and control.book.vacated.get(four, 0) <= now:
            return four
        try:
            port = self.ports.draw(local, remote.address, remote.port)
        except Refused:
            return None
        return (local, port, remote.address, remote.port)

    def create_subflow(self, control: Control, four: FourTuple, now: Micros) -> Subflow:
        """A subflow between these addresses and ports, which are its own from now on."""
        self.ports.take(four, control.handle)
        iss = compute_iss(self.secret, four, now)
        subflow = make_subflow(control, four, iss, compute_ts_offset(self.secret, four))
        self.known_paths.recall(subflow.tcb, now)
        return subflow
