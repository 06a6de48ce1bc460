"""What goes into a request beside its body: addresses, tokens and keys, checked before anything is sent."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from runyard_cluster.errors import AuthenticationError, InvalidRequestError
from runyard_cluster.quoted import quoted

#: Characters that the server takes as a key.
MAX_KEY = 255
_LARGEST_PORT = 65_535


def part(name: object) -> str:
    """Return an id as one part of a path, whatever it holds: it names nothing but what has that id."""
    text = quote(str(name), safe="", errors="surrogatepass")
    # Parts of dots alone are folders to whoever tidies an address up.
    return text.replace(".", "%2E") if text.strip(".") == "" else text


def checked_url(url: str) -> str:
    """Return a server's address. Raises InvalidRequestError for what can be none."""
    problem = f'{quoted(url)} is no address of a server; allowed: "http://HOST:PORT", or https'
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidRequestError(f"{problem} ({error})") from error
    is_plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise InvalidRequestError(problem)
    if port is not None and not 1 <= port <= _LARGEST_PORT:
        raise InvalidRequestError(problem)
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Return a token. Raises AuthenticationError for one that cannot be sent; it is not repeated."""
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise AuthenticationError("the token holds characters that no token has; was it copied whole?")
    return token


def checked_key(key: str) -> str:
    """Return an Idempotency-Key. Raises InvalidRequestError for one that cannot be sent."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidRequestError(
            f"idempotency_key: {quoted(key)} is no key; allowed: 1 to {MAX_KEY} printable ASCII characters"
        )
    return key
