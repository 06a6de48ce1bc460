"""Neighbourhood: a code for requests, by which those that ask for nearly the same lie side by side."""

from __future__ import annotations

from math import log2
from typing import Final

from runyard_actors.request import Request

#: Compared element by element.
Code = tuple[int, ...]

#: How many levels an amount passes while it doubles.
LEVELS: Final = 16

#: The bits of a number below 1024, each followed by an empty one.
_SPREAD: Final = [sum((n >> i & 1) << 2 * i for i in range(10)) for n in range(1024)]


def neighbourhood(request: Request) -> Code:
    """Return the code: by GPUs first, then along a curve that keeps close in CPU and in memory what is close there."""
    curve = _SPREAD[_level(request.cpu_milli)] | _SPREAD[_level(request.memory_bytes)] << 1
    gpu = (request.whole_gpus, _level(request.gpu_memory_bytes), request.gpu_milli)
    return (*gpu, curve, request.memory_bytes, request.cpu_milli)


def _level(amount: int) -> int:
    return min(1023, int(LEVELS * log2(1 + amount)))
