"""What Ray knows of the manager: a shell around it, through which all calls come.

Every worker that holds a lease loads this file, since it waits at a handle of the manager; so nothing is imported here
but in the manager's own process.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from runyard_cluster.capacity import Capacity


class RunManager:
    """The detached, named actor. It makes the manager in its process, and hands it each call."""

    def __init__(self, settings: Mapping[str, Any], capacity: Capacity) -> None:
        from runyard_actors.manager import actor

        self._manager = actor.RunManager(settings, capacity)

    async def ask(self, method: str, args: Sequence[Any]) -> Any:
        """Call a method of the manager; every one of them may be called twice."""
        return await getattr(self._manager, method)(*args)

    async def hold_lease(self, lease_id: int) -> bool:
        """A lease tells that Ray granted it; the answer is whether it is still wanted, after a while or at its end."""
        return await self._manager.hold_lease(lease_id)
