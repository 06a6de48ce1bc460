"""What is said of an end: as JSON, as variables of a command, and in a few words for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runyard_actors.run import Status
from runyard_cluster.durations import format_duration

#: Failed runs that the digest of a batch names.
NAMED_FAILURES = 20

Message = Mapping[str, Any]


def of_run(run: Mapping[str, Any]) -> Message:
    """Return what is said of a run that ended."""
    return {"event": "run_ended", "run": dict(run)}


def of_batch(batch: Mapping[str, Any], failures: Sequence[Mapping[str, Any]]) -> Message:
    """Return the digest of a batch that ended: its counts, and the first of its failed runs."""
    return {"event": "batch_ended", "batch": dict(batch), "failures": list(failures[:NAMED_FAILURES])}


def title(message: Message) -> str:
    """Return the headline: what ended, and how."""
    if run := message.get("run"):
        return f"{run['module_name']} {run['status']}"
    batch = message["batch"]
    counts = ((status, batch["counts"][status]) for status in (Status.FAILED, Status.CANCELLED))
    bad = ", ".join(f"{count} {status}" for status, count in counts if count)
    return f"batch {batch['name'] or batch['batch_id']} " + (f"ended, {bad}" if bad else "completed")


def text(message: Message) -> str:
    """Return the sentence below the headline."""
    if run := message.get("run"):
        seconds = run["duration_seconds"]
        took = "never started" if seconds is None else f"after {format_duration(seconds)}"
        return f"{took}: {run['reason_detail']}" if run["reason_detail"] else took
    counts = message["batch"]["counts"]
    ended = (f"{counts[s]} {s}" for s in Status if s.is_ended and counts[s])
    return ", ".join(ended) or "it had no runs"


def variables(message: Message) -> dict[str, str]:
    """Return the variables that a command is given; what is not known is left out."""
    found = {"EVENT": message["event"], "TITLE": title(message), "TEXT": text(message)}
    if run := message.get("run"):
        found |= {
            "RUN_ID": run["run_id"],
            "MODULE_ID": run["module_id"],
            "MODULE_NAME": run["module_name"],
            "BATCH_ID": run["batch_id"],
            "STATUS": run["status"],
            "REASON": run["reason"],
            "REASON_DETAIL": run["reason_detail"],
            "EXIT_CODE": run["exit_code"],
            "ATTEMPT": run["attempt"],
            "DURATION_SECONDS": run["duration_seconds"],
        }
    else:
        batch = message["batch"]
        counts = {f"COUNT_{s.name}": batch["counts"][s] for s in Status if s.is_ended}
        found |= {"BATCH_ID": batch["batch_id"], "BATCH_NAME": batch["name"], **counts}
    return {f"RUNYARD_{k}": str(v).replace("\0", "") for k, v in found.items() if v is not None}
