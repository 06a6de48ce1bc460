"""One fact about this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing looked at. `state` is good, limited or missing; without a needed one, runyard cannot work."""

    subject: str
    state: str
    detail: str
    is_needed: bool = False
