"""The web application: routes, errors and the gate put together."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI

from runyard.server import metrics, openapi, problems
from runyard.server.context import Context
from runyard.server.routes import batches, docs, events, logs, machine, modules, runs
from runyard.server.security import Gate


def create_app(context: Context, hosts: Collection[str]) -> FastAPI:
    """Return the application that serves `context` under the given host names."""
    app = FastAPI(
        title="runyard",
        version=version("runyard"),
        summary="Module runs: submit, watch, cancel, read their logs and history.",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,
    )
    app.state.context = context
    problems.install(app)
    for routes in (runs, logs, batches, modules, machine, events, docs):
        app.include_router(routes.router)
    app.add_middleware(Gate, sessions=context.sessions, hosts=hosts)
    metrics.install(app, context)
    openapi.install(app)
    return app
