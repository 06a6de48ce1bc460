"""How much a tree holds, how fast that grows, and how soon it has to be looked at again."""

from __future__ import annotations

#: How far a tree may pass its limit between two looks, in bytes: one that grows, and one that has stood still and may
#: begin to. At 500 MB/s no more than 64 MiB are promised, and to notice and to kill takes time as well.
SPARE, SPARE_WHILE_QUIET = 16 << 20, 32 << 20
#: The growth that is reckoned with before any is seen, in bytes a second; what was seen counts with a margin.
EXPECTED_GROWTH, MARGIN = 600_000_000, 1.25
#: Seconds between two looks, however near the limit and however far.
SHORTEST, LONGEST = 0.005, 1.0
#: Looking takes at most one part in so many of a CPU, however large the tree; of one that grows fast, a larger one.
SHARE, SHARE_WHILE_GROWING = 50, 8
#: Growth of so many bytes a second is fast.
FAST = 32 << 20


class Gauge:
    """Follows a tree's memory from look to look. `limit` in bytes, 0 for none that is to be held by looking."""

    def __init__(self, limit: int, now: float) -> None:
        self.peak = 0
        self._limit = limit
        self._resident = self._held = 0
        self._looked_at = now
        self._growth = self._fastest_growth = 0.0

    def note(self, resident: int, now: float) -> None:
        """Take what the tree holds by the cheaper figure."""
        if now > self._looked_at:
            self._growth = (resident - self._resident) / (now - self._looked_at)
            self._fastest_growth = max(self._fastest_growth, self._growth)
        self.peak = max(self.peak, resident)
        self._resident = self._held = resident
        self._looked_at = now

    def correct(self, exact: int) -> None:
        """Take what the tree holds by the exact figure, which leaves out what its processes share."""
        self._held = exact

    def is_suspect(self) -> bool:
        """Whether the tree may be above its limit, so that the exact figure has to be found."""
        return bool(self._limit) and self._held > self._limit

    def next_look(self, looked_for: float) -> float:
        """Return in how many seconds to look again, when this look took `looked_for`.

        That is before the tree could be too far above its limit, at the fastest that it has been seen to grow.
        """
        if not self._limit:
            return max(LONGEST, looked_for * SHARE)
        is_growing = self._growth > FAST
        share = SHARE_WHILE_GROWING if is_growing else SHARE
        room = max(0, self._limit - self._held) + (SPARE if is_growing else SPARE_WHILE_QUIET)
        until = room / max(EXPECTED_GROWTH, self._fastest_growth * MARGIN)
        return max(SHORTEST, min(LONGEST, until), looked_for * share)
