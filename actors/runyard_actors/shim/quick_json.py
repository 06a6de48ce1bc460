"""JSON by the C half of the standard library's `json` alone.

The Python half brings `re` and `enum`, which cost a shim as much CPU as all the rest of it. Where the C half is
missing, or takes other arguments than it has since Python 3.4, the whole of `json` does the same.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Parser:
    """What the C scanner wants to know, as `json.JSONDecoder` sets it by default."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _c_half() -> tuple[Callable[[str], Any], Callable[[object], str]]:
    from _json import encode_basestring_ascii, make_encoder, make_scanner

    scan = make_scanner(_Parser())  # type: ignore[arg-type] # any object with these attributes does
    encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False)

    def loads(text: str) -> Any:
        """Return the value of a JSON text. Raises ValueError for anything else."""
        try:
            value, end = scan(text, 0)
        except StopIteration as error:
            raise ValueError("no JSON") from error
        if end != len(text):
            raise ValueError("more than JSON")
        return value

    def dumps(value: object) -> str:
        """Return a value as JSON."""
        return "".join(encode(value, 0))

    dumps({"works": [1.5, None]})
    return loads, dumps


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _whole() -> tuple[Callable[[str], Any], Callable[[object], str]]:
    import json

    return json.loads, json.dumps


try:
    loads, dumps = _c_half()
except (ImportError, TypeError):
    loads, dumps = _whole()
