"""Requests that are learned: of each module that asks for it, the past is read once for a submission."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from runyard_actors.learning.learn import LEAST_MARGIN, NEWEST, Learned, learn_gpu_memory, learn_memory
from runyard_actors.learning.past import PastRun
from runyard_actors.request import Request
from runyard_cluster.capacity import Capacity
from runyard_cluster.sizes import format_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """Learns for one submission. `past_runs` returns up to so many newest completed runs of a module."""

    past_runs: Callable[[str, int], Sequence[PastRun]]
    capacity: Capacity
    _known: dict[str, Sequence[PastRun]] = field(default_factory=dict)

    def learned(
        self, module_id: str, default: Request, *, memory: bool, gpu_memory: bool
    ) -> tuple[Request, str]:
        """Return the request with what is to be learned in the place of the default, and a note that says so."""
        runs = self._known.get(module_id)
        if runs is None:
            runs = self._known[module_id] = self.past_runs(module_id, NEWEST)
        request, notes = default, []
        if memory:
            found = learn_memory(runs, self.capacity.memory_bytes)
            request = replace(request, memory_bytes=_first(found.amount, default.memory_bytes))
            notes.append(found.note)
        if gpu_memory:
            found = self._gpu_memory(runs, default)
            request = replace(request, gpu_memory_bytes=_first(found.amount, default.gpu_memory_bytes))
            notes.append(found.note)
        return request, "; ".join(notes)

    def _gpu_memory(self, runs: Sequence[PastRun], default: Request) -> Learned:
        sizes = [gpu.memory_bytes for gpu in self.capacity.gpus]
        found = learn_gpu_memory(runs, max(sizes, default=None))
        if found.amount is not None or default.gpu_milli:
            return found
        # A run that asks for nothing of a GPU sees none, and nothing would ever be known.
        whole = min(sizes, default=LEAST_MARGIN)
        return Learned(whole, f"{found.note}; until then {format_size(whole)}")


def _first(learned: int | None, default: int) -> int:
    return default if learned is None else learned
