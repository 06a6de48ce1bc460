"""The cookie of a warm copy, put where others read the environment of a process.

A module that starts cold gets its cookie from `exec`, with the rest of its environment. A copy of a warm interpreter
never execs: the system goes on showing the interpreter's environment, and so it does for all that the copy forks. So
the interpreter is started with a cookie of nobody, and each copy writes its own over it, where the system reads it.
"""

from __future__ import annotations

import ctypes

from runyard_actors.attempt_file import COOKIE, NONCE_LETTERS

#: What a warm interpreter is started with.
PLACE = {COOKIE: "0" * NONCE_LETTERS}


class Cookie:
    """Where this process's environment, as others see it, has its cookie. Made before anything changes a variable."""

    def __init__(self) -> None:
        getenv = ctypes.CDLL(None).getenv
        getenv.restype, getenv.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
        address = getenv(COOKIE.encode())
        size = len(ctypes.string_at(address)) if address else 0
        self._place = (ctypes.c_char * size).from_address(address) if size else None

    def become(self, nonce: str) -> None:
        """Show `nonce` from now on, in this process and in all that it forks."""
        value = nonce.encode()
        if self._place is not None and len(value) == len(self._place):
            self._place.raw = value
