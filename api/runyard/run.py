"""A run as the caller holds it: a handle that knows its state live, and the result it ends with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from runyard.background import wait
from runyard.ended import is_ended
from runyard_cluster.errors import (
    RunCancelledError,
    RunError,
    RunFailedError,
    RunLostError,
    RunTimeoutError,
    RunyardError,
)

if TYPE_CHECKING:
    from runyard.session import Session

LOST = frozenset({"node_lost", "supervisor_lost"})


class RunResult:
    """A run that has ended. Every field of the run's JSON is an attribute."""

    def __init__(self, fields: Mapping[str, Any], session: Session | None = None) -> None:
        self.fields = dict(fields)
        self._session = session

    run_id: str
    module_id: str
    status: str
    reason: str | None
    exit_code: int | None
    result: Any

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["fields"][name]
        except KeyError:
            raise AttributeError(f"a run has no field {name!r}") from None

    def log(self, tail: int | None = None) -> str:
        """Return the run's log, or its last `tail` lines, as text."""
        assert self._session is not None
        return self._session.log(self.run_id, tail)

    def usage(self, attempt: int | None = None) -> dict[str, Any]:
        """Return what the run used over time, as `Run.usage` does."""
        assert self._session is not None
        return self._session.client.run_usage(self.run_id, attempt)

    def __repr__(self) -> str:
        return f"<RunResult {self.run_id} {self.module_id}: {self.status}>"


class Run:
    """One run. A future: `result`, `exception`, `done`, `cancel`, `add_done_callback`, and it can be awaited.

    Every field of the run's JSON is an attribute and shows its newest known state.
    """

    def __init__(self, fields: Mapping[str, Any], session: Session) -> None:
        self.fields = dict(fields)
        self._session = session
        self._ended: Future[dict[str, Any]] = Future()

    run_id: str
    module_id: str
    batch_id: str | None
    status: str
    reason: str | None
    exit_code: int | None
    pid: int | None

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__.get("fields", {})
        if name in fields:
            return fields[name]
        if name.startswith("_") or name not in RUN_FIELDS:
            raise AttributeError(f"a run has no field {name!r}")
        return self.refresh().fields.get(name)

    def __await__(self) -> Generator[Any, None, RunResult]:
        return self._session.awaited(self).__await__()

    def done(self) -> bool:
        """Whether the run has ended."""
        return self._ended.done()

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run has ended; return it. Raises TimeoutError, ConnectionFailedError."""
        with self._session.cancelling_on_interrupt([self]):
            wait(self._ended, timeout)
        return self

    def result(self, timeout: float | None = None) -> RunResult:
        """Wait for the result of a completed run. Raises a RunError for any other end, or TimeoutError."""
        error = self.exception(timeout)
        if error is not None:
            raise error
        return RunResult(self.fields, self._session)

    def exception(self, timeout: float | None = None) -> RunError | None:
        """Wait for the end; return why the run did not complete, or None."""
        self.wait(timeout)
        return None if self.fields["status"] == "completed" else self._session.error_of(self)

    def add_done_callback(self, callback: Callable[[Run], object]) -> None:
        """Call `callback(run)` when the run has ended, in another thread; at once if it has."""
        self._ended.add_done_callback(lambda _: callback(self))

    def cancel(self, reason: str | None = None) -> bool:
        """Cancel the run; return whether that was still possible."""
        return self._session.cancel(self, reason)

    def suspend(self) -> Run:
        """Hold the run still: it stays running and keeps its slot and resources. Raises ConflictError."""
        self.update(self._session.client.suspend(self.run_id))
        return self

    def resume(self) -> Run:
        """Let the run go on. Raises ConflictError when it has ended."""
        self.update(self._session.client.resume(self.run_id))
        return self

    def edit(self, *, priority: int) -> Run:
        """Give the run another priority. Raises ConflictError when it has ended."""
        self.update(self._session.client.edit_run(self.run_id, {"priority": priority}))
        return self

    def hold(self) -> Run:
        """Keep the run from starting until `release`. Raises ConflictError when it has started."""
        self.update(self._session.client.hold(self.run_id))
        return self

    def release(self) -> Run:
        """Let the run start that was held. Raises ConflictError when it has started."""
        self.update(self._session.client.release(self.run_id))
        return self

    def restart(self, **edits: Any) -> Run:
        """Submit the run again as a new one, with edits of args or request."""
        return self._session.restart(self, edits)

    def log(self, tail: int | None = None) -> str:
        """Return the run's log so far, or its last `tail` lines, as text."""
        return self._session.log(self.run_id, tail)

    def usage(self, attempt: int | None = None) -> dict[str, Any]:
        """Return what the run used over time: `at`, `cpu_percent`, `memory`, `gpu_memory`, `gpu_percent`, `limits`.

        The columns have one value a sample, the oldest first; the newest attempt is meant if none is named.
        """
        return self._session.client.run_usage(self.run_id, attempt)

    def follow(self) -> Iterator[str]:
        """Yield the log's lines as they come, until the run has ended."""
        return self._session.follow(self.run_id)

    def refresh(self) -> Run:
        """Ask the server for the newest state."""
        self.update(self._session.client.run(self.run_id))
        return self

    def update(self, fields: Mapping[str, Any]) -> None:
        """Take a newer state; used by the session when the server tells of one."""
        if self._ended.done():
            return
        self.fields = {**self.fields, **fields}
        if is_ended(self.fields):
            self._ended.set_result(self.fields)

    def lose(self, error: RunyardError) -> None:
        """Have whoever waits raise `error`; used by the session when no server will tell of the run's end."""
        if not self._ended.done():
            self._ended.set_exception(error)

    def _repr_html_(self) -> str:
        from runyard.notebook import run_html

        return run_html(self.fields)

    def __repr__(self) -> str:
        return f"<Run {self.run_id} {self.fields.get('module_id', '')}: {self.fields['status']}>"


def error_class(fields: Mapping[str, Any]) -> type[RunError]:
    """Return the exception that stands for this end."""
    if fields["status"] == "cancelled":
        return RunCancelledError
    if fields["reason"] == "timeout":
        return RunTimeoutError
    return RunLostError if fields["reason"] in LOST else RunFailedError


#: The fields of a run's JSON, so that a misspelt attribute is an AttributeError and not a call to the server.
RUN_FIELDS = frozenset(
    {
        "attempt",
        "batch_id",
        "batch_index",
        "code",
        "code_digest",
        "command",
        "cpu_seconds",
        "created_at",
        "cwd",
        "duration_seconds",
        "ended_at",
        "ended_by",
        "enforcement",
        "env_keys",
        "exit_code",
        "gpu_ids",
        "gpu_memory",
        "labels",
        "log_bytes",
        "max_retries",
        "memory",
        "memory_retries",
        "message",
        "module_id",
        "module_name",
        "node",
        "num_cpus",
        "num_gpus",
        "on_stall",
        "peak_gpu_memory",
        "peak_memory",
        "pid",
        "priority",
        "progress",
        "queued_seconds",
        "reason",
        "reason_detail",
        "restarted_from",
        "retry_on_out_of_memory",
        "run_id",
        "signal",
        "stall_after_seconds",
        "stalled_since",
        "started_at",
        "status",
        "suspended",
        "timeout_seconds",
        "waiting_for",
        "wanted_node",
        "warning",
    }
)
