"""What a browser sees that is not let in: words for a person, and nothing else."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import Scope

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>runyard</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;
padding:0 1rem}code{background:color-mix(in srgb,currentcolor 10%,transparent);padding:.15em .4em;border-radius:4px}
</style><main><h1>Not signed in</h1><p>This server lets in only who holds its token. On its machine,
<code>runyard open</code> opens this page with a link that works once.</p></main></html>
"""


def wants_page(scope: Scope, headers: Headers) -> bool:
    """Whether a person looks at the answer: a browser that goes to an address outside of the API."""
    is_page = scope["method"] == "GET" and not scope["path"].startswith("/api")
    return is_page and "text/html" in headers.get("accept", "")


def locked_page() -> HTMLResponse:
    """Return the 401 for a person."""
    return HTMLResponse(_PAGE, 401, {"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"})
