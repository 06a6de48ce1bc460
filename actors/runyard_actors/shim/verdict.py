"""How an attempt ended, in the words that people and programs get."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runyard_actors.shim.system import Tree


#: What a shell exits with when SIGKILL ended its last command. Other programs exit with it for reasons of their own.
KILLED_CHILD = 137
SIGKILL = 9


class Stop:
    """Why the shim itself ends the run, and how long the run may take to end by itself."""

    __slots__ = ("detail", "ended_by", "grace_seconds", "reason")

    def __init__(self, reason: str, detail: str, ended_by: str, grace_seconds: float) -> None:
        self.reason = reason
        self.detail = detail
        self.ended_by = ended_by
        self.grace_seconds = grace_seconds


def verdict(tree: Tree, stop: Stop | None, *, is_out_of_memory: bool) -> dict[str, Any]:
    """Return exit code, signal, reason and who ended it: separate facts, so that 137 is not SIGKILL."""
    reason, detail, ended_by = _why(tree, stop, is_out_of_memory)
    return {
        "exit_code": tree.exit_code,
        "signal": tree.signal,
        "reason": reason,
        "reason_detail": detail,
        "ended_by": ended_by,
    }


def _why(tree: Tree, stop: Stop | None, is_out_of_memory: bool) -> tuple[str | None, str | None, str]:
    if stop is not None:
        return stop.reason, stop.detail, stop.ended_by
    if tree.signal is not None and is_out_of_memory:
        return "out_of_memory", "the system ran out of memory and killed it", "kernel"
    if tree.exit_code == KILLED_CHILD and is_out_of_memory:
        return "out_of_memory", "the system ran out of memory and killed a process of it", "kernel"
    if tree.signal is not None:
        return "signal", f"killed by {signal_name(tree.signal)}", "external"
    if tree.exit_code:
        return "exit_code", f"exit code {tree.exit_code}", "self"
    return None, None, "self"


def signal_name(number: int) -> str:
    """Return the name of a signal as people write it: SIGSEGV."""
    import signal  # here, because only a run that a signal ended pays for it

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
