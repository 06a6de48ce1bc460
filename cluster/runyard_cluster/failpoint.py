"""Named points at which a test can make this process die, fail or stall.

`RUNYARD_FAIL=name:kill,other:sleep=2,third:raise`. Unset, as it always is outside of tests, a point costs one
look into a dictionary.
"""

from __future__ import annotations

import os
import time

VARIABLE = "RUNYARD_FAIL"


class FailpointError(Exception):
    """A failpoint was told to raise."""


def hit(name: str) -> None:
    """Do what the environment says for this point: nothing, kill, raise or sleep=SECONDS."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    for each in wanted.split(","):
        point, _, action = each.partition(":")
        if point == name:
            _act(name, action)


def _act(name: str, action: str) -> None:
    verb, _, seconds = action.partition("=")
    if verb == "kill":
        os.kill(os.getpid(), 9)
    elif verb == "raise":
        raise FailpointError(name)
    elif verb == "sleep":
        time.sleep(float(seconds))
