"""Moments as people give them: a date, or a time back from now."""

from __future__ import annotations

from datetime import UTC, datetime

from runyard_cluster.durations import parse_duration


def microseconds(value: str, now: datetime | None = None) -> int:
    """Return an RFC 3339 date, or a duration back from now as "2h", in microseconds since the epoch.

    A date without a zone is local. Raises ValueError.
    """
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        try:
            back = parse_duration(value)
        except ValueError as error:
            raise ValueError('must be a date as "2026-01-31T08:00:00Z" or a time back as "2h"') from error
        return int(((now or datetime.now(UTC)).timestamp() - back) * 1e6)
    try:
        return int((moment if moment.tzinfo else moment.astimezone()).timestamp() * 1e6)
    except (OverflowError, OSError) as error:
        raise ValueError("must be a date that this system can hold") from error
