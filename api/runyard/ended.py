"""Whether a run, as JSON, has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENDED = frozenset({"completed", "failed", "cancelled"})


def is_ended(run: Mapping[str, Any]) -> bool:
    """Return whether nothing more will happen to the run."""
    return run["status"] in ENDED
