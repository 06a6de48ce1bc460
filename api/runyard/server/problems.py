"""Errors as RFC 9457 problem documents: every error a caller can meet, with its HTTP status."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from runyard.server.schemas import BatchIn, CancelIn, RestartIn, SubmitIn
from runyard_actors.store.errors import StoreFull
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
MAX_ERRORS = 100

STATUS: Mapping[type[RunyardError], int] = {
    InvalidRequestError: 422,
    ResourceLimitError: 422,
    ConcurrencyLimitError: 429,
    ConflictError: 409,
    NotFoundError: 404,
    AuthenticationError: 401,
    StoreFull: 507,
    UnavailableError: 503,
}
FIELDS = sorted({name for model in (SubmitIn, BatchIn, CancelIn, RestartIn) for name in model.model_fields})


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
        "errors": [dict(e) for e in errors[:MAX_ERRORS]],
    }
    return JSONResponse(body, status, {**patience, **(headers or {})}, media_type="application/problem+json")


def of_error(error: RunyardError) -> JSONResponse:
    """Return the problem document of one of our own errors."""
    status = next((STATUS[c] for c in type(error).__mro__ if c in STATUS), 500)
    name = next(c.__name__ for c in type(error).__mro__ if c.__name__ in errors.__all__)
    return problem(status, name, error.message, error.details)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    @app.exception_handler(RunyardError)
    async def ours(request: Request, error: RunyardError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [_place(e) for e in error.errors()]
        return problem(422, "InvalidRequestError", _sentence(errors), errors)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        name = {404: "NotFoundError"}.get(error.status_code, "InvalidRequestError")
        return problem(error.status_code, name, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(500, "RunyardError", "the server met an error of its own; its log says more")


def _place(error: Mapping[str, Any]) -> dict[str, Any]:
    path = [p for p in error["loc"] if p not in ("body", "query", "path", "header")]
    index = path[1] if len(path) > 1 and path[0] == "runs" and isinstance(path[1], int) else None
    names = [str(p) for p in (path[2:] if index is not None else path) if not _is_union_tag(p)]
    field = ".".join(names) or None
    found = {"message": _words(error, names), "field": field}
    return found if index is None else found | {"index": index}


def _is_union_tag(part: object) -> bool:
    return isinstance(part, str) and (part in ("int", "float", "str") or "[" in part)


def _words(error: Mapping[str, Any], names: Sequence[str]) -> str:
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(names[-1], FIELDS, 1)
        return "unknown field" + (f"; did you mean {close[0]}?" if close else "")
    return str(error["msg"]).removeprefix("Value error, ")


def _sentence(errors: Iterable[Mapping[str, Any]]) -> str:
    parts = []
    for error in errors:
        where = [f"run {error['index']}"] if "index" in error else []
        parts.append(": ".join([*where, *([error["field"]] if error["field"] else []), error["message"]]))
    more = f" (and {len(parts) - 5} more)" if len(parts) > 5 else ""
    return "; ".join(parts[:5]) + more
