"""The usual scheduler: the subflow with the lowest round trip that has room."""

from typing import final

from mptcp.scheduler.scheduler import Candidate, Scheduler


@final
class LowestRtt(Scheduler):
    """Lowest smoothed round trip first; backup subflows only when there is no other."""

    FIELDS = ()

    def pick(self, candidates: list[Candidate]) -> int:
        """See ``Scheduler.pick``; the first of equals wins."""
        best: Candidate | None = None
        for candidate in candidates:
            # [R8684-3.3.8-03] [R8684-3.3.8-06] a backup subflow carries nothing while another can
            if (
                best is None
                or (best.is_backup and not candidate.is_backup)
                or (best.is_backup == candidate.is_backup and candidate.srtt < best.srtt)
            ):
                best = candidate
        return -1 if best is None else best.index
