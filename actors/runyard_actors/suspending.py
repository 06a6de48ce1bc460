"""Suspending: ask shims to hold their runs still, or to let them go on, and see that they have."""

from __future__ import annotations

import time
from collections.abc import Sequence

from runyard_actors.run_folder import RunFolder

#: A shim acts at once. One that cannot be heard of in so many seconds will act later.
ACT_SECONDS = 5.0
LOOK_SECONDS = 0.01


def hold_still(folders: Sequence[RunFolder], *, is_suspended: bool) -> None:
    """Hold the attempts still, or let them go on; return once each has, or has ended, or cannot be heard of."""
    for folder in folders:
        folder.request_suspend() if is_suspended else folder.request_resume()
    until = time.monotonic() + ACT_SECONDS
    for folder in folders:
        while (folder.suspended_at() is not None) != is_suspended:
            if not folder.is_alive() or time.monotonic() > until:
                break
            # Nothing tells of a file that another process writes: look again.
            time.sleep(LOOK_SECONDS)
