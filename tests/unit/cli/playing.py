"""What tests of the command line share: answers, a history, and a client that plays a script."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from runyard_cluster.errors import ConflictError
from tests.support import tracing

#: What a run that waits in the queue has none of.
NOTHING = (
    "batch_id",
    "batch_index",
    "reason",
    "reason_detail",
    "waiting_for",
    "node",
    "pid",
    "started_at",
    "ended_at",
    "queued_seconds",
    "duration_seconds",
    "exit_code",
    "signal",
    "peak_memory",
    "peak_gpu_memory",
    "cpu_seconds",
    "log_bytes",
    "progress",
    "message",
    "result",
    "restarted_from",
    "enforcement",
)


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Runyard = Callable[..., Answer]


@dataclass(frozen=True)
class History:
    """Runs in the store: completed, failed and running ones of a batch, then one queued by itself."""

    batch_id: str
    completed: str
    failed: str
    running: str
    queued: str


def run_json(run_id: str = "01A", **changes: Any) -> dict[str, Any]:
    """Return a run as the server gives it, queued unless changed."""
    nothing = dict.fromkeys(NOTHING)
    return {
        **nothing,
        "run_id": run_id,
        "module_id": "train",
        "module_name": "train",
        "status": "queued",
        "command": ["true"],
        "cwd": "/",
        "env_keys": [],
        "num_cpus": 1.0,
        "num_gpus": 0.0,
        "memory": 0,
        "gpu_memory": 0,
        "timeout_seconds": 0.0,
        "priority": 0,
        "labels": {},
        "attempt": 1,
        "max_retries": 0,
        "retry_on_out_of_memory": None,
        "memory_retries": 0,
        "gpu_ids": [],
        "created_at": "2026-01-31T08:00:00.000000Z",
        **changes,
    }


def ended_json(run_id: str = "01A", status: str = "completed", **changes: Any) -> dict[str, Any]:
    """Return a run that ran for 0.8 s."""
    times = {
        "started_at": "2026-01-31T08:00:01Z",
        "ended_at": "2026-01-31T08:00:01.8Z",
        "duration_seconds": 0.8,
    }
    return run_json(run_id, **{"status": status, "exit_code": 0, **times, **changes})


@contextmanager
def interrupted_at(line: int, package: str) -> Iterator[list[str]]:
    """Within: raise KeyboardInterrupt, as Ctrl-C does, at that line of `package` after a submit was answered.

    Lines are counted as they come, from 0 on, until `hand_over` has returned. Gives a list that has the place once it
    was raised.
    """
    places, is_counting = list[str](), False
    lines = itertools.count()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal is_counting
        name, owner = frame.f_code.co_name, frame.f_locals.get("self")
        if event == "return" and name.startswith("submit") and isinstance(owner, ScriptedClient):
            is_counting = True
        elif event == "return" and name == "hand_over":
            is_counting = False
        elif event == "line" and is_counting and package in frame.f_code.co_filename and next(lines) == line:
            places.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
            raise KeyboardInterrupt
        return trace

    with tracing(trace):
        yield places


@dataclass
class ScriptedClient:
    """Plays what a server would send. An exception type in a script is raised at its turn, as Ctrl-C is.

    `logs` holds, for each attempt, the blocks of its log; `states` the answers to `run()`, the last for ever.
    """

    states: list[dict[str, Any]] = field(default_factory=list)
    logs: Sequence[Sequence[bytes | type[BaseException]]] = ()
    news: list[dict[str, Any] | type[BaseException]] = field(default_factory=list)
    advice: list[dict[str, Any]] | type[BaseException] = field(default_factory=list)
    is_embedded: bool = True
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __enter__(self) -> ScriptedClient:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def run(self, run_id: str) -> dict[str, Any]:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def submit(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        self.calls.append(("submit", body, key))
        return self._played(self.states[0])

    def submit_batch(self, body: dict[str, Any], key: str) -> dict[str, Any]:
        self.calls.append(("submit_batch", body, key))
        runs = [{"run_id": f"r{i}"} for i in range(len(body["runs"]))]
        return {"batch_id": "b1", "name": body["name"], "runs": runs}

    def cancel(self, run_id: str, reason: str | None = None) -> dict[str, Any]:
        self.calls.append(("cancel", run_id, reason))
        if self.states[0]["status"] in ("completed", "failed"):
            raise ConflictError
        return self.states[0]

    def cancel_batch(self, batch_id: str, reason: str | None = None) -> dict[str, Any]:
        self.calls.append(("cancel_batch", batch_id, reason))
        return {}

    def batch_advice(self, batch_id: str) -> dict[str, Any]:
        if isinstance(self.advice, type):
            raise self.advice
        return {"advice": self.advice}

    def log_pieces(self, run_id: str, attempt: int = 1, offset: int = 0) -> Iterator[tuple[int, bytes]]:
        self.calls.append(("log_pieces", attempt, offset))
        at = 0
        blocks = list(self.logs[attempt - 1])
        for index, block in enumerate(blocks):
            if isinstance(block, type):
                self.logs = [
                    [b for i, b in enumerate(log) if (i, log) != (index, blocks)] for log in self.logs
                ]
                raise block
            if at >= offset:
                yield at, block
            at += len(block)

    def events(self, since: int | None = None) -> Iterator[dict[str, Any]]:
        self.calls.append(("events", since))
        yield {"kind": "open", "seq": since or 0}
        while self.news:
            yield {"kind": "news", "seq": 100 - len(self.news), "run": self._played(self.news.pop(0))}

    def _played(self, item: Any) -> dict[str, Any]:
        if isinstance(item, type):
            raise item
        found: dict[str, Any] = item
        return found
