"""The REST API from Python, for code without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from runyard.async_client import AsyncClient, Json
from runyard.background import Background
from runyard_cluster.server_record import Endpoint


class Client:
    """`AsyncClient` for code without an event loop: the same calls, each waited for."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        locate: Callable[[], Endpoint] | None = None,
    ) -> None:
        """As for `AsyncClient`."""
        self._background = Background.shared()
        self._async = self._background.call(_made(url, token, locate))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_embedded(self) -> bool:
        """Whether the server was started on demand and leaves by itself."""
        return self._async.is_embedded

    @property
    def url(self) -> str:
        """The server's address."""
        return self._async.url

    def submit(self, run: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit one run; return it as JSON."""
        return self._background.call(self._async.submit(run, idempotency_key))

    def submit_batch(self, batch: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit a batch; return it with the ids of its runs in order."""
        return self._background.call(self._async.submit_batch(batch, idempotency_key))

    def add_runs(self, batch_id: str, runs: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Add runs, `{"runs": [...]}`, to an open batch; return it with the ids of these runs in order."""
        return self._background.call(self._async.add_runs(batch_id, runs, idempotency_key))

    def close_batch(self, batch_id: str) -> Json:
        """Have an open batch take no more runs."""
        return self._background.call(self._async.close_batch(batch_id))

    def run(self, run_id: str) -> Json:
        """Show one run."""
        return self._background.call(self._async.run(run_id))

    def runs(self, **filters: Any) -> Json:
        """List runs; the filters are those of `GET /api/runs`."""
        return self._background.call(self._async.runs(**filters))

    def attempts(self, run_id: str) -> list[Json]:
        """List the attempts of a run."""
        return self._background.call(self._async.attempts(run_id))

    def run_usage(self, run_id: str, attempt: int | None = None) -> Json:
        """Show what an attempt of a run used over time, as columns; the newest attempt if none is named."""
        return self._background.call(self._async.run_usage(run_id, attempt))

    def cancel(self, run_id: str, reason: str | None = None) -> Json:
        """Cancel a run."""
        return self._background.call(self._async.cancel(run_id, reason))

    def restart(
        self, run_id: str, edits: Mapping[str, Any] | None = None, idempotency_key: str | None = None
    ) -> Json:
        """Submit a run again as a new one."""
        return self._background.call(self._async.restart(run_id, edits, idempotency_key))

    def batch(self, batch_id: str) -> Json:
        """Show one batch with its counts."""
        return self._background.call(self._async.batch(batch_id))

    def batches(self, limit: int = 50, offset: int = 0) -> Json:
        """List batches, newest first."""
        return self._background.call(self._async.batches(limit, offset))

    def batch_advice(self, batch_id: str) -> Json:
        """Say what modules of a batch could ask for instead."""
        return self._background.call(self._async.batch_advice(batch_id))

    def cancel_batch(self, batch_id: str, reason: str | None = None) -> Json:
        """Cancel what is left of a batch."""
        return self._background.call(self._async.cancel_batch(batch_id, reason))

    def edit_run(self, run_id: str, edits: Mapping[str, Any]) -> Json:
        """Change the priority of a run that has not ended."""
        return self._background.call(self._async.edit_run(run_id, edits))

    def edit_batch(self, batch_id: str, edits: Mapping[str, Any]) -> Json:
        """Change the limit of a batch, or the priority of its runs that have not started."""
        return self._background.call(self._async.edit_batch(batch_id, edits))

    def hold(self, run_id: str) -> Json:
        """Keep a queued run from starting until it is released."""
        return self._background.call(self._async.hold(run_id))

    def release(self, run_id: str) -> Json:
        """Let a held run start."""
        return self._background.call(self._async.release(run_id))

    def hold_batch(self, batch_id: str) -> Json:
        """Keep what has not started of a batch from starting until it is released."""
        return self._background.call(self._async.hold_batch(batch_id))

    def release_batch(self, batch_id: str) -> Json:
        """Let what is held of a batch start."""
        return self._background.call(self._async.release_batch(batch_id))

    def retry_failed(self, batch_id: str, idempotency_key: str | None = None) -> Json:
        """Submit the failed runs of a batch again."""
        return self._background.call(self._async.retry_failed(batch_id, idempotency_key))

    def pause(self) -> Json:
        """Start no new runs."""
        return self._background.call(self._async.pause())

    def drain(self, node: str) -> Json:
        """Start no new runs on a node."""
        return self._background.call(self._async.drain(node))

    def undrain(self, node: str) -> Json:
        """Let runs start on a node again."""
        return self._background.call(self._async.undrain(node))

    def suspend(self, run_id: str) -> Json:
        """Hold a running run still."""
        return self._background.call(self._async.suspend(run_id))

    def resume(self, run_id: str | None = None) -> Json:
        """Let a suspended run go on; without one, start runs again after `pause`."""
        return self._background.call(self._async.resume(run_id))

    def modules(self) -> Json:
        """List the module registry."""
        return self._background.call(self._async.modules())

    def put_module(self, module_id: str, module: Mapping[str, Any]) -> Json:
        """Put a module into the registry, in the place of one of that id."""
        return self._background.call(self._async.put_module(module_id, module))

    def delete_module(self, module_id: str) -> None:
        """Take a module out of the registry."""
        self._background.call(self._async.delete_module(module_id))

    def metrics(self) -> str:
        """Return the metrics as Prometheus reads them."""
        return self._background.call(self._async.metrics())

    def resources(self) -> Json:
        """Show nodes and semaphore."""
        return self._background.call(self._async.resources())

    def resources_history(self, since: float = 0) -> Json:
        """Show what nodes had declared and used over the last hour, as columns; `since` is seconds since the epoch."""
        return self._background.call(self._async.resources_history(since))

    def usage(self) -> Json:
        """Show what each active run uses now."""
        return self._background.call(self._async.usage())

    def stats(self) -> Json:
        """Count runs."""
        return self._background.call(self._async.stats())

    def login_link(self) -> str:
        """Return an address that logs a browser in, once."""
        return self._background.call(self._async.login_link())

    def leave(self) -> None:
        """Stop the server; runs go on."""
        self._background.call(self._async.leave())

    def log(self, run_id: str, **what: Any) -> bytes:
        """Return bytes of a run's log; `what` as in `AsyncClient.log`."""
        return self._background.call(self._async.log(run_id, **what))

    def log_lines(self, run_id: str, first: int = 1, last: int | None = None, **which: Any) -> Json:
        """Return lines of a run's log by their numbers; `which` as in `AsyncClient.log_lines`."""
        return self._background.call(self._async.log_lines(run_id, first, last, **which))

    def search_log(self, run_id: str, text: str, **how: Any) -> Json:
        """Search a run's whole log; `how` as in `AsyncClient.search_log`."""
        return self._background.call(self._async.search_log(run_id, text, **how))

    def wait(self, run_ids: Sequence[str], timeout: float | None = None) -> list[Json]:
        """Wait until all runs have ended; return them in order. Raises TimeoutError."""
        return self._background.call(self._async.wait(run_ids, timeout))

    def wait_closed(self, batch_id: str, timeout: float | None = None) -> None:
        """Wait until a batch takes no more runs. Raises TimeoutError."""
        self._background.call(self._async.wait_closed(batch_id, timeout))

    @property
    def asynchronous(self) -> AsyncClient:
        """The client that does the work, on the background loop."""
        return self._async

    def log_tail_offset(self, run_id: str, lines: int, *, attempt: int | None = None) -> int:
        """Return the offset at which the last lines of a log begin; none of it is sent."""
        return self._background.call(self._async.log_tail_offset(run_id, lines, attempt=attempt))

    def log_pieces(
        self, run_id: str, attempt: int | None = None, offset: int = 0
    ) -> Iterator[tuple[int, bytes]]:
        """Yield the log as `follow_log` does, each piece with its offset: what lies between two was dropped."""
        return self._background.iterate(self._async.log_pieces(run_id, attempt, offset))

    def follow_log(self, run_id: str, attempt: int | None = None, offset: int = 0) -> Iterator[bytes]:
        """Yield the log from `offset` on, byte-exact, until the run has ended."""
        return self._background.iterate(self._async.follow_log(run_id, attempt, offset))

    def events(self, since: int | None = None, kinds: Iterable[str] | None = None) -> Iterator[Json]:
        """Yield every state change, for ever."""
        return self._background.iterate(self._async.events(since, kinds))

    def close(self) -> None:
        """Release the connections."""
        self._background.call(self._async.close())


async def _made(url: str | None, token: str | None, locate: Callable[[], Endpoint] | None) -> AsyncClient:
    return AsyncClient(url, token, locate=locate)
