"""The built page: its index for any depth of address, and its files by name."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
#: The addresses that show the page; web/src/router.ts knows the same.
VIEWS = (
    "/",
    "/runs",
    "/runs/{run_id}",
    "/batches",
    "/batches/{batch_id}",
    "/monitor",
    "/compare",
    "/modules",
    "/machine",
)
#: No name that leads out of the folder matches, and no hidden file.
_NAME = re.compile(r"(assets/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
_BASE = b'<base href="./" />'


def index(path: str) -> bytes | None:
    """Return the HTML for the page at `path`, or None when the page was not built.

    Its base is the root of the page as seen from `path`, so below a proxy's sub-path everything is found too.
    """
    html = _html(_modified(STATIC / "index.html"))
    if html is None:
        return None
    up = "../" * (path.count("/") - 1) or "./"
    return html.replace(_BASE, f'<base href="{up}" />'.encode(), 1)


def asset(name: str) -> Path | None:
    """Return where the file called `name` lies, as "theme.js" or "assets/index-1a2b.js"; None if there is none."""
    if not _NAME.fullmatch(name):
        return None
    path = STATIC / name
    return path if path.is_file() else None


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _html(modified: int) -> bytes | None:
    """Read the index; again only when it was built anew."""
    return (STATIC / "index.html").read_bytes() if modified else None
