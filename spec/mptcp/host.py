"""The host: ports, tokens, and who gets the segment. Five calls drive it, and nothing else does.

    receive(packet, now)   octets in          deadline()   when to tick next, or None
    tick(now)              time passes        events()     what the application may know
    transmit(now)          octets out

Time (µs) and randomness (the seed) are arguments. One host serves a simulated network, a device,
a trace and a proof alike, and what fails in one place replays in another.
"""

from typing import Final

from mptcp import cookies, fast_open
from mptcp.choices import Choices
from mptcp.connection import initiate
from mptcp.connection.connection import Connection
from mptcp.connection.control import Branch, Control
from mptcp.connection.info import ConnectionInfo, compute_info
from mptcp.connection.join import find_join
from mptcp.connection.joining import Joining
from mptcp.errors import Malformed, Refused
from mptcp.events import Event
from mptcp.keys import compute_token
from mptcp.listeners import Listener
from mptcp.multihomed import Multihomed
from mptcp.numbers import MASK_32
from mptcp.parameters import COOKIE_PERIOD
from mptcp.ports import compute_iss, compute_ts_offset, is_unicast
from mptcp.subflow.arrive import compute_reset
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.negotiate import compute_default_mss, compute_timestamp
from mptcp.subflow.reopen import compute_next_iss, may_reopen
from mptcp.values import Address, FourTuple, Micros, Port
from mptcp.wire import icmp, ip
from mptcp.wire.segment import ACK, RST, SYN, Outgoing, Segment
from mptcp.wire.segment import parse as parse_segment

TCP: Final = 6  # the IP protocol number


