"""What is believed of the records in an attempt's folder: the module, which may write there, is nobody to trust.

Each field is taken if it is what our own writers put there, and left out otherwise; a record that lacks what it is
for is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from runyard_actors.run import Reason

Json = dict[str, Any]
Check = Callable[[Any], bool]

#: What the store's integers hold.
_LARGEST = 2**63 - 1
_LARGEST_PID = 2**31 - 1
#: Characters of a text that is shown to people.
_LONGEST = 10_000


def claim(found: Json) -> Json:
    """Return who supervises the attempt, as far as that can be read, or how it was kept from ever starting."""
    never = found.get("never_starts")
    if isinstance(never, dict):
        end = exit_record(never)
        return {} if end is None else {"never_starts": end}
    return _sensible(found, _CLAIM)


def child(found: Json) -> Json | None:
    """Return the module's own process; None if the record names none."""
    record = _sensible(found, _CHILD)
    return record if "pid" in record else None


def exit_record(found: Json) -> Json | None:
    """Return how the attempt ended; None if the record does not tell."""
    record = _sensible(found, _EXIT)
    has_reason = found.get("reason") is None or "reason" in record
    if "ended_at" not in record or not has_reason:
        return None
    nothing = [name for name in _EXIT if name in found and found[name] is None]
    return dict.fromkeys(nothing) | record


def gap(found: Json) -> tuple[int, int] | None:
    """Return the offsets between which a log lost its bytes; None if they make no sense."""
    record = _sensible(found, {"start": _is_amount, "end": _is_amount})
    if len(record) < 2 or record["start"] > record["end"]:
        return None
    return record["start"], record["end"]


def suspended_at(found: Json) -> int:
    """Return since when the tree is held still, in microseconds since the epoch; 0 if only that it is can be told."""
    return int(_sensible(found, {"suspended_at": _is_amount}).get("suspended_at", 0))


def _sensible(found: Mapping[str, Any], checks: Mapping[str, Check]) -> Json:
    return {name: found[name] for name, check in checks.items() if name in found and check(found[name])}


def _is_amount(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_pid(value: Any) -> bool:
    return _is_amount(value) and 0 < value <= _LARGEST_PID


def _is_number(value: Any) -> bool:
    """An integer may be too large for a float: it is none of ours."""
    if isinstance(value, float):
        return math.isfinite(value) and value >= 0
    return _is_amount(value)


def _is_code(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= 2**32


def _is_text(value: Any) -> bool:
    """Halves of characters, which JSON can name, are nothing that a database takes."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_reason(value: Any) -> bool:
    return isinstance(value, str) and value in Reason.__members__.values()


def _is_enforcement(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) < 100
        and all(_is_text(k) and _is_text(v) for k, v in value.items())
    )


_CLAIM: Mapping[str, Check] = {
    "shim_pid": _is_pid,
    "shim_start": _is_number,
    "boot_id": _is_text,
    "started_at": _is_amount,
    "enforcement": _is_enforcement,
}
_CHILD: Mapping[str, Check] = {
    "pid": _is_pid,
    "start": _is_number,
    "enforcement": _is_enforcement,
    "cgroup": _is_text,
}
_EXIT: Mapping[str, Check] = {
    "started_at": _is_amount,
    "ended_at": _is_amount,
    "exit_code": _is_code,
    "signal": _is_code,
    "reason": _is_reason,
    "reason_detail": _is_text,
    "ended_by": _is_text,
    "cpu_seconds": _is_number,
    "peak_memory": _is_amount,
    "log_bytes": _is_amount,
    "log_dropped": _is_amount,
    "report_bytes": _is_amount,
    "stragglers": _is_amount,
    "suspended_seconds": _is_number,
}
