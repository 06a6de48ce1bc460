"""Windows tells whether now is a time to disturb its user."""

from __future__ import annotations

import sys

NEEDED = "it needs a desktop session: a service has none"

#: A program fills the screen, a Direct3D program owns it, a presentation is on.
_BUSY = frozenset({2, 3, 4})
#: Nobody is logged on, the screen is locked, or the caller has no desktop.
_NOT_PRESENT = 1

if sys.platform == "win32":
    import ctypes

    _shell = ctypes.WinDLL("shell32")

    def is_full() -> bool | None:
        """Return whether a program fills the screen; None where nobody sits."""
        state = ctypes.c_int()
        if _shell.SHQueryUserNotificationState(ctypes.byref(state)) != 0 or state.value == _NOT_PRESENT:
            return None
        return state.value in _BUSY
