"""`22:00-07:00`, `mon-fri 08:00-18:00`: between two times of the day, in local time, over midnight if need be."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from runyard_cluster.pause.rule import Own

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(?:([a-z,\- ]+) )?(\d{1,2}):(\d\d) ?- ?(\d{1,2}):(\d\d)")
_DAY = 24 * 60


class QuietHours:
    """Holds from `start` to before `end`, minutes of the day, on days that it begins on; 0 is Monday."""

    def __init__(
        self, start: int, end: int, days: frozenset[int], *, now: Callable[[], datetime] = datetime.now
    ) -> None:
        """`now` is the local time. An `end` that is not after `start` is on the next day."""
        self._start = start
        self._length = (end - start - 1) % _DAY + 1
        self._days = days
        self._now = now

    def holds(self, own: Own) -> str | None:
        """Say from when to when, while it is then."""
        now = self._now()
        since = now.hour * 60 + now.minute - self._start
        began_on = now.weekday() if since >= 0 else (now.weekday() - 1) % 7
        if began_on not in self._days or since % _DAY >= self._length:
            return None
        return f"from {_clock(self._start)} to {_clock((self._start + self._length - 1) % _DAY + 1)}"

    def missing(self) -> str | None:
        """Every machine has a clock."""
        return None


def parse_hours(text: str, *, now: Callable[[], datetime] = datetime.now) -> QuietHours | None:
    """Return the rule for a text that is one of hours, None for one that is not. Raises ValueError for wrong times."""
    match = _FORM.fullmatch(text)
    if match is None:
        return None
    start, end = _minutes(match[2], match[3]), _minutes(match[4], match[5])
    if start in (end, _DAY):
        raise ValueError(
            'the times must differ, and the first one is before 24:00; a whole day is "00:00-24:00"'
        )
    return QuietHours(start, end, _days(match[1]), now=now)


def _minutes(hours: str, minutes: str) -> int:
    found = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or found > _DAY:
        raise ValueError(f"{hours}:{minutes} is no time of the day; allowed: 00:00 to 24:00")
    return found


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part.strip()!r} is no day; allowed: {', '.join(DAYS)}, ranges as mon-fri")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)}
    return frozenset(found)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
