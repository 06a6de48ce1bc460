"""The page at `/docs`: the OpenAPI document for people, by our own script, so that nothing comes from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

_STATIC = Path(__file__).parent.parent / "static"
_KINDS = {"docs.css": "text/css", "docs.js": "text/javascript"}


@router.get("/openapi.json")
async def document(request: Request) -> JSONResponse:
    """Hand out the OpenAPI document; making it takes long enough to do it beside the loop."""
    return JSONResponse(await asyncio.to_thread(request.app.openapi))


@router.get("/docs")
async def page() -> FileResponse:
    """Show what the API offers."""
    return FileResponse(_STATIC / "docs.html", media_type="text/html")


@router.get("/docs/{name}")
async def part(name: str) -> FileResponse:
    """Hand out what the page is made of."""
    if name not in _KINDS:
        raise HTTPException(404)
    return FileResponse(_STATIC / name, media_type=_KINDS[name])
