"""One connection to a server: requests and streams that outlive a restart of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from runyard.event_stream import Event, parse
from runyard.request_body import encoded
from runyard_cluster import errors
from runyard_cluster.errors import ConnectionFailedError, InvalidRequestError, RunyardError, UnavailableError
from runyard_cluster.quoted import quoted
from runyard_cluster.server_record import Endpoint

#: A server that restarts is back within this many seconds; until then calls are tried again.
PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 0.25
#: Silence on a stream after which it is taken for dead; the server sends a sign of life every 15 s.
STREAM_SILENCE_SECONDS = 45.0


class Connection:
    """Speaks HTTP to the server that `locate` names; asks again when that one is gone: it may be back elsewhere."""

    def __init__(self, locate: Callable[[], Endpoint]) -> None:
        self._locate = locate
        self.endpoint = locate()
        self._http = self._connection()

    async def close(self) -> None:
        """Release the sockets."""
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> httpx.Response:
        """Send one request, again while the server is away. All our calls may be repeated: submits by key."""
        end = time.monotonic() + PATIENCE_SECONDS
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        content = None if body is None else encoded(body)
        query = {k: v for k, v in (params or {}).items() if v is not None}
        while True:
            try:
                response = await self._http.request(
                    method, path, content=content, params=query, headers=headers
                )
                if response.status_code != 503 or time.monotonic() > end:
                    return checked(response)
            except UnicodeEncodeError as error:
                raise InvalidRequestError(
                    f"{quoted(error.object)} cannot be sent: half a character"
                ) from error
            except httpx.TransportError as error:
                if time.monotonic() > end:
                    raise unanswered(self.endpoint.url, error) from error
            await asyncio.sleep(RETRY_SECONDS)
            await self._find_again()

    async def events(self, path: str, **params: Any) -> AsyncIterator[Event]:
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
                        checked(response)
                    lost_since = None
                    async for event in parse(response):
                        last = event.id or last
                        yield event
                        if event.kind == "end":
                            return
            except (httpx.TransportError, UnavailableError) as error:
                # Patience begins when the connection is lost: a stream may have been quiet for hours before.
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > PATIENCE_SECONDS:
                    raise unanswered(self.endpoint.url, error) from error
            await asyncio.sleep(RETRY_SECONDS)
            await self._find_again()

    async def _find_again(self) -> None:
        try:
            endpoint = await asyncio.to_thread(self._locate)
        except RunyardError:
            return
        if endpoint != self.endpoint:
            self.endpoint = endpoint
            self._http = self._connection()

    def _connection(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.endpoint.url,
            headers={"Authorization": f"Bearer {self.endpoint.token}"},
            timeout=60.0,
            # A program may follow as many logs at once as it likes.
            limits=httpx.Limits(max_connections=None),
            trust_env=False,
        )


def unanswered(url: str, error: Exception) -> ConnectionFailedError:
    """Return what a caller sees once its patience with a server has ended."""
    # A timeout has no words of its own.
    return ConnectionFailedError(
        f"no runyard server answers at {url}: {str(error) or 'there is one, and it is silent'}"
    )


def checked(response: httpx.Response) -> httpx.Response:
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
