"""The web application: routes, errors and the gate put together."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from runyard.server import metrics, openapi, problems
from runyard.server.context import Context
from runyard.server.routes import batches, docs, events, logs, machine, many_logs, modules, runs
from runyard.server.security import Gate


def create_app(context: Context, hosts: Collection[str]) -> FastAPI:
    """Return the application that serves `context` under the given host names."""
    app = FastAPI(
        title="runyard",
        version=version("runyard"),
        summary="Module runs: submit, watch, cancel, read their logs and history.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,
    )
    app.state.context = context
    problems.install(app)
    routers = [nouns.router for nouns in (runs, logs, many_logs, batches, modules, machine, events, docs)]
    for router in routers:
        app.include_router(router)
    app.state.routes = [r for router in routers for r in router.routes if isinstance(r, APIRoute)]
    app.add_middleware(Gate, sessions=context.sessions, hosts=hosts)
    metrics.install(app, context)
    openapi.install(app)
    return app
