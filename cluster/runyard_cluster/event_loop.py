"""The event loop of long-lived processes: uvloop's, by which a short run costs a tenth less (docs/PERFORMANCE.md).

Ray runs its actors on it wherever it is installed, so it is the one loop that all of ours is shown on.
"""

from __future__ import annotations

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop; asyncio's own on Windows, for which uvloop is not made."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
