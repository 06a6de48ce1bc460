"""Requests read strictly: JSON without NaN, twin keys and broken Unicode; parameters that stand once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NoReturn, get_args, get_origin

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

#: From this many bytes on, a body is read in a thread of its own, so that others are answered meanwhile.
LARGE = 64 * 1024
#: Shown of a key or number that is wrong.
_SHOWN = 60
#: Below this, every whole number is a float of its own.
_EXACT = 2**53
#: An escape that may be half of a character. Only such can make text that is no valid Unicode.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class StrictRequest(Request):
    """A request whose JSON is read strictly."""

    async def json(self) -> Any:
        """Return the parsed body. Raises HTTPException."""
        if not hasattr(self, "_json"):
            body = await self.body()
            self._json = parse(body) if len(body) < LARGE else await asyncio.to_thread(parse, body)
        return self._json


class StrictRoute(APIRoute):
    """A route whose bodies are read by StrictRequest, and whose parameters stand once, unless they may repeat."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the strict request in place."""
        handler = super().get_route_handler()
        single = frozenset(_single(self))

        async def strict(request: Request) -> Response:
            _refuse_repeats(request, single)
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _single(route: APIRoute) -> Iterator[str]:
    """Yield the names of query parameters that may not repeat."""
    for parameter in route.dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (name for name, field in kind.model_fields.items() if not _is_list(field.annotation))
        elif not _is_list(kind):
            yield parameter.alias


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list or any(get_origin(each) is list for each in get_args(kind))


def _refuse_repeats(request: Request, single: frozenset[str]) -> None:
    """Which of several values was meant nobody can know. Raises HTTPException."""
    given = request.query_params
    if len(given) == len(given.multi_items()):
        return
    twice = sorted({name for name in given if name in single and len(given.getlist(name)) > 1})
    if twice:
        raise HTTPException(
            422, f"{twice[0][:_SHOWN]}: it stands more than once in the address, and may not repeat"
        )


def parse(body: bytes) -> Any:
    """Return the value of a JSON document. Raises HTTPException: 400, or 422 for values JSON does not know."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"the body is not valid UTF-8 (byte {error.start})") from error
    try:
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_no_twins,
        )
        if _HALF.search(text):
            _refuse_halves(value)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HTTPException(400, f"the body is not valid JSON: {error.msg} ({where})") from error
    except RecursionError as error:
        raise HTTPException(400, "the body is nested too deeply") from error
    except ValueError as error:
        raise HTTPException(422, f"the body holds a value that is not allowed: {error}") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    """Return the number; 5.0 is the whole number 5, as JSON knows no other kind."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:_SHOWN]} is out of range")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _whole(text: str) -> int:
    if len(text) > _SHOWN:
        raise ValueError(f"{text[:_SHOWN]}… is out of range")
    return int(text)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twin = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value] # adds
        raise ValueError(f"the key {twin[:_SHOWN]!r} stands twice")
    return found


def _refuse_halves(value: Any) -> None:
    """Refuse texts with half a character in them, as keys or values: nothing could be written of them."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("an unpaired surrogate; send valid Unicode") from error
