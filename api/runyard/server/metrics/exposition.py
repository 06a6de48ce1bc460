"""The exposition: everything counted and everything read now, in the format the scraper asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from runyard.server.context import Context
from runyard.server.metrics.families import families
from runyard.server.metrics.module_label import ModuleLabels
from runyard.server.metrics.request_metrics import RequestMetrics, Timing
from runyard.server.metrics.run_metrics import KINDS, RunMetrics
from runyard.server.metrics.state import State, StoreState, read_state

router = APIRouter(tags=["machine"])


class Metrics:
    """One server's metrics, on a registry of its own: nothing of other libraries gets in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._registry = CollectorRegistry()
        self._labels = ModuleLabels(context.settings.modules)
        self.runs = RunMetrics(self._registry, self._labels)
        self.requests = RequestMetrics(self._registry)
        ProcessCollector(namespace="runyard_server", registry=self._registry)

    async def expose(self, accept: str) -> tuple[bytes, str]:
        """Return the text and its content type."""
        state = await read_state(self._context)
        if state.store is not None:
            self._prepare(state.store)
        encode, content_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, _Moment(self._registry, self._labels, state)), content_type

    def _prepare(self, store: StoreState) -> None:
        """Give labels to all modules of the store, to those with the most runs first."""
        for module_id in sorted(store.runs, key=lambda m: -sum(store.runs[m].values())):
            self.runs.prepare(module_id)


class _Moment:
    """A registry for one scrape."""

    def __init__(self, registry: CollectorRegistry, labels: ModuleLabels, state: State) -> None:
        self._registry = registry
        self._labels = labels
        self._state = state

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            # When a counter was made helps nobody here, and as text each would be a series of its own.
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
        yield from families(self._state, self._labels)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Show metrics in Prometheus' text format, or as OpenMetrics when asked for."""
    shown: Metrics = request.app.state.metrics
    text, content_type = await shown.expose(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type, "Cache-Control": "no-store"})


def install(app: FastAPI, context: Context) -> None:
    """Serve the metrics of `app`. To see what the gate refuses too, this comes after the gate."""
    made = Metrics(context)
    app.state.metrics = made
    context.hub.tell(made.runs.on_event, KINDS)
    app.include_router(router)
    app.add_middleware(Timing, requests=made.requests)
