"""Terms: what a run says of when it may start and of when it is tried again, beyond its request and its priority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

#: The longest pause before a retry if nothing else is said, in seconds.
LONGEST_RETRY_DELAY = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Most runs have none. `after_any` and `after_failed` are ids of runs, as `after` of a run is.

    `not_before` is a moment, in microseconds since the epoch; a held run waits for somebody to release it. A run that
    has not started `queue_timeout_seconds` after it was submitted fails. A retry waits `retry_delay_seconds`, the next
    one `retry_backoff` times as long, at most `retry_delay_max_seconds`; with `retry_exit_codes`, also an empty one,
    only an exit with one of them is retried.
    """

    after_any: tuple[str, ...] = ()
    after_failed: tuple[str, ...] = ()
    not_before: int | None = None
    is_held: bool = False
    queue_timeout_seconds: float = 0.0
    retry_delay_seconds: float = 0.0
    retry_backoff: float = 1.0
    retry_delay_max_seconds: float = LONGEST_RETRY_DELAY
    retry_exit_codes: tuple[int, ...] | None = None

    def retry_delay(self, retries: int) -> float:
        """Return the pause in seconds before a run is tried again that was so many times already."""
        delay = self.retry_delay_seconds
        for _ in range(retries):
            if delay >= self.retry_delay_max_seconds or self.retry_backoff == 1.0:
                break
            delay *= self.retry_backoff
        return min(delay, self.retry_delay_max_seconds)


def anew(terms: Terms | None) -> Terms | None:
    """Return the terms of a run that does the same again: it waits for nobody and for no moment."""
    if terms is None:
        return None
    new = replace(terms, after_any=(), after_failed=(), not_before=None, is_held=False)
    return None if new == Terms() else new


def terms_to_json(terms: Terms) -> dict[str, Any]:
    """Return what differs from no terms, as JSON."""
    return {f.name: value for f in fields(terms) if (value := getattr(terms, f.name)) != f.default}


def terms_from_json(given: Mapping[str, Any]) -> Terms:
    """Return terms from what `terms_to_json` made, or an earlier version of it did."""
    known = {f.name for f in fields(Terms)}
    values: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if k in known
    }
    return Terms(**values)
