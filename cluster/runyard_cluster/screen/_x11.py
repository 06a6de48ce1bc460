"""X11 tells, through its own program `xprop`: a fault in Xlib would end the process that called it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping

NEEDED = "it needs an X11 session (DISPLAY) and the program xprop"

#: A desktop answers in milliseconds; one that hangs must not hold the watch.
_SECONDS = 2.0
_WINDOW = re.compile(r"_NET_ACTIVE_WINDOW\(WINDOW\): window id # (0x[0-9a-fA-F]+)")


def is_full(
    environ: Mapping[str, str] = os.environ, ask: Callable[..., str | None] | None = None
) -> bool | None:
    """Return whether the window in front fills the screen; None where X11 does not tell."""
    if not environ.get("DISPLAY"):
        return None
    ask = ask or _xprop
    root = ask("-root", "_NET_ACTIVE_WINDOW")
    if root is None:
        return None
    window = _WINDOW.search(root)
    if window is None or int(window[1], 16) == 0:
        return False
    return "_NET_WM_STATE_FULLSCREEN" in (ask("-id", window[1], "_NET_WM_STATE") or "")


def _xprop(*words: str) -> str | None:
    program = shutil.which("xprop")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
