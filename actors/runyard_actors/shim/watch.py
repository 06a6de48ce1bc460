"""Watching one tree: its time, its memory, its log's growth, and whether somebody wants it ended."""

from __future__ import annotations

import time

from runyard_actors.shim import limit
from runyard_actors.shim.log import LogKeeper
from runyard_actors.shim.verdict import KILLED_CHILD
from runyard_cluster import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.spec import ShimSpec
    from runyard_actors.shim.system import Tree
    from runyard_actors.shim.verdict import Stop

#: A young run is looked at often, an old one once a second, one that is being ended a few times a second.
FIRST_TICK, LAST_TICK, ENDING_TICK, GROWTH = 0.02, 1.0, 0.2, 2.0
#: The fastest that a tree is taken to grow, in bytes a second: it decides how soon one near its limit is looked at.
FASTEST_GROWTH = 2 << 30
#: Looking takes at most one part in so many of a CPU, however large the tree.
LOOK_SHARE = 50
#: Seconds between two looks near a limit, however near.
NEAR_TICK = 0.05

SIGKILL = 9

#: What is killed for want of memory has ended this long after it was counted, in seconds.
JUST_NOW = 2.0


class Watch:
    """Looks at the tree now and then, until its main process has ended."""

    def __init__(self, spec: ShimSpec, tree: Tree, monotonic_start: float) -> None:
        self.peak_memory = 0
        self.stop: Stop | None = None
        #: When the tree is killed, on the monotonic clock, once it is being ended.
        self.kill_at: float | None = None
        self.log = LogKeeper(spec.max_log_bytes)
        self._spec = spec
        self._tree = tree
        self._start = monotonic_start
        self._tick = FIRST_TICK
        #: How many processes the system, out of memory, had killed when that was last noted, and the time before.
        self._kills = self._earlier_kills = process.out_of_memory_kills()
        self._kills_noted_at = monotonic_start

    def until_main_ended(self) -> None:
        """Return once the main process has ended, by itself or because it was made to."""
        while not self._tree.wait(self._next_wait()):
            began = time.monotonic()
            self.log.look()
            memory = self._tree.memory()
            self.peak_memory = max(self.peak_memory, memory)
            self._end_if_needed(began, memory)
            self._note_kills(began)
            self._tick = self._next_tick(memory, time.monotonic() - began)

    def is_out_of_memory(self) -> bool:
        """Whether it was the system, out of memory, that killed the main process, or the last child of a shell.

        It killed something just now. It counts a process when it sends the signal, some time before that one, and a
        shell that waits for it, has ended.
        """
        is_killed = self._tree.signal == SIGKILL or self._tree.exit_code == KILLED_CHILD
        return is_killed and process.out_of_memory_kills() > self._earlier_kills

    def _note_kills(self, now: float) -> None:
        """Remember what was counted between one and two times `JUST_NOW` ago."""
        if now - self._kills_noted_at >= JUST_NOW:
            self._kills_noted_at = now
            self._earlier_kills, self._kills = self._kills, process.out_of_memory_kills()

    def _end_if_needed(self, now: float, memory: int) -> None:
        """Ask the tree to end, then make it; a kill is repeated, since a tree may grow while it is killed."""
        if self.stop is None:
            self._begin_to_end(now, memory)
        elif self.stop.ended_by == "user":
            self._hurry(now)
        if self.kill_at is not None and now >= self.kill_at:
            self._tree.kill()

    def _begin_to_end(self, now: float, memory: int) -> None:
        stop = (
            limit.asked(self._spec)
            or limit.timed_out(self._spec, now - self._start)
            or limit.out_of_memory_limit(self._spec, self._tree, memory)
            or (limit.printed_too_much(self._spec, self.log.size) if self.log.is_overfull else None)
        )
        # A run that came to its end meanwhile keeps the end it made itself.
        if stop is None or self._tree.wait(0):
            return
        self.stop = stop
        self.kill_at = now + stop.grace_seconds
        self._tick = FIRST_TICK
        if stop.grace_seconds > 0:
            self._tree.terminate()

    def _hurry(self, now: float) -> None:
        """Asked once more with less patience, wait no longer than that."""
        again = limit.asked(self._spec)
        if again is not None and self.kill_at is not None:
            self.kill_at = min(self.kill_at, now + again.grace_seconds)

    def _next_wait(self) -> float:
        moment = self.kill_at if self.kill_at is not None else self._deadline()
        left = moment - time.monotonic() if moment is not None else self._tick
        # A kill whose moment has passed is repeated by the tick.
        return min(self._tick, left) if left > 0 or self.kill_at is None else self._tick

    def _deadline(self) -> float | None:
        return self._start + self._spec.timeout_seconds if self._spec.timeout_seconds else None

    def _next_tick(self, memory: int, looked_for: float) -> float:
        longest = LAST_TICK if self.stop is None else ENDING_TICK
        if self._spec.memory_bytes and self.stop is None:
            longest = min(longest, max(NEAR_TICK, (self._spec.memory_bytes - memory) / FASTEST_GROWTH))
        return max(min(longest, self._tick * GROWTH), looked_for * LOOK_SHARE)
