"""macOS: its own script runner, to which the words are arguments and never a part of the script."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

NEEDED = "it needs the program osascript"

_SCRIPT = (
    "on run words",
    "display notification (item 2 of words) with title (item 1 of words)",
    "end run",
)


def program(title: str, text: str, environ: Mapping[str, str] = os.environ) -> Sequence[str] | None:
    """Return the command that shows these words; None where the program is missing."""
    found = shutil.which("osascript", path=environ.get("PATH"))
    if found is None:
        return None
    return (found, *(part for line in _SCRIPT for part in ("-e", line)), title, text)
