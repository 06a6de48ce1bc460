"""Who may call: deny by default, in one place, for every route.

The server runs code for whoever holds its token, so a request must come to a name we answer to (against DNS
rebinding), from no foreign page (against cross-site calls), with the token, and not larger than allowed.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.server.problems import problem

#: Routes that answer without a token: they say nothing but that the server lives.
PUBLIC = frozenset({"/healthz"})
COOKIE = "runyard"
#: A login link works once and for this many seconds.
LINK_SECONDS = 600.0
MAX_BODY = 16 * 1024 * 1024
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Sessions:
    """The token, the one-time login links made from it, and the browser sessions that came of them."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._links: dict[str, float] = {}
        self._cookies: set[str] = set()

    def new_link_secret(self) -> str:
        """Return the secret of a login link that works once."""
        now = time.monotonic()
        self._links = {s: end for s, end in self._links.items() if end > now}
        secret = secrets.token_urlsafe(24)
        self._links[secret] = now + LINK_SECONDS
        return secret

    def redeem(self, secret: str) -> str | None:
        """Return a new session's cookie for a link's secret, or None when it is used up or old."""
        if self._links.pop(secret, 0.0) < time.monotonic():
            return None
        cookie = secrets.token_urlsafe(32)
        self._cookies.add(cookie)
        return cookie

    def allows(self, headers: Headers) -> bool:
        """Whether the request carries the token or a session's cookie."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token.encode())
        return _cookie(headers) in self._cookies


class Gate:
    """ASGI middleware that lets through only what may pass."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, hosts: Collection[str]) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = frozenset(h.lower() for h in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if _host_name(host) not in self._hosts:
            return problem(421, "InvalidRequestError", "this server does not answer to that host name")
        if not _is_own_origin(headers, host):
            return problem(403, "AuthenticationError", "calls from pages of another origin are refused")
        if login := self._login(scope):
            return login
        if scope["path"] not in PUBLIC and not self._sessions.allows(headers):
            return problem(
                401,
                "AuthenticationError",
                "send the token of the server's data folder as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return _body_refusal(scope, headers)

    def _login(self, scope: Scope) -> Response | None:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["method"] != "GET" or "login" not in query:
            return None
        cookie = self._sessions.redeem(query.pop("login"))
        if cookie is None:
            return problem(
                401, "AuthenticationError", "this link was used or is old: `runyard open` makes another"
            )
        rest = f"?{urlencode(query)}" if query else ""
        response = RedirectResponse((scope["path"] or "/") + rest, 303)
        response.set_cookie(
            COOKIE, cookie, httponly=True, samesite="strict", secure=scope["scheme"] == "https"
        )
        return response


def _cookie(headers: Headers) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_own_origin(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _body_refusal(scope: Scope, headers: Mapping[str, str]) -> Response | None:
    if scope["method"] not in BODY_METHODS:
        return None
    length = headers.get("content-length")
    has_body = length not in (None, "0") or "transfer-encoding" in headers
    if headers.get("content-encoding", "identity") != "identity":
        return problem(415, "InvalidRequestError", "compressed bodies are not taken")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and kind != "application/json":
        return problem(415, "InvalidRequestError", "send JSON, with Content-Type: application/json")
    if length is not None and (not length.isdecimal() or int(length) > MAX_BODY):
        return _too_large()
    return None


class BodyTooLargeError(Exception):
    """A chunked body passed the limit."""


def _too_large() -> Response:
    return problem(413, "InvalidRequestError", f"a body may have at most {MAX_BODY // 2**20} MiB")


def _limited(receive: Receive) -> Receive:
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise BodyTooLargeError
        return message

    return limited


def _with_headers(send: Send) -> Send:
    extra = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *extra]
        await send(message)

    return with_headers
