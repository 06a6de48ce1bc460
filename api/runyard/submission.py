"""Submit runs from Python: to the server of this machine, or to an embedded one started for it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from runyard.batch import Batch
from runyard.module import ModuleLike, body_of
from runyard.progress import Progress, check, show
from runyard.run import Run
from runyard.session import Session
from runyard.yard import find_or_start
from runyard_cluster.errors import InvalidRequestError

#: Bad runs that a message spells out; `details` of the error holds them all.
SHOWN_PROBLEMS = 5

_sessions: dict[tuple[str | None, str | None], Session] = {}
_guard = threading.Lock()


def submit(
    module: ModuleLike | str,
    *,
    idempotency_key: str | None = None,
    when_full: str | None = None,
    **fields: Any,
) -> Run:
    """Submit one run; return its handle at once. The run is durable when this returns.

    `module` is a Module, a dict, a tuple, or a module's id with fields of Module as keywords.
    Raises InvalidRequestError, ResourceLimitError, ConcurrencyLimitError, NotFoundError, UnavailableError.
    """
    body = {"module_id": module, **fields} if isinstance(module, str) else {**body_of(module), **fields}
    if when_full:
        body["when_full"] = when_full
    return session().submit(_here(body_of(body)), idempotency_key)


def submit_batch(
    modules: Iterable[ModuleLike],
    *,
    max_concurrent: int | None = None,
    max_failures: int | None = None,
    name: str | None = None,
    idempotency_key: str | None = None,
    when_full: Literal["queue", "reject"] | None = None,
    after_batch: Batch | str | None = None,
    on_end: Sequence[str] = (),
    webhook: str | None = None,
    open: bool = False,  # noqa: A002 the name that it has everywhere else
    progress: Progress = False,
) -> Batch:
    """Submit runs together, all or none; return at once, with every run durable.

    `max_concurrent` limits how many of the batch run at once, `max_failures` cancels the rest after so many
    failures; with `after_batch`, a batch of as many runs or its id or name, each run starts when the one with its index
    there completed; when it has ended, the command `on_end` is run and `webhook` is called; with `open`, further runs
    may be added by `Batch.submit` until `Batch.close`; `progress` shows a bar on standard error, of rich or of tqdm, or
    is called with each run that has ended. Raises as `submit`; the error names every bad index.
    """
    bodies = bodies_of(modules)
    if not bodies and not open:
        raise InvalidRequestError("a batch needs at least one run")
    check(progress)
    options = {
        "name": name,
        "max_concurrent": max_concurrent,
        "max_failures": max_failures,
        "when_full": when_full,
        "after_batch": after_batch.batch_id if isinstance(after_batch, Batch) else after_batch,
        "on_end": list(on_end) or None,
        "webhook": webhook,
        "open": open or None,
    }
    batch = session().submit_batch(
        {"runs": bodies, **{k: v for k, v in options.items() if v is not None}}, idempotency_key
    )
    if progress:
        show(batch, progress)
    return batch


def bodies_of(modules: Iterable[ModuleLike]) -> list[dict[str, Any]]:
    """Return runs as REST takes them, with what only this process knows filled in.

    Raises InvalidRequestError naming every bad index.
    """
    found, problems = [], []
    for index, module in enumerate(modules):
        try:
            found.append(_here(body_of(module)))
        except InvalidRequestError as error:
            problems.append({"index": index, "field": "", "message": str(error)})
    if problems:
        first = "; ".join(f"runs[{p['index']}]: {p['message']}" for p in problems[:SHOWN_PROBLEMS])
        left = len(problems) - SHOWN_PROBLEMS
        raise InvalidRequestError(first + (f"; and {left} more" if left > 0 else ""), problems)
    return found


def session() -> Session:
    """Return the process's session with the server of its data folder, opened on first use."""
    key = (
        os.environ.get("RUNYARD_URL"),
        os.environ.get("RUNYARD_CONFIG") or os.environ.get("RUNYARD_DATA_DIR"),
    )
    with _guard:
        found = _sessions.get(key)
        if found is None or found.is_closed:
            found = _sessions[key] = Session(find_or_start(None, None))
        return found


def _here(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what only the caller's process knows: its folder, and its interpreter for a script."""
    filled = dict(body)
    if "script" in filled or "command" in filled:
        filled.setdefault("cwd", str(Path.cwd()))
        if _is_path(filled["cwd"]):
            filled["cwd"] = str(Path(filled["cwd"]).absolute())
    if "script" in filled:
        filled.setdefault("python", sys.executable)
        if _is_path(filled["script"]) and _is_path(filled["cwd"]):
            filled["script"] = str(Path(filled["cwd"], filled["script"]))
    return filled


def _is_path(value: Any) -> bool:
    """What is none stays as it is: the server says what is wrong with it, as to everyone."""
    return isinstance(value, str) and value != ""
