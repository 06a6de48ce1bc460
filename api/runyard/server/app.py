"""The web application: routes, errors and the gate put together."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from runyard.server import metrics, openapi, problems
from runyard.server.context import Context
from runyard.server.routes import (
    batch_logs,
    batch_parts,
    batches,
    docs,
    events,
    logs,
    machine,
    many_logs,
    modules,
    page,
    runs,
    usage,
)
from runyard.server.security import Gate


def create_app(context: Context, hosts: Collection[str]) -> FastAPI:
    """Return the application that serves `context` under the given host names."""
    app = bare_app()
    app.state.context = context
    app.add_middleware(Gate, sessions=context.sessions, hosts=hosts)
    metrics.install(app, context)
    return app


def bare_app() -> FastAPI:
    """Return the application with nothing behind it: what it offers, and the document that says so."""
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
    problems.install(app)
    nouns = (
        runs,
        usage,
        logs,
        many_logs,
        batches,
        batch_parts,
        batch_logs,
        modules,
        machine,
        events,
        docs,
        page,
    )
    routers = [noun.router for noun in nouns]
    for router in routers:
        app.include_router(router)
    app.state.routes = [r for router in routers for r in router.routes if isinstance(r, APIRoute)]
    openapi.install(app)
    return app
