"""macOS tells of other programs' windows only through packages that are not installed with runyard."""

from __future__ import annotations

NEEDED = "macOS does not tell without further packages"


def is_full() -> bool | None:
    """Return None: it cannot be told."""
    return None
