"""Named points at which a test can make this process die, fail or stall.

`RUNYARD_FAIL=name:kill,other:sleep=2,third:raise`, as a process finds it when it begins. `name:kill=FILE` kills only
the first process that comes by: the one that creates the file. Unset, as it always is outside of tests, a point costs
next to nothing.
"""

from __future__ import annotations

import os
import time

VARIABLE = "RUNYARD_FAIL"

_wanted = os.environ.get(VARIABLE, "")


class FailpointError(Exception):
    """A failpoint was told to raise."""


def hit(name: str) -> None:
    """Do what the environment says for this point: nothing, kill, kill=FILE, raise or sleep=SECONDS."""
    if _wanted:
        for each in _wanted.split(","):
            point, _, action = each.partition(":")
            if point == name:
                _act(name, action)


def _act(name: str, action: str) -> None:
    verb, _, argument = action.partition("=")
    if verb == "kill":
        if not argument or _is_first(argument):
            os.kill(os.getpid(), 9)
    elif verb == "raise":
        raise FailpointError(name)
    elif verb == "sleep":
        time.sleep(float(argument))


def _is_first(mark: str) -> bool:
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True
