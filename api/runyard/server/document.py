"""`python -m runyard.server.document` prints the OpenAPI document, from which the page's client is made."""

from __future__ import annotations

import json
import sys
from typing import Any

from runyard.server.app import bare_app


def document() -> dict[str, Any]:
    """Return the document without the version, so that a release alone makes no client stale."""
    found = bare_app().openapi()
    return {**found, "info": {**found["info"], "version": "0"}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
