"""How an attempt ended, in the words that people and programs get."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any, Protocol

from runyard_actors.shim.spec import ShimSpec


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the shim itself ended the run."""

    reason: str
    detail: str
    ended_by: str


class Ended(Protocol):
    """A process that has ended: its exit code, or the signal that ended it."""

    exit_code: int | None
    signal: int | None


def verdict(child: Ended, stop: Stop | None, spec: ShimSpec) -> dict[str, Any]:
    """Return exit code, signal, reason and who ended it: separate facts, so that 137 is not SIGKILL."""
    facts = {"exit_code": child.exit_code, "signal": child.signal}
    if stop is not None:
        return {
            **facts,
            "reason": stop.reason,
            "reason_detail": stop.detail,
            "ended_by": stop.ended_by,
        }
    if child.signal is not None:
        detail = f"killed by {signal_name(child.signal)}"
        return {**facts, "reason": "signal", "reason_detail": detail, "ended_by": "external"}
    if child.exit_code:
        detail = f"exit code {child.exit_code}"
        return {**facts, "reason": "exit_code", "reason_detail": detail, "ended_by": "self"}
    return {**facts, "reason": None, "reason_detail": None, "ended_by": "self"}


def signal_name(number: int) -> str:
    """Return the name of a signal as people write it: SIGSEGV."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
