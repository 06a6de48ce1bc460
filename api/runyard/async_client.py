"""The REST API from Python, for code with an event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

from runyard.address import checked_key, part
from runyard.connection import Connection
from runyard.ended import is_ended
from runyard.yard import locator
from runyard_cluster.errors import NotFoundError
from runyard_cluster.server_record import Endpoint

Json = dict[str, Any]

#: Runs asked for in one call: an address may hold so many ids.
SHOWN_AT_ONCE = 500


class AsyncClient:
    """Every call of the REST API. Use it as `async with`, or call `close`.

    Without `url` it is the server of this machine; without `token` that of its data folder, or `RUNYARD_TOKEN`.
    Raises ConnectionFailedError when no server runs.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        locate: Callable[[], Endpoint] | None = None,
    ) -> None:
        """`locate` stands in the place of both: it is asked again when a server is gone."""
        self._connection = Connection(locate or locator(url, token))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_embedded(self) -> bool:
        """Whether the server was started on demand and leaves by itself."""
        return self._connection.endpoint.is_embedded

    @property
    def url(self) -> str:
        """The server's address."""
        return self._connection.endpoint.url

    async def submit(self, run: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit one run; return it as JSON."""
        return await self._json("POST", "/api/runs", run, key=_key(idempotency_key))

    async def submit_batch(self, batch: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit a batch `{"runs": [...], ...}`; return it with the ids of its runs in order."""
        return await self._json("POST", "/api/batches", batch, key=_key(idempotency_key))

    async def add_runs(
        self, batch_id: str, runs: Mapping[str, Any], idempotency_key: str | None = None
    ) -> Json:
        """Add runs, `{"runs": [...]}`, to an open batch; return it with the ids of these runs in order."""
        path = f"/api/batches/{part(batch_id)}/runs"
        return await self._json("POST", path, runs, key=_key(idempotency_key))

    async def close_batch(self, batch_id: str) -> Json:
        """Have an open batch take no more runs."""
        return await self._json("POST", f"/api/batches/{part(batch_id)}/close", {})

    async def run(self, run_id: str) -> Json:
        """Show one run."""
        return await self._json("GET", f"/api/runs/{part(run_id)}")

    async def runs(self, **filters: Any) -> Json:
        """List runs; the filters are those of `GET /api/runs`."""
        return await self._json("GET", "/api/runs", params=filters)

    async def attempts(self, run_id: str) -> list[Json]:
        """List the attempts of a run."""
        found: list[Json] = await self._any("GET", f"/api/runs/{part(run_id)}/attempts")
        return found

    async def run_usage(self, run_id: str, attempt: int | None = None) -> Json:
        """Show what an attempt of a run used over time, as columns; the newest attempt if none is named."""
        return await self._json("GET", f"/api/runs/{part(run_id)}/usage", params={"attempt": attempt})

    async def cancel(self, run_id: str, reason: str | None = None) -> Json:
        """Cancel a run."""
        return await self._json(
            "POST", f"/api/runs/{part(run_id)}/cancel", {"reason": reason} if reason else {}
        )

    async def restart(
        self, run_id: str, edits: Mapping[str, Any] | None = None, idempotency_key: str | None = None
    ) -> Json:
        """Submit a run again as a new one."""
        path = f"/api/runs/{part(run_id)}/restart"
        return await self._json("POST", path, edits or {}, key=_key(idempotency_key))

    async def batch(self, batch_id: str) -> Json:
        """Show one batch with its counts."""
        return await self._json("GET", f"/api/batches/{part(batch_id)}")

    async def batches(self, limit: int = 50, offset: int = 0) -> Json:
        """List batches, newest first."""
        return await self._json("GET", "/api/batches", params={"limit": limit, "offset": offset})

    async def batch_advice(self, batch_id: str) -> Json:
        """Say what modules of a batch could ask for instead."""
        return await self._json("GET", f"/api/batches/{part(batch_id)}/advice")

    async def cancel_batch(self, batch_id: str, reason: str | None = None) -> Json:
        """Cancel what is left of a batch."""
        body = {"reason": reason} if reason else {}
        return await self._json("POST", f"/api/batches/{part(batch_id)}/cancel", body)

    async def edit_run(self, run_id: str, edits: Mapping[str, Any]) -> Json:
        """Change the priority of a run that has not ended."""
        return await self._json("PATCH", f"/api/runs/{part(run_id)}", edits)

    async def edit_batch(self, batch_id: str, edits: Mapping[str, Any]) -> Json:
        """Change the limit of a batch, or the priority of its runs that have not started."""
        return await self._json("PATCH", f"/api/batches/{part(batch_id)}", edits)

    async def hold(self, run_id: str) -> Json:
        """Keep a queued run from starting until it is released."""
        return await self._json("POST", f"/api/runs/{part(run_id)}/hold", {})

    async def release(self, run_id: str) -> Json:
        """Let a held run start."""
        return await self._json("POST", f"/api/runs/{part(run_id)}/release", {})

    async def hold_batch(self, batch_id: str) -> Json:
        """Keep what has not started of a batch from starting until it is released."""
        return await self._json("POST", f"/api/batches/{part(batch_id)}/hold", {})

    async def release_batch(self, batch_id: str) -> Json:
        """Let what is held of a batch start."""
        return await self._json("POST", f"/api/batches/{part(batch_id)}/release", {})

    async def retry_failed(self, batch_id: str, idempotency_key: str | None = None) -> Json:
        """Submit the failed runs of a batch again."""
        path = f"/api/batches/{part(batch_id)}/retry-failed"
        return await self._json("POST", path, {}, key=_key(idempotency_key))

    async def pause(self) -> Json:
        """Start no new runs."""
        return await self._json("POST", "/api/pause", {})

    async def drain(self, node: str) -> Json:
        """Start no new runs on a node."""
        return await self._json("POST", f"/api/nodes/{part(node)}/drain", {})

    async def undrain(self, node: str) -> Json:
        """Let runs start on a node again."""
        return await self._json("POST", f"/api/nodes/{part(node)}/undrain", {})

    async def suspend(self, run_id: str) -> Json:
        """Hold a running run still."""
        return await self._json("POST", f"/api/runs/{part(run_id)}/suspend", {})

    async def resume(self, run_id: str | None = None) -> Json:
        """Let a suspended run go on; without one, start runs again after `pause`."""
        return await self._json("POST", f"/api/runs/{part(run_id)}/resume" if run_id else "/api/resume", {})

    async def modules(self) -> Json:
        """List the module registry."""
        return await self._json("GET", "/api/modules")

    async def put_module(self, module_id: str, module: Mapping[str, Any]) -> Json:
        """Put a module into the registry, in the place of one of that id."""
        return await self._json("PUT", f"/api/modules/{part(module_id)}", module)

    async def delete_module(self, module_id: str) -> None:
        """Take a module out of the registry."""
        await self._connection.send("DELETE", f"/api/modules/{part(module_id)}")

    async def metrics(self) -> str:
        """Return the metrics as Prometheus reads them."""
        return (await self._connection.send("GET", "/metrics")).text

    async def resources(self) -> Json:
        """Show nodes and semaphore."""
        return await self._json("GET", "/api/resources")

    async def resources_history(self, since: float = 0) -> Json:
        """Show what nodes had declared and used over the last hour, as columns; `since` is seconds since the epoch."""
        return await self._json("GET", "/api/resources/history", params={"since": since})

    async def usage(self) -> Json:
        """Show what each active run uses now."""
        return await self._json("GET", "/api/usage")

    async def stats(self) -> Json:
        """Count runs."""
        return await self._json("GET", "/api/stats")

    async def login_link(self) -> str:
        """Return an address that logs a browser in, once."""
        answer = await self._json("POST", "/api/login-link", {})
        return self.url + str(answer["path"])

    async def leave(self) -> None:
        """Stop the server; runs go on."""
        await self._json("POST", "/api/leave", {})

    async def log(
        self,
        run_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        limit: int | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> bytes:
        """Return bytes of a run's log."""
        params = {
            "attempt": attempt,
            "offset": offset,
            "limit": limit,
            "tail": tail,
            "timestamps": timestamps or None,
        }
        return (await self._connection.send("GET", f"/api/runs/{part(run_id)}/log", params=params)).content

    async def log_lines(
        self, run_id: str, first: int = 1, last: int | None = None, *, attempt: int | None = None
    ) -> Json:
        """Return lines of a run's log by their numbers: `lines`, and `total`, how many it has now."""
        params = {"first": first, "last": last, "attempt": attempt}
        return await self._json("GET", f"/api/runs/{part(run_id)}/log/lines", params=params)

    async def search_log(self, run_id: str, text: str, **how: Any) -> Json:
        """Search a run's whole log. `how`: `regex`, `ignore_case`, `limit`, `offset`, `attempt`, as REST has them."""
        return await self._json("GET", f"/api/runs/{part(run_id)}/log/search", params={"q": text, **how})

    async def log_tail_offset(self, run_id: str, lines: int, *, attempt: int | None = None) -> int:
        """Return the offset at which the last lines of a log begin; none of it is sent."""
        params = {"attempt": attempt, "tail": lines, "limit": 0}
        answer = await self._connection.send("GET", f"/api/runs/{part(run_id)}/log", params=params)
        return int(answer.headers["X-Log-Offset"])

    async def follow_log(
        self, run_id: str, attempt: int | None = None, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """Yield the log from `offset` on, byte-exact, until the run has ended."""
        async for _, data in self.log_pieces(run_id, attempt, offset):
            yield data

    async def log_pieces(
        self, run_id: str, attempt: int | None = None, offset: int = 0
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Yield the log as `follow_log` does, each piece with its offset: what lies between two was dropped."""
        async for event in self._connection.events(
            f"/api/runs/{part(run_id)}/log/stream", attempt=attempt, offset=offset
        ):
            if event.kind == "end":
                return
            if event.kind == "log":
                yield event.log_piece()

    async def events(
        self, since: int | None = None, kinds: Iterable[str] | None = None
    ) -> AsyncIterator[Json]:
        """Yield every state change, or those of some kinds, for ever, resuming where a lost connection left off."""
        only = None if kinds is None else sorted(kinds)
        async for event in self._connection.events("/api/events", since=since, kind=only):
            yield event.json()

    async def wait(self, run_ids: Sequence[str], timeout: float | None = None) -> list[Json]:  # noqa: ASYNC109 the public name
        """Wait until all runs have ended; return them in order. Raises TimeoutError."""
        ended: dict[str, Json] = {}
        wanted = set(run_ids)
        async with asyncio.timeout(timeout):
            async for event in self.events(kinds=["run_ended"]):
                if event["kind"] == "open":
                    shown = await self._known(sorted(wanted - ended.keys()))
                else:
                    shown = [event["run"]] if event.get("run") else []
                ended |= {r["run_id"]: r for r in shown if r["run_id"] in wanted and is_ended(r)}
                if len(ended) == len(wanted):
                    break
        return [ended[r] for r in run_ids]

    async def wait_closed(self, batch_id: str, timeout: float | None = None) -> None:  # noqa: ASYNC109 as in `wait`
        """Wait until a batch takes no more runs. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            async for event in self.events(kinds=["batch_closed"]):
                if event["kind"] == "open":
                    if not (await self.batch(batch_id))["open"]:
                        return
                elif event["kind"] == "batch_closed" and event["batch_id"] == batch_id:
                    return

    async def _known(self, run_ids: Sequence[str]) -> list[Json]:
        """Show runs, few calls for many of them. Raises NotFoundError if one is unknown."""
        found: dict[str, Json] = {}
        for first in range(0, len(run_ids), SHOWN_AT_ONCE):
            some = run_ids[first : first + SHOWN_AT_ONCE]
            page = await self.runs(run_id=list(some), limit=len(some))
            found |= {run["run_id"]: run for run in page["runs"]}
        if unknown := [r for r in run_ids if r not in found]:
            raise NotFoundError(f"no run {', '.join(unknown[:5])} is known")
        return list(found.values())

    async def close(self) -> None:
        """Release the connections."""
        await self._connection.close()

    async def _json(self, method: str, path: str, body: Any = None, **more: Any) -> Json:
        answer: Json = await self._any(method, path, body, **more)
        return answer

    async def _any(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return (await self._connection.send(method, path, body, **more)).json()


def _key(given: str | None) -> str:
    """Without a key of the caller's, a repeated request has one of our own: no submit is accepted twice."""
    return secrets.token_hex(16) if given is None else checked_key(given)
