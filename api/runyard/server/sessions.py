"""Who is known: the token, the one-time login links made from it, and the browser sessions that came of them.

All but the token lives in memory: a server that starts anew knows no links and no sessions of the one before.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

COOKIE = "runyard"
#: A login link works once and for this many seconds.
LINK_SECONDS = 600.0
#: A browser session lasts this many seconds.
SESSION_SECONDS = 30 * 86_400.0
#: Sessions kept; the oldest goes when another comes.
MAX_SESSIONS = 1_000


class Sessions:
    """What a caller can show to be let in. Secrets are kept as digests, so looking one up tells nothing of it."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._links: dict[bytes, float] = {}
        self._sessions: dict[bytes, float] = {}

    def new_link_secret(self) -> str:
        """Return the secret of a login link that works once."""
        self._links = _unexpired(self._links)
        secret = secrets.token_urlsafe(24)
        self._links[_digest(secret)] = time.monotonic() + LINK_SECONDS
        return secret

    def redeem(self, secret: str) -> str | None:
        """Return a new session's cookie for a link's secret, or None when it is used up or old."""
        if self._links.pop(_digest(secret), 0.0) < time.monotonic():
            return None
        kept = list(_unexpired(self._sessions).items())[-MAX_SESSIONS + 1 :]
        cookie = secrets.token_urlsafe(32)
        self._sessions = {**dict(kept), _digest(cookie): time.monotonic() + SESSION_SECONDS}
        return cookie

    def allows(self, headers: Headers) -> bool:
        """Whether the request carries the token or a session's cookie."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token)
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE)
        return cookie is not None and self._sessions.get(_digest(cookie), 0.0) > time.monotonic()


def _unexpired(secrets_until: dict[bytes, float]) -> dict[bytes, float]:
    now = time.monotonic()
    return {secret: end for secret, end in secrets_until.items() if end > now}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
