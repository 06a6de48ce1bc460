"""Following a run's output byte by byte, over all its attempts, until it has ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runyard.cli.tally import ENDED
from runyard_actors.log_file import dropped

if TYPE_CHECKING:
    from runyard.client import Client


class Follower:
    """Where following stands; after Ctrl-C, `blocks()` again goes on at the same byte.

    Without `goes_on`, it ends with the attempt.
    """

    def __init__(
        self, client: Client, run_id: str, attempt: int = 1, offset: int = 0, *, goes_on: bool = True
    ) -> None:
        self._client = client
        self._run_id = run_id
        self.attempt = max(1, attempt)
        self.offset = offset
        self._goes_on = goes_on
        #: The run as it ended, once it has.
        self.ended_run: dict[str, Any] | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield what the run writes, for a person: a line of words stands where bytes were dropped."""
        attempt, expected = self.attempt, self.offset
        for start, data in self.pieces():
            if self.attempt != attempt:
                attempt, expected = self.attempt, 0
            if start > expected:
                yield dropped(start - expected)
            expected = self.offset
            yield data

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """Yield what the run writes, each piece with its offset; ends when the run has ended and all was yielded."""
        while self.ended_run is None:
            for start, data in self._client.log_pieces(self._run_id, self.attempt, self.offset):
                self.offset = start + len(data)
                yield start, data
            run = self._client.run(self._run_id)
            if run["attempt"] > self.attempt:
                if not self._goes_on:
                    return
                self.attempt, self.offset = self.attempt + 1, 0
            elif run["status"] in ENDED:
                self.ended_run = run


def write_out(block: bytes) -> None:
    """Write bytes to standard output as they are, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
