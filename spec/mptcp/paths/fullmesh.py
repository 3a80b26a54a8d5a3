"""The usual path manager: a subflow between every two addresses, opened by whoever opened the first."""

from typing import final

from mptcp.paths.manager import Announce, Facts, Join, PathManager, Place, Wish


def is_possible(local: Place, remote: Place) -> bool:
    """Whether both are of one IP family: the other family is reached by announcement only [R8684-3.4-05]."""
    return len(local.address) == len(remote.address)


@final
class FullMesh(PathManager):
    """Every local address with every remote one, up to the limit; announced is what may be.

    The initiator opens them [R8684-3.2-01]. The other side joins only addresses that were announced to
    it and that nothing comes from, one subflow each: whoever announces asks for it [R8684-2.3-01]
    [R8684-3.4-04]. Both ways there are to another path [R8684-3.4-01].
    """

    FIELDS = ()

    def decide(self, facts: Facts) -> list[Wish]:
        """See ``PathManager.decide``; the order is that of the Address IDs."""
        wishes: list[Wish] = []
        for place in facts.locals:
            if place.is_signal:
                wishes.append(Announce(place.address_id))
        room = facts.room
        reached = [pair[1] for pair in facts.taken]
        for remote in facts.remotes:
            for local in facts.locals:
                pair = (local.address_id, remote.address_id)
                if room <= 0 or not is_possible(local, remote):
                    continue
                if pair in facts.taken or pair in facts.resting:
                    continue
                if not facts.is_initiator and (remote.address_id == 0 or remote.address_id in reached):
                    continue
                wishes.append(Join(local.address_id, remote.address_id))
                reached.append(remote.address_id)
                room -= 1
        return wishes

    def is_hopeful(self, facts: Facts) -> bool:
        """Also while there is another pair to try."""
        if facts.was_joined:
            return True
        wishes = self.decide(facts)
        return any(isinstance(wish, Join) for wish in wishes)
