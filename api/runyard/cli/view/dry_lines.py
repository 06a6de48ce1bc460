"""What a batch would submit, for a person to look through."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from runyard.cli.view.words import plural

#: What stands in the command, or would say nothing.
_SHOWN_ELSEWHERE = frozenset(("command", "script", "module", "args", "name", "python", "env"))


def dry_lines(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for the batch and one for each run, with all but the values of variables."""
    limits = [
        f"{name} {body[name]}" for name in ("max_concurrent", "max_failures", "after_batch") if name in body
    ]
    yield f"batch {body['name']}: {plural(len(body['runs']), 'run')}" + "".join(
        f", {each}" for each in limits
    )
    for index, run in enumerate(body["runs"]):
        yield f"[{index}] {_run_words(run)}"


def _run_words(run: Mapping[str, Any]) -> str:
    if "command" in run or "script" in run:
        words = shlex.join([*(run.get("command") or [run["script"]]), *run.get("args", ())])
    else:
        words = " ".join(["module", shlex.join([run["module"], *run.get("args", ())])])
    name = f"{run['name']}: " if "name" in run else ""
    more = [f"{field}={_value(value)}" for field, value in run.items() if field not in _SHOWN_ELSEWHERE]
    more += [f"env={','.join(sorted(run['env']))}"] if run.get("env") else []
    return f"{name}{words}" + (f"  ({', '.join(more)})" if more else "")


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{k}:{v}" for k, v in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
