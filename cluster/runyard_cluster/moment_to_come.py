"""Moments to come, as people write them: a date with a zone, or a time from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from runyard_cluster.durations import parse_duration
from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.quoted import quoted

#: What RFC 3339 takes; `fromisoformat` takes a great deal more.
DATE = r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})"
_DATE = re.compile(DATE, re.ASCII)
#: A moment may have passed by so much: a submit is repeated after a crash, and clocks differ a little.
LATE_SECONDS = 60.0
_ALLOWED = 'allowed: a date with a zone, as "2026-01-31T08:00:00Z", or a time from now, as "+10m"'


def parse_moment(value: object, now: datetime | None = None) -> int:
    """Return microseconds since the epoch. Raises InvalidRequestError for what is no moment, or has long passed."""
    if not isinstance(value, str):
        raise InvalidRequestError(f"{quoted(value)} is not a moment; {_ALLOWED}")
    now = now or datetime.now(UTC)
    moment = _from_now(value, now) if value.startswith("+") else _from_date(value)
    if moment is None:
        raise InvalidRequestError(f"{quoted(value)} is not a moment; {_ALLOWED}")
    if moment < (now.timestamp() - LATE_SECONDS) * 1e6:
        raise InvalidRequestError(f"{quoted(value)} lies in the past; leave it out to start at once")
    return moment


def _from_now(text: str, now: datetime) -> int | None:
    """A moment that no calendar has any more is none."""
    until = now.timestamp() + parse_duration(text[1:])
    return round(until * 1e6) if until < datetime.max.replace(tzinfo=UTC).timestamp() else None


def _from_date(text: str) -> int | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        # A fraction longer than microseconds is more than this system's dates hold.
        date = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper()))
        return round(date.timestamp() * 1e6)
    except (ValueError, OverflowError):
        return None
