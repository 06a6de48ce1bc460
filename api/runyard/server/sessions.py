"""Who is known: the token, the one-time login links made from it, and the browser sessions that came of them.

Links live in memory: a server that starts anew knows none of the one before. A session is a date and its seal, made
with the token: it lasts over restarts of the server, and ends for all browsers when the token is another one.
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
SESSION_SECONDS = 30 * 86_400
#: Longer dates than this are none of ours.
_MOST_DIGITS = 12


class Sessions:
    """What a caller can show to be let in. Links are kept as digests, so looking one up tells nothing of it."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._links: dict[bytes, float] = {}

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
        words = f"{int(time.time()) + SESSION_SECONDS}.{secrets.token_urlsafe(16)}"
        return f"{words}.{self._seal(words)}"

    def allows(self, headers: Headers) -> bool:
        """Whether the request carries the token or a session's cookie."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token)
        return self._is_session(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))

    def _is_session(self, cookie: str) -> bool:
        words, _, seal = cookie.rpartition(".")
        if not hmac.compare_digest(seal.encode("utf-8", "surrogatepass"), self._seal(words).encode()):
            return False
        until = words.partition(".")[0]
        return until.isdecimal() and len(until) <= _MOST_DIGITS and int(until) > time.time()

    def _seal(self, words: str) -> str:
        """Return what only who has the token can make of the words."""
        text = b"runyard session " + words.encode("utf-8", "surrogatepass")
        return hmac.new(self._token, text, hashlib.sha256).hexdigest()


def _unexpired(secrets_until: dict[bytes, float]) -> dict[bytes, float]:
    now = time.monotonic()
    return {secret: end for secret, end in secrets_until.items() if end > now}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
