"""The words of `pause_when`, and the rule that each stands for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import datetime

from runyard_cluster.pause.battery import Battery
from runyard_cluster.pause.full_screen import FullScreen
from runyard_cluster.pause.gpu_busy import GpuBusy
from runyard_cluster.pause.quiet_hours import parse_hours
from runyard_cluster.pause.rule import Rule
from runyard_cluster.quoted import quoted

ALLOWED = (
    '"battery", "fullscreen", "gpu_busy", "gpu_busy 30%", or hours as "22:00-07:00", "mon-fri 08:00-18:00"'
)
_WORDS = ("battery", "fullscreen", "gpu_busy")
#: Characters of a rule; the longest that makes sense has seven days and two times.
_LONGEST = 60
_GPU = re.compile(r"gpu_busy (\d{1,2}) ?%")


def parse_rule(text: object, *, now: Callable[[], datetime] = datetime.now) -> Rule:
    """Return the rule that a text stands for; `now` is the local time. Raises ValueError for what is none."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValueError(f"{quoted(text)} is no rule; allowed: {ALLOWED}")
    words = text.strip().lower()
    if words == "battery":
        return Battery()
    if words == "fullscreen":
        return FullScreen()
    if words == "gpu_busy":
        return GpuBusy()
    if match := _GPU.fullmatch(words):
        return GpuBusy(int(match[1]), only_by_use=True)
    hours = parse_hours(words, now=now)
    if hours is None:
        close = difflib.get_close_matches(words, _WORDS, 1)
        hint = f'did you mean "{close[0]}"? ' if close else ""
        raise ValueError(f"{quoted(text)} is no rule; {hint}allowed: {ALLOWED}")
    return hours
