"""Semaphore: so many slots, so many taken, and those set aside until one is free."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Parked = TypeVar("Parked")


@dataclass(slots=True, eq=False)
class Semaphore(Generic[Parked]):
    """Slots of the yard, a module or a batch. `limit` None: as many as there are runs.

    `members` counts the runs that have not ended; without any, and without a limit, it can be forgotten.
    A limit below what is taken lets nothing more in, and stops nothing.
    """

    limit: int | None = None
    taken: int = 0
    members: int = 0
    parked: dict[Parked, None] = field(default_factory=dict)

    def has_room(self, held: int = 0) -> bool:
        """Whether a slot is free beside `held` ones that are kept for others."""
        return self.limit is None or self.taken + held < self.limit

    def unpark(self) -> tuple[Parked, ...]:
        """Return those set aside, and set none aside any more."""
        parked, self.parked = self.parked, {}
        return tuple(parked)
