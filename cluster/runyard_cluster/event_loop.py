"""The event loop of long-lived processes: uvloop's where there is one, which takes half as long for each turn."""

from __future__ import annotations

import asyncio
import sys


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a loop; asyncio's own on Windows, for which uvloop is not made."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()
