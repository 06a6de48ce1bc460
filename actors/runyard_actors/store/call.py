"""One call of the writer inside a transaction: its cursor, and what it changes beside the tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runyard_actors.store.counts import CountChanges
from runyard_actors.store.database import Cursor
from runyard_actors.store.event_kinds import EventKind
from runyard_actors.store.queries import sql

#: Stands in `progress_events` for a run that ended, whose last event need not be known any more.
ENDED = 0

#: One for all texts: making an encoder takes longer than a small text.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class RunRow(NamedTuple):
    """What a change needs to know of its run."""

    seq: int
    status: str
    module_id: str
    batch_id: str | None
    attempt: int
    queued_at: int


@dataclass(slots=True)
class Call:
    """The state of one call; it is thrown away when the call fails.

    `progress_events` holds the number of each running run's last progress event, which the next one replaces.
    """

    cursor: Cursor
    earlier_progress_events: Mapping[str, int] = field(default_factory=dict)
    counts: CountChanges = field(default_factory=CountChanges)
    progress_events: dict[str, int] = field(default_factory=dict)

    def run(self, run_id: str) -> RunRow | None:
        """Return the run as it is now, or None if it was forgotten."""
        row = self.cursor.execute(sql("run_to_change"), (run_id,)).fetchone()
        return None if row is None else RunRow(*row)

    def execute(self, name: str, values: Mapping[str, Any]) -> bool:
        """Execute a named statement; return whether it changed a row."""
        return self.cursor.execute(sql(name), values).rowcount > 0

    def event(
        self,
        kind: EventKind,
        at: int,
        *,
        run_id: str | None = None,
        batch_id: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Record an event; return its number."""
        text = None if data is None else to_json(data)
        self.cursor.execute(sql("insert_event"), (at, kind, run_id, batch_id, text))
        return int(self.cursor.lastrowid or 0)

    def move(self, run: RunRow, status: str) -> None:
        """Count the run under another status."""
        for name, by in ((run.status, -1), (status, 1)):
            self.counts.add(seq=run.seq, batch_id=run.batch_id, module_id=run.module_id, status=name, by=by)


def to_json(value: object) -> str:
    """Return compact JSON; raises TypeError or ValueError for what JSON cannot hold."""
    return _ENCODER.encode(value)


def clean(text: str | None) -> str | None:
    """Replace what UTF-8 cannot hold: modules may report unpaired surrogates."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def fraction(value: float | None) -> float | None:
    """Return a progress between 0 and 1; what is no number counts as not told."""
    return None if value is None or math.isnan(value) else min(max(float(value), 0.0), 1.0)
