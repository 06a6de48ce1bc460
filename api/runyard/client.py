"""The REST API from Python: `AsyncClient` speaks it, `Client` is the same for code without an event loop."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from runyard.background import Background
from runyard.ended import is_ended
from runyard_cluster import errors
from runyard_cluster.errors import ConnectionFailedError, RunyardError, UnavailableError
from runyard_cluster.server_record import Endpoint

Json = dict[str, Any]

#: A server that restarts is back within this many seconds; until then calls are tried again.
PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.25
#: Silence on a stream after which it is taken for dead; the server sends a sign of life every 15 s.
STREAM_SILENCE_SECONDS = 45.0
LOG_BLOCK = 1 << 20


class AsyncClient:
    """Every call of the REST API. `locate` is asked again when a server is gone: it may be back elsewhere."""

    def __init__(self, locate: Callable[[], Endpoint]) -> None:
        self._locate = locate
        self._endpoint = locate()
        self._http = self._connection()

    @property
    def is_embedded(self) -> bool:
        """Whether the server was started on demand and leaves by itself."""
        return self._endpoint.is_embedded

    @property
    def url(self) -> str:
        """The server's address."""
        return self._endpoint.url

    async def submit(self, run: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit one run; return it as JSON."""
        return await self._json("POST", "/api/runs", run, key=idempotency_key or _new_key())

    async def submit_batch(self, batch: Mapping[str, Any], idempotency_key: str | None = None) -> Json:
        """Submit a batch `{"runs": [...], ...}`; return it with the ids of its runs in order."""
        return await self._json("POST", "/api/batches", batch, key=idempotency_key or _new_key())

    async def run(self, run_id: str) -> Json:
        """Show one run."""
        return await self._json("GET", f"/api/runs/{run_id}")

    async def runs(self, **filters: Any) -> Json:
        """List runs; the filters are those of `GET /api/runs`."""
        return await self._json("GET", "/api/runs", params=filters)

    async def attempts(self, run_id: str) -> list[Json]:
        """List the attempts of a run."""
        found: list[Json] = await self._any("GET", f"/api/runs/{run_id}/attempts")
        return found

    async def cancel(self, run_id: str, reason: str | None = None) -> Json:
        """Cancel a run."""
        return await self._json("POST", f"/api/runs/{run_id}/cancel", {"reason": reason} if reason else {})

    async def restart(self, run_id: str, edits: Mapping[str, Any] | None = None) -> Json:
        """Submit a run again as a new one."""
        return await self._json("POST", f"/api/runs/{run_id}/restart", edits or {})

    async def batch(self, batch_id: str) -> Json:
        """Show one batch with its counts."""
        return await self._json("GET", f"/api/batches/{batch_id}")

    async def batches(self, limit: int = 50, offset: int = 0) -> Json:
        """List batches, newest first."""
        return await self._json("GET", "/api/batches", params={"limit": limit, "offset": offset})

    async def cancel_batch(self, batch_id: str, reason: str | None = None) -> Json:
        """Cancel what is left of a batch."""
        body = {"reason": reason} if reason else {}
        return await self._json("POST", f"/api/batches/{batch_id}/cancel", body)

    async def retry_failed(self, batch_id: str) -> Json:
        """Submit the failed runs of a batch again."""
        return await self._json("POST", f"/api/batches/{batch_id}/retry-failed", {})

    async def pause(self) -> Json:
        """Start no new runs."""
        return await self._json("POST", "/api/pause", {})

    async def resume(self) -> Json:
        """Start runs again."""
        return await self._json("POST", "/api/resume", {})

    async def modules(self) -> Json:
        """List the module registry."""
        return await self._json("GET", "/api/modules")

    async def resources(self) -> Json:
        """Show nodes and semaphore."""
        return await self._json("GET", "/api/resources")

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
        return (await self._send("GET", f"/api/runs/{run_id}/log", params=params)).content

    async def log_lines(
        self, run_id: str, first: int = 1, last: int | None = None, *, attempt: int | None = None
    ) -> Json:
        """Return lines of a run's log by their numbers: `lines`, and `total`, how many it has now."""
        params = {"first": first, "last": last, "attempt": attempt}
        return await self._json("GET", f"/api/runs/{run_id}/log/lines", params=params)

    async def search_log(self, run_id: str, text: str, **how: Any) -> Json:
        """Search a run's whole log. `how`: `regex`, `ignore_case`, `limit`, `offset`, `attempt`, as REST has them."""
        return await self._json("GET", f"/api/runs/{run_id}/log/search", params={"q": text, **how})

    async def follow_log(
        self, run_id: str, attempt: int | None = None, offset: int = 0
    ) -> AsyncIterator[bytes]:
        """Yield the log from `offset` on, byte-exact, until the run has ended."""
        async for event in self._events(f"/api/runs/{run_id}/log/stream", attempt=attempt, offset=offset):
            if event.kind == "end":
                return
            if event.kind == "log":
                yield event.log_bytes()

    async def events(self, since: int | None = None) -> AsyncIterator[Json]:
        """Yield every state change, for ever, resuming where a lost connection left off."""
        async for event in self._events("/api/events", since=since):
            yield event.json()

    async def wait(self, run_ids: Sequence[str], timeout: float | None = None) -> list[Json]:  # noqa: ASYNC109 the public name
        """Wait until all runs have ended; return them in order. Raises TimeoutError."""
        ended: dict[str, Json] = {}
        wanted = set(run_ids)
        async with asyncio.timeout(timeout):
            async for event in self.events():
                if event["kind"] == "open":
                    shown = [await self.run(r) for r in wanted - ended.keys()]
                else:
                    shown = [event["run"]] if event.get("run") else []
                ended |= {r["run_id"]: r for r in shown if r["run_id"] in wanted and is_ended(r)}
                if len(ended) == len(wanted):
                    break
        return [ended[r] for r in run_ids]

    async def close(self) -> None:
        """Release the connections."""
        await self._http.aclose()

    async def _json(self, method: str, path: str, body: Any = None, **more: Any) -> Json:
        answer: Json = await self._any(method, path, body, **more)
        return answer

    async def _any(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return (await self._send(method, path, body, **more)).json()

    async def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Send one request, again while the server is away. All our calls may be repeated: submits by key."""
        end = time.monotonic() + PATIENCE_SECONDS
        headers = {"Idempotency-Key": key} if key else {}
        query = {k: v for k, v in (params or {}).items() if v is not None}
        while True:
            try:
                response = await self._http.request(method, path, json=body, params=query, headers=headers)
                if response.status_code != 503 or time.monotonic() > end:
                    return _checked(response)
            except httpx.TransportError as error:
                if time.monotonic() > end:
                    raise ConnectionFailedError(
                        f"no runyard server answers at {self.url}: {error}"
                    ) from error
            await asyncio.sleep(RETRY_SECONDS)
            await self._find_again()

    async def _events(self, path: str, **params: Any) -> AsyncIterator[_Event]:
        last: str | None = None
        lost_since: float | None = None
        query = {k: v for k, v in params.items() if v is not None}
        while True:
            try:
                headers = {"Last-Event-ID": last} if last else {}
                timeout = httpx.Timeout(10.0, read=STREAM_SILENCE_SECONDS)
                async with self._http.stream(
                    "GET", path, params=query, headers=headers, timeout=timeout
                ) as response:
                    if response.status_code != 200:
                        await response.aread()
                        _checked(response)
                    lost_since = None
                    async for event in _parse(response):
                        last = event.id or last
                        yield event
                        if event.kind == "end":
                            return
            except (httpx.TransportError, UnavailableError) as error:
                # Patience begins when the connection is lost: a stream may have been quiet for hours before.
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > PATIENCE_SECONDS:
                    raise ConnectionFailedError(
                        f"no runyard server answers at {self.url}: {error}"
                    ) from error
            await asyncio.sleep(RETRY_SECONDS)
            await self._find_again()

    async def _find_again(self) -> None:
        try:
            endpoint = await asyncio.to_thread(self._locate)
        except RunyardError:
            return
        if endpoint != self._endpoint:
            self._endpoint = endpoint
            self._http = self._connection()

    def _connection(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._endpoint.url,
            headers={"Authorization": f"Bearer {self._endpoint.token}"},
            timeout=60.0,
            trust_env=False,
        )


class Client:
    """`AsyncClient` for code without an event loop: the same calls, each waited for."""

    def __init__(self, locate: Callable[[], Endpoint]) -> None:
        self._background = Background.shared()
        self._async = self._background.call(_made(locate))

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

    def run(self, run_id: str) -> Json:
        """Show one run."""
        return self._background.call(self._async.run(run_id))

    def runs(self, **filters: Any) -> Json:
        """List runs; the filters are those of `GET /api/runs`."""
        return self._background.call(self._async.runs(**filters))

    def attempts(self, run_id: str) -> list[Json]:
        """List the attempts of a run."""
        return self._background.call(self._async.attempts(run_id))

    def cancel(self, run_id: str, reason: str | None = None) -> Json:
        """Cancel a run."""
        return self._background.call(self._async.cancel(run_id, reason))

    def restart(self, run_id: str, edits: Mapping[str, Any] | None = None) -> Json:
        """Submit a run again as a new one."""
        return self._background.call(self._async.restart(run_id, edits))

    def batch(self, batch_id: str) -> Json:
        """Show one batch with its counts."""
        return self._background.call(self._async.batch(batch_id))

    def batches(self, limit: int = 50, offset: int = 0) -> Json:
        """List batches, newest first."""
        return self._background.call(self._async.batches(limit, offset))

    def cancel_batch(self, batch_id: str, reason: str | None = None) -> Json:
        """Cancel what is left of a batch."""
        return self._background.call(self._async.cancel_batch(batch_id, reason))

    def retry_failed(self, batch_id: str) -> Json:
        """Submit the failed runs of a batch again."""
        return self._background.call(self._async.retry_failed(batch_id))

    def pause(self) -> Json:
        """Start no new runs."""
        return self._background.call(self._async.pause())

    def resume(self) -> Json:
        """Start runs again."""
        return self._background.call(self._async.resume())

    def modules(self) -> Json:
        """List the module registry."""
        return self._background.call(self._async.modules())

    def resources(self) -> Json:
        """Show nodes and semaphore."""
        return self._background.call(self._async.resources())

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

    @property
    def asynchronous(self) -> AsyncClient:
        """The client that does the work, on the background loop."""
        return self._async

    def follow_log(self, run_id: str, attempt: int | None = None, offset: int = 0) -> Iterator[bytes]:
        """Yield the log from `offset` on, byte-exact, until the run has ended."""
        return self._background.iterate(self._async.follow_log(run_id, attempt, offset))

    def events(self, since: int | None = None) -> Iterator[Json]:
        """Yield every state change, for ever."""
        return self._background.iterate(self._async.events(since))

    def close(self) -> None:
        """Release the connections."""
        self._background.call(self._async.close())


async def _made(locate: Callable[[], Endpoint]) -> AsyncClient:
    return AsyncClient(locate)


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    data: str
    id: str | None

    def json(self) -> Json:
        found: Json = json.loads(self.data)
        return found

    def log_bytes(self) -> bytes:
        data = self.json()
        return base64.b64decode(data["base64"]) if "base64" in data else str(data["text"]).encode()


async def _parse(response: httpx.Response) -> AsyncIterator[_Event]:
    kind, number = "message", None
    data: list[str] = []
    async for line in _lines(response):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield _Event(kind, "\n".join(data), number)
            kind, data = "message", []
        elif name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            number = value


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    """Split at line feeds only: httpx would split at every character that Unicode calls a line's end."""
    rest = b""
    async for block in response.aiter_bytes():
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.decode("utf-8")


def _checked(response: httpx.Response) -> httpx.Response:
    """Return the response, or raise the error that its problem document names."""
    if response.is_success:
        return response
    try:
        problem = response.json()
        name = str(problem["type"]).rpartition(":")[2]
        detail, details = str(problem["detail"]), problem.get("errors", ())
    except (ValueError, KeyError, TypeError):
        name, detail, details = "RunyardError", f"the server answered {response.status_code}", ()
    kind = getattr(errors, name, RunyardError) if name in errors.__all__ else RunyardError
    raise kind(detail, details)


def _new_key() -> str:
    return secrets.token_hex(16)
