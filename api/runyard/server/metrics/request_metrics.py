"""What HTTP requests cost: how long answers take to begin, and how many live streams are open."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Seconds; a read takes milliseconds, a submission of thousands of runs takes seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
#: Stands for paths without a route, and for requests that the gate refused.
NO_ROUTE = "none"


class RequestMetrics:
    """A histogram by route template, method and status, and the open Server-Sent Event streams."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "runyard_http_request_seconds",
            "Seconds until the answer begins; what a stream takes after that is not counted.",
            ("route", "method", "status"),
            registry=registry,
            buckets=BUCKETS,
        )
        self._streams = Gauge(
            "runyard_event_streams", "Open live streams of events or logs.", ("route",), registry=registry
        )

    def on_answer(self, scope: Scope, status: int, seconds: float) -> None:
        """Count an answer that began `seconds` after its request."""
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._seconds.labels(_route(scope), method, str(status)).observe(seconds)

    def on_stream(self, scope: Scope, by: int) -> None:
        """Count a stream that opened (1) or closed (-1)."""
        self._streams.labels(_route(scope)).inc(by)


class Timing:
    """ASGI middleware that measures every answer, refusals included, so it stands outside the gate."""

    def __init__(self, app: ASGIApp, *, requests: RequestMetrics) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, has_begun, is_stream = time.perf_counter(), False, False

        async def measured(message: Message) -> None:
            nonlocal has_begun, is_stream
            if message["type"] == "http.response.start":
                has_begun, is_stream = True, _is_stream(message)
                self._requests.on_answer(scope, message["status"], time.perf_counter() - began)
                if is_stream:
                    self._requests.on_stream(scope, 1)
            await send(message)

        try:
            await self._app(scope, receive, measured)
        except Exception:
            if not has_begun:
                self._requests.on_answer(scope, 500, time.perf_counter() - began)
            raise
        finally:
            if is_stream:
                self._requests.on_stream(scope, -1)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", NO_ROUTE)


def _is_stream(message: Message) -> bool:
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
