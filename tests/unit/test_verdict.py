"""The words for how an attempt ended: an exit code of 137 is one thing, a kill by SIGKILL another."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runyard_actors.shim.verdict import verdict

KILLED = "the system ran out of memory and killed it"
CHILD_KILLED = "the system ran out of memory and killed a process of it"


@pytest.mark.parametrize(
    ("exit_code", "signal", "kernel_killed", "reason", "detail", "ended_by"),
    [
        (0, None, False, None, None, "self"),
        (0, None, True, None, None, "self"),
        (1, None, True, "exit_code", "exit code 1", "self"),
        (137, None, False, "exit_code", "exit code 137", "self"),
        (137, None, True, "out_of_memory", CHILD_KILLED, "kernel"),
        (None, 9, False, "signal", "killed by SIGKILL", "external"),
        (None, 9, True, "out_of_memory", KILLED, "kernel"),
    ],
)
def test_exit_code_137_and_sigkill_stay_apart_and_only_the_kernels_own_count_makes_them_out_of_memory(
    exit_code: int | None,
    signal: int | None,
    kernel_killed: bool,
    reason: str | None,
    detail: str | None,
    ended_by: str,
) -> None:
    tree: Any = SimpleNamespace(exit_code=exit_code, signal=signal)
    assert verdict(tree, None, is_out_of_memory=kernel_killed) == {
        "exit_code": exit_code,
        "signal": signal,
        "reason": reason,
        "reason_detail": detail,
        "ended_by": ended_by,
    }
