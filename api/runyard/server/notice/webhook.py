"""Webhook: one POST of JSON, signed if there is a secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from runyard.server.notice.failure import NotToldError
from runyard.server.notice.pending import Notice

if TYPE_CHECKING:
    import httpx

#: How long an answer may take, in seconds.
ANSWER_SECONDS = 10.0
#: Refusals that may be another tomorrow: too early, too slow, too many.
_PASSING = frozenset({408, 425, 429})


async def call_webhook(client: httpx.AsyncClient, notice: Notice, secret: str | None) -> None:
    """Send the message. Raises NotToldError for any answer but a 2xx, and for none."""
    import httpx

    body = json.dumps({"delivery": notice.id, **notice.message}, ensure_ascii=False).encode(
        "utf-8", "replace"
    )
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "runyard",
        "X-Runyard-Event": str(notice.message["event"]),
        "X-Runyard-Delivery": notice.id,
    }
    if secret:
        headers["X-Runyard-Signature"] = signature(secret, body)
    try:
        answer = await client.post(notice.target.words[0], content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotToldError(f"no answer ({type(error).__name__})") from error
    if not answer.is_success:
        is_final = 300 <= answer.status_code < 500 and answer.status_code not in _PASSING
        raise NotToldError(f"it answered {answer.status_code}", is_final=is_final)


def signature(secret: str, body: bytes) -> str:
    """Return what proves that a body comes from who knows the secret: HMAC-SHA256, as GitHub writes it."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
