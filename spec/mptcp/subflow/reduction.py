"""Proportional rate reduction: how cwnd comes down to ssthresh within one round trip (RFC 6937 §3)."""


def compute_sendable(
    pipe: int, ssthresh: int, delivered: int, out: int, flight: int, newly: int, mss: int
) -> int:
    """sndcnt, octets that may leave now, never negative.

    ``delivered`` and ``out`` count since recovery began with ``flight`` octets out; ``newly`` arrived with
    this acknowledgment. Below ssthresh the slow-start reduction bound holds, which RFC 6937 §6 prefers.
    """
    if pipe > ssthresh:
        # [R6937-3-01] what leaves is to what arrives as the new window to the old
        return max((delivered * ssthresh + flight - 1) // max(flight, 1) - out, 0)
    limit = max(delivered - out, newly) + mss  # [R6937-3-02]
    return max(min(ssthresh - pipe, limit), 0)
