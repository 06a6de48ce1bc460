"""One lease: a Ray task that declares the sum of its slots, each of them what one run declares."""

from __future__ import annotations

from dataclasses import dataclass, field

from runyard_actors.request import Request
from runyard_actors.run import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one run asks Ray for. GPU memory is not Ray's business, so runs that differ only in it are alike."""

    cpu_milli: int
    gpu_milli: int
    memory_bytes: int

    @classmethod
    def of(cls, request: Request) -> Shape:
        """Return the shape of a run's request."""
        return cls(
            cpu_milli=request.cpu_milli, gpu_milli=request.gpu_milli, memory_bytes=request.memory_bytes
        )

    def times(self, count: int) -> Shape:
        """Return the sum of `count` such shapes."""
        return Shape(
            cpu_milli=self.cpu_milli * count,
            gpu_milli=self.gpu_milli * count,
            memory_bytes=self.memory_bytes * count,
        )

    def plus(self, other: Shape) -> Shape:
        """Return both together."""
        return Shape(
            cpu_milli=self.cpu_milli + other.cpu_milli,
            gpu_milli=self.gpu_milli + other.gpu_milli,
            memory_bytes=self.memory_bytes + other.memory_bytes,
        )

    def fits_into(self, whole: Shape) -> bool:
        """Whether this is no more than `whole` in anything."""
        return (
            self.cpu_milli <= whole.cpu_milli
            and self.gpu_milli <= whole.gpu_milli
            and self.memory_bytes <= whole.memory_bytes
        )


NOTHING = Shape(cpu_milli=0, gpu_milli=0, memory_bytes=0)


@dataclass(slots=True, kw_only=True, eq=False)
class Lease:
    """A lease and the runs that hold its slots, each under the name that a task of its own would carry.

    One that is `leaving` has no runs any more and holds what its successors wait for, until all of them are granted.
    """

    lease_id: int
    shape: Shape
    slots: int
    name: str
    runs: dict[RunId, str] = field(default_factory=dict)
    is_granted: bool = False
    changed_at: float = 0.0
    successors: set[int] = field(default_factory=set)

    @property
    def total(self) -> Shape:
        """What the lease declares."""
        return self.shape.times(self.slots)

    @property
    def is_leaving(self) -> bool:
        """Whether it only waits for its successors."""
        return bool(self.successors)

    @property
    def has_room(self) -> bool:
        """Whether a run can take a slot of it."""
        return len(self.runs) < self.slots and not self.is_leaving

    @property
    def is_alone(self) -> bool:
        """Whether one run has it to itself, under its own name or that of one before it."""
        return len(self.runs) == 1 and self.slots == 1

    @property
    def is_own(self) -> bool:
        """Whether it is the lease of one run and carries its name."""
        return self.is_alone and self.name in self.runs.values()
