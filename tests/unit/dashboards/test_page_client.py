"""The page's client is made from the API as it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from runyard.server.document import document

WEB = Path(__file__).parents[3] / "dashboards" / "web"
STALE = "the page's client is stale; make it anew: cd dashboards/web && PYTHON=python3 npm run client"
#: Words for people: another version of the framework may put them differently, and no client is other for it.
WORDS = {"description", "summary", "title", "examples"}


def test_the_client_knows_the_api() -> None:
    written = json.loads((WEB / "openapi.json").read_text("utf-8"))
    assert without_words(written) == without_words(json.loads(json.dumps(document()))), STALE


def test_the_client_is_made_from_the_document() -> None:
    made_from = (WEB / "src" / "client" / "openapi.sha256").read_text("utf-8").strip()
    content = (WEB / "openapi.json").read_bytes().replace(b"\r\n", b"\n")
    assert made_from == hashlib.sha256(content).hexdigest(), STALE


def without_words(value: Any, names_are_fields: bool = False) -> Any:
    """Return the document without its words; among properties, a name is a field's and stays."""
    if isinstance(value, list):
        return [without_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without_words(item, names_are_fields=name == "properties" and not names_are_fields)
        for name, item in value.items()
        if names_are_fields or name not in WORDS
    }
