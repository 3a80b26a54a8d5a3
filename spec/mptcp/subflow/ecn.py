"""Explicit congestion notification: what the SYNs agree on, echoes and reductions (RFC 3168 §6.1).

[R9293-3.8.2-02]
"""

from typing import Final

from mptcp.choices import ECN_ASK, ECN_REFUSE
from mptcp.values import Record
from mptcp.wire.segment import ACK, CE, CWR, ECE

SETUP: Final = ECE | CWR


class Ecn(Record):
    """One subflow's ECN: of the text that we send, and of the text that comes."""

    FIELDS = ("is_offered", "is_agreed", "is_echoing", "cwr_now", "reduced_until")

    def __init__(self) -> None:
        self.is_offered = False  # each SYN of ours was an ECN-setup SYN
        self.is_agreed = False
        self.is_echoing = False  # text came marked, and the peer has not said yet that it slowed down
        self.cwr_now = False  # the window was reduced, and the peer has not been told
        self.reduced_until = -1  # cwnd is reduced no further, nor grows, before this is acknowledged

    # -- SYNs, RFC 3168 §6.1.1 ----------------------------------------------------------------

    def compute_syn_flags(self, is_answer: bool, is_again: bool, choice: int) -> int:
        """ECE and CWR of our SYN, ECE of our SYN/ACK. A SYN that goes again asks for nothing.

        [R3168-6.1.1-01] Whatever swallowed the first may have done so because it asked
        [R3168-6.1.1.1-01].
        """
        if is_answer:
            return ECE if self.is_agreed else 0
        self.is_offered = choice == ECN_ASK and not is_again
        return SETUP if self.is_offered else 0

    def take_syn(self, flags: int, is_passive: bool, choice: int) -> None:
        """The peer's SYN or SYN/ACK decides.

        A SYN/ACK with both flags is an echo of ours by somebody who does not know them
        [R3168-6.1.1.2-01].
        """
        setup = flags & SETUP
        if flags & ACK:
            self.is_agreed = self.is_offered and setup == ECE
        else:
            is_willing = choice != ECN_REFUSE if is_passive else self.is_offered
            self.is_agreed = is_willing and setup == SETUP  # [R3168-6.1.1-02]

    def take_syn_again(self, flags: int) -> None:
        """The peer's SYN once more: one that does not ask takes back what was agreed [R3168-6.1.1-03]."""
        self.is_agreed = self.is_agreed and flags & SETUP == SETUP

    # -- the receiver, RFC 3168 §6.1.3 --------------------------------------------------------

    def take_text(self, flags: int, ecn: int) -> None:
        """Text came in the window: a mark is echoed until the peer has reduced its window.

        [R3168-6.1.3-01] [R3168-6.1.3-02]
        """
        if flags & CWR:
            self.is_echoing = False
        if ecn == CE:
            self.is_echoing = True

    # -- the sender, RFC 3168 §6.1.2 ----------------------------------------------------------

    def may_reduce(self, snd_una: int) -> bool:
        """Whether a reduction is due: no more than one in a window of data [R3168-6.1.2-03]."""
        return snd_una > self.reduced_until

    def take_cwr(self) -> int:
        """CWR for the first new text after a reduction, and for no other."""
        if not self.cwr_now:
            return 0
        self.cwr_now = False
        return CWR

    def note_reduction(self, snd_nxt: int) -> None:
        """cwnd was reduced: the next new text tells the peer [R3168-6.1.2-04]."""
        if self.is_agreed:
            self.reduced_until = snd_nxt
            self.cwr_now = True

    def note_timeout(self) -> None:
        """It begins anew with one segment, and grows at once; the peer is told all the same."""
        self.cwr_now = self.is_agreed
