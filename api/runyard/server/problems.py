"""Errors as RFC 9457 problem documents: every error a caller can meet, with its HTTP status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.server import places
from runyard.server.paging import Paging
from runyard.server.schemas import BatchIn, CancelIn, ModuleIn, RestartIn, SubmitIn
from runyard_actors.store.errors import StoreFull, StoreTakenOver
from runyard_cluster import errors
from runyard_cluster.errors import (
    AuthenticationError,
    ConcurrencyLimitError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    ResourceLimitError,
    RunyardError,
    UnavailableError,
)

log = logging.getLogger("runyard.server")

#: Seconds a caller should wait before it tries again.
RETRY_AFTER = {429: "1", 503: "2"}

STATUS: Mapping[type[RunyardError], int] = {
    InvalidRequestError: 422,
    ResourceLimitError: 422,
    ConcurrencyLimitError: 429,
    ConflictError: 409,
    NotFoundError: 404,
    AuthenticationError: 401,
    StoreFull: 507,
    StoreTakenOver: 503,
    UnavailableError: 503,
}
#: What a wrong name in a body, or in a query, could have been meant to be.
BODY_FIELDS = sorted({n for m in (SubmitIn, BatchIn, CancelIn, RestartIn, ModuleIn) for n in m.model_fields})
QUERY_FIELDS = sorted(Paging.model_fields)


class ProblemError(BaseModel):
    """One wrong place of a request."""

    message: str
    field: str | None = None
    index: int | None = Field(None, description="the run's place in the batch")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str = Field(examples=["urn:runyard:NotFoundError"])
    title: str
    status: int
    detail: str
    errors: list[ProblemError] = []


def problem(
    status: int,
    name: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the response that tells of one problem. `name` is the error's class in the Python API."""
    patience = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
    body = {
        "type": f"urn:runyard:{name}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": places.bounded(errors),
    }
    return JSONResponse(body, status, {**patience, **(headers or {})}, media_type="application/problem+json")


def of_error(error: RunyardError) -> JSONResponse:
    """Return the problem document of one of our own errors."""
    status = next((STATUS[c] for c in type(error).__mro__ if c in STATUS), 500)
    name = next(c.__name__ for c in type(error).__mro__ if c.__name__ in errors.__all__)
    name = "UnavailableError" if status == 503 else name
    return problem(status, name, error.message, error.details)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document. `app.state.routes` are the routes it answers for."""
    app.add_middleware(Unexpected)

    @app.exception_handler(RunyardError)
    async def ours(request: Request, error: RunyardError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        is_query = bool(found) and found[0]["loc"][:1] == ("query",)
        errors = [places.place(e, QUERY_FIELDS if is_query else BODY_FIELDS) for e in found]
        return problem(422, "InvalidRequestError", places.sentence(errors), errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return _wrong_method(request, error)
        name = "NotFoundError" if error.status_code == HTTPStatus.NOT_FOUND else "InvalidRequestError"
        detail = str(error.detail)
        if detail == HTTPStatus.NOT_FOUND.phrase:
            path = request.url.path[: places.MAX_FIELD]
            detail = f"there is nothing at {path}; /docs lists what there is"
        return problem(error.status_code, name, detail, headers=error.headers)


class Unexpected:
    """ASGI middleware, innermost: what nobody expected becomes a problem document, and a line of the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            answer = problem(500, "RunyardError", "the server met an error of its own; its log says more")
            await answer(scope, receive, send)


def _wrong_method(request: Request, error: HTTPException) -> JSONResponse:
    """Return the answer that names all methods of the path; the router knows those of one route only."""
    path = request.url.path
    routes: Sequence[APIRoute] = request.app.state.routes
    methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    allowed = ", ".join(sorted(methods)) or (error.headers or {}).get("Allow", "")
    detail = f"{request.method[:20]} is not for {path[: places.MAX_FIELD]}, which takes {allowed}"
    return problem(405, "InvalidRequestError", detail, headers={"Allow": allowed})
