"""What a rule is, and what it is told of our own runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Own:
    """What is ours: `pids` have our runs' processes below them, `gpus` are the indexes that runs were given."""

    pids: frozenset[int] = frozenset()
    gpus: frozenset[int] = frozenset()


class Rule(Protocol):
    """One rule of `pause_when`."""

    def holds(self, own: Own) -> str | None:
        """Return why nothing should start now, as words that go on after "paused"; None if something may."""
        ...

    def missing(self) -> str | None:
        """Return why this machine cannot tell, in words; None if it can."""
        ...
