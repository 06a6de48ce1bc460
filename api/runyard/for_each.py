"""A command for each row of a file of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runyard.batch_file import MAX_ROWS, BatchFile, checked_runs
from runyard.grid import multiply
from runyard.parameters import read_parameters
from runyard_cluster.errors import InvalidRequestError


def read_for_each(path: Path, command: Sequence[str]) -> BatchFile:
    """Return a batch that runs the command, in the folder of now, once for each row. Raises InvalidRequestError."""
    axis = read_parameters(path)
    try:
        rows = [values for _, values in multiply([{"command": list(command)}], [axis], MAX_ROWS)]
    except ValueError as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    places = [f"row {number}" for number in range(1, len(rows) + 1)]
    return BatchFile(runs=checked_runs(path, rows, places, Path.cwd()))
