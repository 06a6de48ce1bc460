"""The table of bad input, row by row as docs and acceptance have it: what is wrong, how it is said, what it gets."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bad_input import calls, processes, resources, texts
from tests.bad_input.row import Row

ROWS: Sequence[Row] = (*resources.ROWS, *calls.ROWS, *texts.ROWS, *processes.ROWS)

#: Every number of the list; what is missing between them never was a row.
NUMBERS = frozenset(
    {
        *range(1, 11),
        *range(12, 19),
        *range(20, 24),
        25,
        *range(27, 43),
        *range(44, 47),
        48,
        50,
        *range(52, 56),
    }
    | {*range(57, 62), 63, 64, *range(66, 69), *range(70, 74), *range(75, 81), *range(82, 85), *range(86, 92)}
)
