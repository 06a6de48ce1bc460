"""Failures that are the same one many times: by their reason and the last line that the module wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from runyard_actors import log_file
from runyard_actors.run_folder import RunFolder

#: Logs that are looked into for one answer; failures beyond are told apart by their reason alone.
MOST_LOGS = 2_000
#: A last line is looked for in so many bytes at the end of a log.
END_BYTES = 4_096
LONGEST_SENTENCE = 500
#: What differs between failures that are the same: numbers, addresses, ids.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9A-HJKMNP-TV-Z]{26}|\d+(\.\d+)?")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def groups(
    failures: Iterable[Mapping[str, Any]], last_line: Callable[[Mapping[str, Any]], str]
) -> list[dict[str, Any]]:
    """Group failed runs, the largest group first; `last_line` looks into a run's log."""
    found: dict[tuple[str | None, str], dict[str, Any]] = {}
    for number, run in enumerate(failures):
        words = run["reason_detail"] or run["reason"] or "failed"
        sentence = (last_line(run) if number < MOST_LOGS else "") or words
        kind = (run["reason"], _VARYING.sub("#", sentence))
        group = found.setdefault(kind, {"reason": run["reason"], "sentence": sentence, "run_ids": []})
        group["run_ids"].append(run["run_id"])
    return sorted(found.values(), key=lambda group: -len(group["run_ids"]))


def last_line(runs: Path, run: Mapping[str, Any]) -> str:
    """Return the last line with anything on it that the run's newest attempt wrote, or ""."""
    path = RunFolder.of(runs, run["run_id"], max(1, run["attempt"])).log_file
    end = b"".join(log_file.read(path, max(0, log_file.size(path) - END_BYTES)))
    text = _ESCAPES.sub("", end.decode("utf-8", "replace"))
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    return next((line[:LONGEST_SENTENCE] for line in reversed(lines) if line), "")
