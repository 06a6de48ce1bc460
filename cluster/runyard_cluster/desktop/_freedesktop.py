"""Linux and its kin: the desktop's own program, which speaks to it over the session bus."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence

NEEDED = "it needs a desktop session and the program notify-send"

#: Variables of which a desktop session sets at least one.
_SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS")


def program(title: str, text: str, environ: Mapping[str, str] = os.environ) -> Sequence[str] | None:
    """Return the command that shows these words, none of them taken for an option; None where nobody sits."""
    found = shutil.which("notify-send", path=environ.get("PATH"))
    if found is None or not any(environ.get(name) for name in _SESSION):
        return None
    return (found, "--app-name=runyard", "--", title, text)
