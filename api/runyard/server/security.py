"""Who may call: deny by default, in one place, for every route.

The server runs code for whoever holds its token, so a request must come to a name we answer to (against DNS
rebinding), from no foreign page (against cross-site calls), with the token, and not larger than allowed.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.server import body
from runyard.server.locked import locked_page, wants_page
from runyard.server.problems import problem
from runyard.server.sessions import COOKIE, SESSION_SECONDS, Sessions

#: Routes that answer without a token: they say nothing but that the server lives.
PUBLIC = frozenset({"/healthz"})
#: Among the names a server answers to: any address in digits. A page that rebinds a name cannot send one.
ANY_ADDRESS = "*"
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
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
#: Nobody between server and caller may keep what the API says.
_NO_STORE = (b"cache-control", b"no-store")
#: The close code for a WebSocket that is refused; there are none here.
_POLICY_VIOLATION = 1008


class Gate:
    """ASGI middleware that lets through only what may pass."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, hosts: Collection[str]) -> None:
        self._app = app
        self._sessions = sessions
        self._hosts = frozenset(h.lower() for h in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(scope, send))
        else:
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is None:
            try:
                receive = await body.whole(scope, receive)
            except body.ClientGoneError:
                return
            except body.BodyTooLargeError:
                refusal = body.too_large()
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._answers_to(_host_name(host)):
            return problem(421, "InvalidRequestError", "this server does not answer to that host name")
        if not _is_own_origin(headers, host):
            return problem(403, "AuthenticationError", "calls from pages of another origin are refused")
        if login := self._login(scope, headers):
            return login
        if scope["path"] not in PUBLIC and not self._sessions.allows(headers):
            if wants_page(scope, headers):
                return locked_page()
            return problem(
                401,
                "AuthenticationError",
                "send the token of the server's data folder as `Authorization: Bearer TOKEN`",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return body.refusal(scope, headers)

    def _answers_to(self, name: str) -> bool:
        return name in self._hosts or (ANY_ADDRESS in self._hosts and _is_address(name))

    def _login(self, scope: Scope, headers: Headers) -> Response | None:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if scope["method"] != "GET" or "login" not in query:
            return None
        cookie = self._sessions.redeem(query.pop("login"))
        # Who is in already may come by an old link, as out of the browser's history.
        if cookie is None and not self._sessions.allows(headers):
            if wants_page(scope, headers):
                return locked_page()
            return problem(
                401, "AuthenticationError", "this link was used or is old: `runyard open` makes another"
            )
        rest = f"?{urlencode(query)}" if query else ""
        # Relative, so that it stays below a proxy's path; "./" in front, so that it can name no other host.
        response = RedirectResponse("./" + quote(scope["path"].rpartition("/")[2]) + rest, 303)
        if cookie is not None:
            response.set_cookie(
                COOKIE,
                cookie,
                max_age=SESSION_SECONDS,
                httponly=True,
                samesite="strict",
                secure=scope["scheme"] == "https",
            )
        return response


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_own_origin(headers: Headers, host: str) -> bool:
    origin = headers.get("origin")
    if origin is not None and not _is_at(origin, host):
        return False
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")


def _is_at(origin: str, host: str) -> bool:
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _with_headers(scope: Scope, send: Send) -> Send:
    extra = [*_HEADERS, _NO_STORE] if scope["path"].startswith("/api") else _HEADERS

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            names = {name for name, _ in own}
            message["headers"] = own + [(name, value) for name, value in extra if name not in names]
        await send(message)

    return with_headers
