"""Request bodies as they come off the wire: JSON only, not compressed, and never more than the limit."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from runyard.server.problems import problem

#: Bytes a body may have.
MAX_BODY = 16 * 1024 * 1024
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class BodyTooLargeError(Exception):
    """A body passed the limit."""


class ClientGoneError(Exception):
    """The caller left before its body was complete."""


def refusal(scope: Scope, headers: Mapping[str, str]) -> Response | None:
    """Return why a body is not even read, or None."""
    if scope["method"] not in BODY_METHODS:
        return None
    length = headers.get("content-length")
    has_body = length not in (None, "0") or "transfer-encoding" in headers
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        return problem(415, "InvalidRequestError", "compressed bodies are not taken")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and kind != "application/json":
        return problem(415, "InvalidRequestError", "send JSON, with Content-Type: application/json")
    if length is not None and (not length.isdecimal() or int(length[:20]) > MAX_BODY):
        return too_large()
    return None


def too_large() -> Response:
    """Return the answer to a body that passed the limit."""
    return problem(413, "InvalidRequestError", f"a body may have at most {MAX_BODY // 2**20} MiB")


async def whole(scope: Scope, receive: Receive) -> Receive:
    """Read the body, however it is sent, and return what hands it on in one piece.

    Routes never see a part of a body, so the limit holds for all of them.
    Raises BodyTooLargeError, and ClientGoneError when the caller left.
    """
    if scope["method"] not in BODY_METHODS:
        return receive
    parts: list[bytes] = []
    size, is_complete = 0, False
    while not is_complete:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise BodyTooLargeError
        is_complete = not message.get("more_body", False)
    return _replayed(b"".join(parts), receive)


def _replayed(body: bytes, receive: Receive) -> Receive:
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
