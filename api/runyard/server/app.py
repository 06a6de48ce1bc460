"""The web application: routes, errors and the gate put together."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import version

from fastapi import FastAPI

from runyard.server import problems
from runyard.server.context import Context
from runyard.server.problems import Problem
from runyard.server.routes import batches, events, logs, machine, modules, runs
from runyard.server.security import Gate

_PROBLEMS = {
    401: "No token, or a wrong one",
    403: "A page of another origin",
    404: "Nothing of that name",
    409: "It does not fit the current state",
    413: "Too large",
    422: "Invalid",
    429: "All slots are taken",
    503: "Not ready; try again",
}


def create_app(context: Context, hosts: Collection[str]) -> FastAPI:
    """Return the application that serves `context` under the given host names."""
    app = FastAPI(
        title="runyard",
        version=version("runyard"),
        summary="Module runs: submit, watch, cancel, read their logs and history.",
        responses={
            code: {
                "model": Problem,
                "description": text,
                "content": {"application/problem+json": {}},
            }
            for code, text in _PROBLEMS.items()
        },
    )
    app.state.context = context
    problems.install(app)
    for routes in (runs, logs, batches, modules, machine, events):
        app.include_router(routes.router)
    app.add_middleware(Gate, sessions=context.sessions, hosts=hosts)
    return app
