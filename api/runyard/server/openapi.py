"""The OpenAPI document, made true: what each call can answer, errors included, and what it wants to see first."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from runyard.server.problems import Problem
from runyard.server.security import PUBLIC
from runyard.server.sessions import COOKIE

_REF = "#/components/schemas/{model}"
#: Why a call can fail, whichever it is.
_ALWAYS = {
    401: "No token, or a wrong one",
    403: "A page of another origin",
    421: "A host name that the server does not answer to",
    500: "An error of the server's own",
    503: "Not ready; try again",
}
_WITH_INPUT = {422: "Invalid; `errors` tells each wrong place"}
_WITH_NAME = {404: "Nothing of that name"}
_WITH_BODY = {
    400: "Not JSON",
    409: "It does not fit the current state",
    413: "Too large",
    415: "Not `application/json`, or compressed",
}
_SUBMITTING = {
    429: "All slots are taken and `when_full` is `reject`",
    507: "The disk with the database is full",
}
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_EVENTS = {"text/event-stream": {"schema": {"type": "string"}}}
#: Answers that are no JSON, by the end of their path.
_OTHER_CONTENT = {"/log": _TEXT, "/log/stream": _EVENTS, "/logs/stream": _EVENTS, "/events": _EVENTS}
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "the token in the file `token` of the server's data folder",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "what a browser gets from a login link; lasts over restarts",
    },
}


def operation_id(route: APIRoute) -> str:
    """Return a name for the call that no other has, as "runs_submit"."""
    return f"{route.tags[0]}_{route.name}" if route.tags else route.name


def install(app: FastAPI) -> None:
    """Have `app` hand out the document; it is made when first asked for."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way to replace it


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    _, problem = models_json_schema([(Problem, "serialization")], ref_template=_REF)
    schemas |= problem["$defs"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    for path, method, operation in _operations(document):
        if path in PUBLIC:
            operation["security"] = []
        _describe_content(path, operation)
        operation["responses"] |= _errors(path, method, operation)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _describe_content(path: str, operation: dict[str, Any]) -> None:
    """Say what an answer that is no JSON is, and that what a route tells of its errors is a problem document."""
    content = next((c for end, c in _OTHER_CONTENT.items() if path.endswith(end)), None)
    for status, answer in operation["responses"].items():
        if status >= "4":
            answer |= _problem(int(status), answer["description"])
        elif content and status != "204":
            answer["content"] = content


def _errors(path: str, method: str, operation: dict[str, Any]) -> dict[str, Any]:
    codes = dict(_ALWAYS)
    if "requestBody" in operation or "parameters" in operation:
        codes |= _WITH_INPUT
    if "{" in path or path == "/api/runs":
        codes |= _WITH_NAME
    if method in ("post", "put", "patch", "delete"):
        codes |= _WITH_BODY
    if method in ("post", "put", "patch", "delete") and path.startswith("/api"):
        codes |= _SUBMITTING
    return {str(code): _problem(code, text) for code, text in sorted(codes.items())}


def _problem(code: int, text: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=Problem.__name__)}
    answer: dict[str, Any] = {
        "description": text,
        "content": {"application/problem+json": {"schema": schema}},
    }
    if code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        seconds = {"description": "seconds to wait", "schema": {"type": "string"}}
        answer["headers"] = {"Retry-After": seconds}
    return answer
