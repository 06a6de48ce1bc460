"""The web page: the same document at each of its addresses, and its files.

Files under `/assets` carry a digest in their names, so browsers keep them for ever; all else is asked for anew.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

import runyard_dashboards
from runyard.server.problems import problem

router = APIRouter(include_in_schema=False)

_KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ANEW = {"Cache-Control": "no-cache"}


async def view(request: Request) -> Response:
    """Show the page; which of its views, it reads from the address."""
    html = runyard_dashboards.index(request.url.path)
    if html is None:
        return problem(
            503,
            "UnavailableError",
            "the web page was not built; `pip install .` in the source folder builds it, and the API works without",
        )
    return HTMLResponse(html, headers=_ANEW)


for _path in runyard_dashboards.VIEWS:
    router.add_api_route(_path, view, methods=["GET"])


@router.get("/assets/{name}")
async def hashed(name: str) -> Response:
    """Hand out a file that never changes."""
    return _file(f"assets/{name}", _FOR_EVER)


@router.get("/theme.js")
@router.get("/favicon.svg")
async def plain(request: Request) -> Response:
    """Hand out a file that another build may change."""
    return _file(request.url.path[1:], _ANEW)


def _file(name: str, headers: dict[str, str]) -> Response:
    path = runyard_dashboards.asset(name)
    kind = _KINDS.get(path.suffix) if path else None
    if path is None or kind is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=kind, headers=headers)
