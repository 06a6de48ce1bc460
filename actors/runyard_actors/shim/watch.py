"""Watching one tree: its time, its memory, its log's growth, and whether somebody wants it ended."""

from __future__ import annotations

import os
import time
from typing import Protocol

from runyard_actors.run_folder import RunFolder
from runyard_actors.shim.spec import ShimSpec
from runyard_actors.shim.verdict import Stop
from runyard_cluster.durations import format_duration
from runyard_cluster.sizes import format_size

#: A young run is looked at often, an old one once a second.
FIRST_TICK, LAST_TICK, GROWTH = 0.02, 1.0, 1.5
#: Above this share of its memory limit a run is looked at this often.
NEAR_LIMIT, NEAR_TICK = 0.5, 0.1


class Child(Protocol):
    """The module's process and its tree, as this system sees them."""

    def wait(self, seconds: float) -> bool:
        """Wait for the main process's end or a nudge; return whether the main process has ended."""
        ...

    def memory(self) -> int:
        """Return the resident bytes of the whole tree."""
        ...

    def confirmed_memory(self) -> int:
        """Return the tree's bytes with shared pages counted once; dearer to find out."""
        ...

    def terminate_tree(self) -> None:
        """Ask the whole tree to end."""
        ...

    def kill_tree(self) -> None:
        """End the whole tree at once."""
        ...


class Watch:
    """Looks at the tree now and then, until its main process has ended."""

    def __init__(self, folder: RunFolder, spec: ShimSpec, child: Child, monotonic_start: float) -> None:
        self.peak_memory = 0
        self.stop: Stop | None = None
        self._folder = folder
        self._spec = spec
        self._child = child
        self._start = monotonic_start
        self._kill_at: float | None = None
        self._indexed = 0
        self._tick = FIRST_TICK

    def until_main_ended(self) -> None:
        """Return once the main process has ended, by itself or because it was made to."""
        while not self._child.wait(self._next_wait()):
            now = time.monotonic()
            self._index_log()
            memory = self._child.memory()
            self.peak_memory = max(self.peak_memory, memory)
            if self.stop is None:
                self.stop = self._reason_to_stop(now, memory)
                self._kill_at = self._begin_to_stop(now)
            if self._kill_at is not None and now >= self._kill_at:
                self._child.kill_tree()
            self._tick = self._next_tick(memory)
        self._index_log()

    def _begin_to_stop(self, now: float) -> float | None:
        """Ask the tree to end, unless it takes memory meanwhile; return when it is killed."""
        if self.stop is None:
            return None
        if self.stop.ended_by == "memory":
            return now
        self._child.terminate_tree()
        return now + self._spec.grace_seconds

    def _next_wait(self) -> float:
        moments = [self._kill_at] if self._kill_at is not None else [self._deadline()]
        left = [moment - time.monotonic() for moment in moments if moment is not None]
        return max(0.0, min([self._tick, *left])) if self._kill_at is None or left[0] > 0 else FIRST_TICK

    def _next_tick(self, memory: int) -> float:
        limit = self._spec.memory_bytes
        longest = NEAR_TICK if limit and memory > limit * NEAR_LIMIT else LAST_TICK
        return min(longest, self._tick * GROWTH)

    def _deadline(self) -> float | None:
        return self._start + self._spec.timeout_seconds if self._spec.timeout_seconds else None

    def _reason_to_stop(self, now: float, memory: int) -> Stop | None:
        request = self._folder.stop_request()
        if request is not None:
            return Stop(str(request["reason"]), str(request["reason_detail"]), "user")
        deadline, limit = self._deadline(), self._spec.memory_bytes
        if deadline is not None and now >= deadline:
            ran, allowed = format_duration(now - self._start), format_duration(self._spec.timeout_seconds)
            return Stop("timeout", f"ran {ran}, limit {allowed}; stopped", "timeout")
        if limit and memory > limit and (used := self._child.confirmed_memory()) > limit:
            words = f"used {format_size(used)}, limit {format_size(limit)}; killed"
            return Stop("memory_limit", words, "memory")
        return None

    def _index_log(self) -> None:
        """Note how far the log has grown by now, for time stamps."""
        size = self._folder.log_size()
        if size == self._indexed:
            return
        self._indexed = size
        line = f"{size} {time.time_ns() // 1000}\n".encode()
        descriptor = os.open(self._folder.time_index_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
