"""`expand`: a grid of parameters as points, or as runs to submit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runyard.batch_file import MAX_ROWS
from runyard.grid import axes_of, multiply, points_of
from runyard.module import ModuleLike, body_of
from runyard_cluster.errors import InvalidRequestError


def expand(grid: Mapping[str, Any], *modules: ModuleLike) -> list[dict[str, Any]]:
    """Return every combination of a grid's values; with modules, these with the values in place of `{name}`.

    A grid names lists of values, which are multiplied, and tables of lists, which change together. A module becomes as
    many runs as there are combinations of the parameters that it uses; `submit_batch` takes them. Raises
    InvalidRequestError.
    """
    try:
        axes = axes_of(grid)
        if not modules:
            return points_of(axes, MAX_ROWS)
        return [run for _, run in multiply([body_of(module) for module in modules], axes, MAX_ROWS)]
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error
