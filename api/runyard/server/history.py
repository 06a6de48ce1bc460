"""Keep pages of a large history quick: what they need in memory is read before anybody asks, and follows."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from runyard_actors.store.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from runyard_actors.store.reader import StoreReader

log = logging.getLogger("runyard.server")

#: How long changes gather before they are followed, in seconds; whoever asks sooner follows at once.
FOLLOW_SECONDS = 2.0


async def keep_ready(reader: StoreReader) -> None:
    """Do so for ever."""
    while True:
        try:
            await asyncio.to_thread(reader.keep_ready)
        except (StoreError, StoreUnavailable) as error:
            # Whoever asks for a page is told; here it is only tried again.
            log.info("the history is not read ahead: %s", error)
        await asyncio.sleep(FOLLOW_SECONDS)
