"""Watching one tree: its time, its memory, its log's growth, and whether somebody wants it ended."""

from __future__ import annotations

import time

from runyard_actors.shim import limit
from runyard_actors.shim.gauge import SHARE, Gauge
from runyard_actors.shim.log import LogKeeper
from runyard_actors.shim.suspension import Suspension
from runyard_actors.shim.verdict import KILLED_CHILD, SIGKILL
from runyard_cluster import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard_actors.shim.spec import ShimSpec
    from runyard_actors.shim.system import Tree
    from runyard_actors.shim.verdict import Stop

#: A young run is looked at often, an old one once a second, one that is being ended a few times a second.
FIRST_TICK, ENDING_TICK, GROWTH = 0.02, 0.2, 2.0
#: Seconds between two glances at how many processes the whole system has, and how many more make a tree be looked
#: at: processes can multiply in far less time than passes between two looks.
GLANCE_SECONDS, MANY_MORE = 0.5, 200

#: What is killed for want of memory has ended this long after it was counted, in seconds.
JUST_NOW = 2.0


def ends_soon(spec: ShimSpec, tree: Tree) -> bool:
    """Wait until it is time for the first look; return whether the main process has ended by then."""
    return tree.wait(min(FIRST_TICK, spec.timeout_seconds or FIRST_TICK))


class Watch:
    """Looks at the tree now and then, until its main process has ended."""

    def __init__(self, spec: ShimSpec, tree: Tree, monotonic_start: float) -> None:
        self.stop: Stop | None = None
        #: When the tree is killed, on the monotonic clock, once it is being ended.
        self.kill_at: float | None = None
        self.log = LogKeeper(spec.max_log_bytes, monotonic_start)
        is_polled = tree.enforcement["memory"] == "poll"
        self.gauge = Gauge(spec.memory_bytes if is_polled else 0, monotonic_start)
        self.suspension = Suspension(tree)
        self._counts_processes = tree.enforcement["processes"] == "poll"
        self._processes = self._tasks = 0
        self._spec = spec
        self._tree = tree
        self._start = monotonic_start
        self._tick = FIRST_TICK
        #: How many processes the system, out of memory, had killed when that was last noted, and the time before.
        self._kills = self._earlier_kills = 0
        self._kills_noted_at = monotonic_start

    def until_main_ended(self) -> None:
        """Look now and again until the main process has ended, by itself or because it was made to."""
        while True:
            began = time.monotonic()
            self.log.look()
            self._suspend_or_resume(began)
            self._take_size(began)
            self._end_if_needed(began)
            self._note_kills(began)
            self._tick = self._next_tick(time.monotonic() - began)
            if self._wait(self._next_wait()):
                break
        self.suspension.end(time.monotonic())

    def is_out_of_memory(self) -> bool:
        """Whether it was the system, out of memory, that killed the main process, or the last child of a shell.

        It killed something just now. It counts a process when it sends the signal, some time before that one, and a
        shell that waits for it, has ended.
        """
        is_killed = self._tree.signal == SIGKILL or self._tree.exit_code == KILLED_CHILD
        return is_killed and self._tree.out_of_memory_kills() > self._earlier_kills

    def _note_kills(self, now: float) -> None:
        """Remember what was counted between one and two times `JUST_NOW` ago."""
        if now - self._kills_noted_at >= JUST_NOW:
            self._kills_noted_at = now
            self._earlier_kills, self._kills = self._kills, self._tree.out_of_memory_kills()

    def _wait(self, seconds: float) -> bool:
        """Wait for the main process's end, a request, or processes that multiply; return whether it has ended."""
        until = time.monotonic() + seconds
        left = seconds
        while not self._tree.wait(min(left, GLANCE_SECONDS) if self._counts_processes else left):
            left = until - time.monotonic()
            if left <= 0 or self._tree.is_nudged or process.task_count() > self._tasks + MANY_MORE:
                return False
        return True

    def _suspend_or_resume(self, now: float) -> None:
        if self.stop is None and self.suspension.follow(now):
            # What was being born meanwhile is held still by the next look, so that one comes soon.
            self._tick = FIRST_TICK

    def _take_size(self, now: float) -> None:
        resident, self._processes = self._tree.size()
        self.gauge.note(resident, now)
        if self._counts_processes:
            self._tasks = process.task_count()

    def _end_if_needed(self, now: float) -> None:
        """Ask the tree to end, then make it; a kill is repeated, since a tree may grow while it is killed."""
        if self.stop is None:
            self._begin_to_end(now)
        elif self.stop.ended_by == "user":
            self._hurry(now)
        if self.kill_at is not None and now >= self.kill_at:
            self._tree.kill()

    def _begin_to_end(self, now: float) -> None:
        stop = (
            limit.asked(self._spec)
            or limit.out_of_contact(self._spec)
            or limit.timed_out(self._spec, now - self._start - self.suspension.seconds(now))
            or limit.out_of_memory_limit(self._spec, self._tree, self.gauge)
            or (limit.too_many_processes(self._spec, self._processes) if self._counts_processes else None)
            or (limit.printed_too_much(self._spec, self.log.size) if self.log.is_overfull else None)
        )
        # A run that came to its end meanwhile keeps the end it made itself.
        if stop is None or self._tree.wait(0):
            return
        self.stop = stop
        self.kill_at = now + stop.grace_seconds
        self._tick = FIRST_TICK
        if stop.grace_seconds > 0:
            # What is held still cannot hear.
            self.suspension.end(now)
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
        """Return when the run's time is over; it does not pass while the run is held still."""
        if not self._spec.timeout_seconds or self.suspension.is_on:
            return None
        return self._start + self.suspension.seconds(self._start) + self._spec.timeout_seconds

    def _next_tick(self, looked_for: float) -> float:
        if self.stop is not None:
            return max(min(ENDING_TICK, self._tick * GROWTH), looked_for * SHARE)
        return min(self._tick * GROWTH, self.gauge.next_look(looked_for), self.log.next_look())
