"""Hearing of runs as they change, over one stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runyard_cluster.errors import ConnectionFailedError

if TYPE_CHECKING:
    from runyard.client import Client


class Watch:
    """States of runs from the moment this was made, so made before a submit it misses nothing.

    Ctrl-C ends the stream of `runs()`; calling it again goes on right behind the last event seen.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seq: int | None = None
        self._events: Iterator[dict[str, Any]] | None = client.events()
        self._see(next(self._events))

    def runs(self) -> Iterator[dict[str, Any]]:
        """Yield each run that changed, as it is now, for ever. Raises ConnectionFailedError."""
        events, self._events = self._events or self._client.events(self._seq), None
        for event in events:
            self._see(event)
            if event.get("run"):
                yield event["run"]
        raise ConnectionFailedError("the server ended the stream of events")

    def _see(self, event: dict[str, Any]) -> None:
        self._seq = event.get("seq", self._seq)