class Host(Multihomed):
    """One host with its ``addresses`` (4 or 16 octets each). ``seed``: 32 octets or more of entropy.

    Raises Refused on a short seed or an address of another length.
    """

    # -- octets in ----------------------------------------------------------------------------

    def receive(self, packet: bytes, now: Micros, checked: bool = False, start: int = 0) -> None:
        """One IP packet came, at ``start`` of ``packet``. Never raises.

        ``checked``: the device vouches for its TCP checksum.
        """
        try:
            datagram = ip.parse(packet, start)
            if not self.interfaces.has(datagram.destination):
                return
            if datagram.protocol != TCP:
                self.arrive_icmp(icmp.parse(packet, datagram), now)
                return
            segment = parse_segment(packet, datagram, checked)  # [R9293-3.1-04]
        except Malformed as malformed:
            self.malformed += 1
            self.journal.note(now, "host", "malformed", malformed.reason)
            return
        # [R9293-3.9.1.1-01] [R9293-3.9.1.1-02] what is there goes before whoever listens
        handle = self.ports.find(
            (segment.destination, segment.destination_port, segment.source, segment.source_port)
        )
        if handle == 0:
            self.arrive_unknown(segment, now)
            return
        connection = self.connections[handle]
        branch = connection.find_branch(get_four(segment))
        if branch.is_lost and self.clear(connection) and not self.ports.find(get_four(segment)):
            self.arrive_unknown(segment, now)
        elif may_reopen(branch.subflow.tcb, segment) and self.listeners.find(
            segment.destination, segment.destination_port
        ):
            self.reopen(connection, branch, segment, now)
        elif branch.joining is Joining.WAITING and segment.flags & (SYN | ACK | RST) == SYN:
            if self.cross(connection, branch, segment, now):
                self.arrive_unknown(segment, now)
        else:
            if connection.control.version == 0:
                segment = parse_segment(packet, datagram, True, 0)  # some options look otherwise
            self.arrive(connection, branch, segment, now)

    def arrive(self, connection: Connection, branch: Branch, segment: Segment, now: Micros) -> None:
        """A segment for a subflow of one of our connections."""
        self.answer(connection.arrive(branch, segment, now))
        if segment.flags & SYN:
            self.learn(connection.control, now)
        self.touch(connection)
        if connection.is_over():
            self.release(connection)  # its addresses may be wanted by the next segment

    def learn(self, control: Control, now: Micros) -> None:
        """A SYN came to ``control``: what it tells of the destination is good for the next call, too."""
        tcb = control.branches[0].subflow.tcb
        if control.is_initiator and control.fast_cookie is not None:
            if control.fast_refused or (control.fast_cookie and tcb.syn_lost):
                self.fast_opens.rest(tcb.remote, now)
            elif control.fast_heard:
                self.fast_opens.keep(tcb.remote, control.fast_heard, tcb.snd_mss)
        version = initiate.find_lesson(control)
        if version is not None and control.choices.blackhole_timeout > 0:
            remote = control.first[2]
            self.journal.note(now, "host", "destination remembered", str(version))
            self.destinations.learn(remote, version, now + control.choices.blackhole_timeout)

    def arrive_unknown(self, segment: Segment, now: Micros, before: Tcb | None = None) -> None:
        """A segment of no connection: a SYN for a listener, or for nobody (RFC 9293 §3.10.7.1-2).

        ``before`` is what was known of the same addresses and ports a moment ago.
        """
        if not is_unicast(segment.source):
            return
        join = find_join(segment)
        if join is not None:
            joined = self.admit(segment, join, now)
            if joined is not None:
                self.arrive(joined, joined.find_branch(get_four(segment)), segment, now)
            return
        listener = self.listeners.find(segment.destination, segment.destination_port)
        if listener is None or segment.flags & ACK:
            if listener is None or not self.redeem(listener, segment, now):
                self.answer(compute_reset(segment))
        elif segment.flags & SYN and not segment.flags & RST:
            self.accept(listener, segment, now, before)

    def reopen(self, connection: Connection, branch: Branch, segment: Segment, now: Micros) -> None:
        """A SYN that is newer than all of ``branch``, which is in TIME-WAIT: that ends, and makes way."""
        connection.expire(branch, now)
        self.touch(connection)
        if connection.is_over():
            self.release(connection)
        else:
            self.ports.release(get_four(segment), connection.control.handle)
        self.arrive_unknown(segment, now, branch.subflow.tcb)

    def accept(self, listener: Listener, segment: Segment, now: Micros, before: Tcb | None) -> None:
        """A SYN for a listener: half a connection, unless too many are waiting."""
        if initiate.is_to_be_ignored(listener.choices, segment.options):
            return
        if self.listeners.is_full(listener):
            self.journal.note(now, "host", "backlog full")
            if listener.choices.syn_cookies:
                self.bake(listener, segment, now)
            return
        self.listeners.count(listener.handle, 1)
        four = get_four(segment)
        version = initiate.find_version(listener.choices, segment.options)
        iss = compute_iss(self.secret, four, now)
        if before is not None:
            iss = compute_next_iss(before, iss)
        connection = self.create(listener.handle, four, listener.choices, version, iss, now)
        if listener.choices.fast_open:
            self.open_fast(listener, connection, segment, now)
        self.arrive(connection, connection.control.branches[0], segment, now)

    def open_fast(self, listener: Listener, connection: Connection, segment: Segment, now: Micros) -> None:
        """What the SYN's cookie is worth, and the one that goes back [R7413-4.2.2-03]."""
        cookie = fast_open.find_cookie(segment)
        if cookie is None:
            return
        choices, control = listener.choices, connection.control
        current = fast_open.compute_cookie(self.secret, segment.source, choices, now, 0)
        if cookie != current:
            control.fast_cookie = current
        if not fast_open.is_good(self.secret, segment.source, choices, cookie, now):
            return  # [R7413-4.2.2-02]
        if segment.text_length > 0 and self.listeners.is_fast_open(listener):
            control.branches[0].subflow.tcb.takes_syn_text = True
            control.is_fast = True
            self.listeners.count_fast(listener.handle, 1)

    def bake(self, listener: Listener, segment: Segment, now: Micros) -> None:
        """A SYN that finds the backlog full is answered, and forgotten (RFC 4987 §3.6)."""
        four = get_four(segment)
        syn = cookies.reduce(segment, True)
        index = cookies.find_index(cookies.find_mss(syn, compute_default_mss(four[2])))
        iss = cookies.compute_cookie(self.secret, four, syn.sequence, now // COOKIE_PERIOD, index)
        key = cookies.compute_key(self.secret, four, iss)
        if compute_token(key) in self.by_token:  # [R8684-3.1-19]
            syn = cookies.reduce(segment, False)  # [R8684-3.1-20] there is no other key to offer
        connection = self.assemble(listener.handle, four, listener.choices, 1, key, iss, now)
        branch = connection.control.branches[0]
        connection.arrive(branch, syn, now)
        tcb = branch.subflow.tcb
        if tcb.timestamps:
            tcb.ts_offset -= cookies.compute_delay(compute_timestamp(tcb, now), cookies.compute_memory(syn))
        for packet in connection.transmit(now):
            self.queue(packet)
        self.listeners.baked_at = now

    def redeem(self, listener: Listener, segment: Segment, now: Micros) -> bool:
        """Whether ``segment`` brings a cookie back: then its connection is there, and open [R4987-3.6-01]."""
        if segment.flags & (SYN | RST | ACK) != ACK or not self.listeners.has_baked(now):
            return False
        four = get_four(segment)
        syn = cookies.recover(self.secret, four, segment, compute_ts_offset(self.secret, four), now)
        iss = segment.acknowledgment - 1 & MASK_32
        key = cookies.compute_key(self.secret, four, iss)
        if syn is None:
            return False
        if compute_token(key) in self.by_token:
            if cookies.is_multipath(syn):
                return False  # it was free a moment ago
            key, _ = self.draw_key(1)
        connection = self.assemble(listener.handle, four, listener.choices, 1, key, iss, now)
        connection.control.is_counted = False
        connection.arrive(connection.control.branches[0], syn, now)
        connection.transmit(now)  # the SYN/ACK left long ago
        self.register(connection)
        self.arrive(connection, connection.control.branches[0], segment, now)
        return True

    def arrive_icmp(self, report: icmp.TooBig | icmp.Unreachable | None, now: Micros) -> None:
        """A router's word on one of our segments [R9293-3.9.2.2-01]; of anything else it is not."""
        if report is None:
            return
        quote = report.quote
        four = (quote.source, quote.source_port, quote.destination, quote.destination_port)
        connection = self.connections.get(self.ports.find(four))
        if connection is None:
            return
        branch = connection.find_branch(four)
        if isinstance(report, icmp.TooBig):
            branch.subflow.arrive_too_big(report.mtu, quote.sequence, now)
            self.known_paths.learn(branch.subflow.tcb, now)
        else:
            connection.arrive_unreachable(branch, report.code, quote.sequence, now)
        self.touch(connection)

    # -- time passes, octets out --------------------------------------------------------------

    def tick(self, now: Micros) -> None:
        """Whatever was due by ``now`` happens."""
        self.refresh()
        while True:
            handle = self.agenda.take(now)
            if handle == 0:
                return
            connection = self.connections[handle]
            connection.tick(now)
            for branch in connection.control.branches:
                if branch.subflow.tcb.path.size < branch.subflow.tcb.path.bound:
                    self.known_paths.learn(branch.subflow.tcb, now)
            self.touch(connection)

    def transmit(self, now: Micros) -> list[Outgoing]:
        """All packets that may leave now, for all that came until now [R9293-3.10.7.4-02]."""
        packets, self.answers = self.answers, []
        if self.touched:
            handles = list(self.touched)
            self.touched.clear()
            self.recent = 0
            for handle in handles:
                connection = self.connections.get(handle)
                if connection is not None:
                    if connection.control.book.is_due:
                        self.fulfil(connection, now)
                    packets += connection.transmit(now)
                    self.stale[handle] = True  # where nothing may leave, a clock may run from now on
                    self.news[handle] = True
        return packets

    def deadline(self) -> Micros | None:
        """When ``tick`` wants to be called next, absolute µs; None when nothing is awaited."""
        self.refresh()
        return self.agenda.first()

    def refresh(self) -> None:
        """Bring the deadlines of what was touched up to date, and let go of what is over."""
        if not self.stale:
            return
        handles = list(self.stale)
        self.stale.clear()
        self.recent = 0
        for handle in handles:
            connection = self.connections.get(handle)
            if connection is None:
                continue
            self.agenda.set(handle, connection.deadline())
            self.clear(connection)
            if connection.is_over():
                self.release(connection)

    def events(self) -> list[Event]:
        """What the application has not been told yet."""
        events: list[Event] = []
        handles = list(self.news)
        self.news.clear()
        self.recent = 0
        for handle in handles:
            connection = self.connections.get(handle)
            if connection is not None:
                self.count_opening(connection)
                news = connection.events()
                if not connection.control.is_forgotten:
                    events.extend(news)
        return events

    # -- the user's calls ---------------------------------------------------------------------

    def listen(self, address: Address | None, port: Port, choices: Choices | None = None) -> int:
        """Passive OPEN; the listener's handle. Raises Refused: port in use, not our address."""
        if not 0 < port <= 65_535:
            raise Refused("a port is between 1 and 65535")
        if address is not None:
            self.interfaces.check(address)
        self.listeners.check(address, port)
        handle = self.draw_handle()
        self.listeners.add(Listener(handle, address, port, self.choices if choices is None else choices))
        return handle

    def unlisten(self, listener: int) -> None:
        """No more SYNs for ``listener``; its connections live on. Raises Refused: no such listener."""
        self.listeners.remove(listener)

    def connect(
        self,
        local: Address,
        remote: Address,
        remote_port: Port,
        now: Micros,
        local_port: Port = 0,
        choices: Choices | None = None,
    ) -> int:
        """Active OPEN from ``local`` [R9293-3.9.1.1-03]; the connection's handle. Port 0: any.

        Raises Refused, as listen does.
        """
        self.interfaces.check(local)
        if len(local) != len(remote) or not is_unicast(remote):
            raise Refused("foreign address not usable")  # [R9293-3.9.1.1-06]
        if not 0 < remote_port <= 65_535 or not 0 <= local_port <= 65_535:
            raise Refused("a port is between 1 and 65535")
        if local_port == 0:
            local_port = self.ports.draw(local, remote, remote_port)
        self.refresh()
        four = (local, local_port, remote, remote_port)
        if self.ports.find(four):
            raise Refused("connection already exists")
        chosen = self.choices if choices is None else choices
        version = self.destinations.find(remote, chosen.version, now)
        iss = compute_iss(self.secret, four, now)
        connection = self.create(0, four, chosen, max(version, chosen.lowest_version), iss, now)
        if version == initiate.NOTHING:
            initiate.skip(connection.control, now)
        given = self.fast_opens.find(remote)
        if chosen.fast_open and given.rests_until <= now:
            connection.control.fast_cookie = given.cookie
            connection.control.fast_mss = given.mss
        self.touch(connection)
        return connection.control.handle

    def write(
        self, connection: int, octets: bytes, now: Micros, is_urgent: bool = False, start: int = 0
    ) -> int:
        """SEND, from ``octets[start]`` on; how many were taken. Raises Refused: closing, no such connection.

        ``is_urgent`` has a meaning in plain TCP only, and else is Refused (RFC 9293 §3.8.5).
        """
        found = self.find(connection)
        count = found.write(octets, is_urgent, start)
        self.touch(found)
        return count

    def read(self, connection: int, limit: int, now: Micros) -> bytes:
        """RECEIVE: up to ``limit`` octets; none when none are there. Raises Refused: no such connection."""
        found = self.find(connection)
        octets = found.read(limit, now)
        self.touch(found)
        return octets

    def close(self, connection: int, now: Micros) -> None:
        """CLOSE: no more writes; reading goes on. Raises Refused: no such connection."""
        found = self.find(connection)
        found.close(now)
        self.touch(found)

    def abort(self, connection: int, now: Micros) -> None:
        """ABORT: end at once. Raises Refused: no such connection."""
        found = self.find(connection)
        found.abort(now)
        self.touch(found)

    def tune(
        self,
        connection: int,
        now: Micros,
        keep_alive: bool | None = None,
        user_timeout: Micros | None = None,
        hop_limit: int | None = None,
        dscp: int | None = None,
        nagle: bool | None = None,
    ) -> None:
        """What ``Choices`` set for a start may change at any time; None leaves a thing as it is.

        Keep-alives [R9293-3.8.4-01], the user timeout (µs, 0 for none), the hop limit, the DSCP
        [R9293-3.9.1.9-02], Nagle [R9293-3.7.4-01]. Raises Refused: out of range, or no such connection.
        """
        found = self.find(connection)
        found.tune(keep_alive, user_timeout, hop_limit, dscp, nagle, now)
        self.touch(found)

    def status(self, connection: int) -> ConnectionInfo:
        """STATUS. Raises Refused: no such connection."""
        return compute_info(self.find(connection).control)

    def forget(self, connection: int) -> None:
        """The application needs the handle no more. Close or abort it first."""
        found = self.find(connection)
        found.control.is_forgotten = True
        self.touch(found)


def get_four(segment: Segment) -> FourTuple:
    """The addresses and ports of a segment that came, ours first."""
    return segment.destination, segment.destination_port, segment.source, segment.source_port
