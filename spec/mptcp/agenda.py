"""When which connection wants to be woken: a heap of deadlines, O(log n) to change, O(1) to ask."""

from heapq import heapify, heappop, heappush
from typing import Final

from mptcp.subflow.control import NEVER
from mptcp.values import Micros, Record

SPARE: Final = 64  # entries that may be out of date however few are not


class Agenda(Record):
    """One deadline for each handle. An entry of the heap that ``due`` does not confirm is out of date.

    These are thrown out when they are the most, so that deadlines which move with every segment, far
    ahead, take no memory.
    """

    FIELDS = ("due", "heap")

    def __init__(self) -> None:
        self.due: dict[int, Micros] = {}
        self.heap: list[tuple[Micros, int]] = []

    def set(self, handle: int, due: Micros) -> None:
        """Wake ``handle`` at ``due`` and at no other time; NEVER: not at all."""
        if due != self.due.get(handle, NEVER):
            if due == NEVER:
                del self.due[handle]
            else:
                self.due[handle] = due
                heappush(self.heap, (due, handle))
                if len(self.heap) > SPARE + 2 * len(self.due):
                    self.heap = [(when, one) for one, when in self.due.items()]
                    heapify(self.heap)

    def forget(self, handle: int) -> None:
        """``handle`` is not to be woken."""
        self.due.pop(handle, NEVER)

    def first(self) -> Micros | None:
        """When the first one is due; None if none is."""
        while self.heap and self.due.get(self.heap[0][1], NEVER) != self.heap[0][0]:
            heappop(self.heap)
        return self.heap[0][0] if self.heap else None

    def take(self, now: Micros) -> int:
        """A handle that was due by ``now``, which is due no more; 0 if there is none."""
        while self.heap and self.heap[0][0] <= now:
            due, handle = heappop(self.heap)
            if self.due.get(handle, NEVER) == due:
                del self.due[handle]
                return handle
        return 0
