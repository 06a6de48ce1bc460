"""The one task of the huey that `peers` measures; a consumer of its own imports this."""

from __future__ import annotations

import os
from collections.abc import Sequence

from huey import SqliteHuey

from tests.benchmarks.peers import starter

huey = SqliteHuey("runyard", filename=os.environ["HUEY_DATABASE"], fsync=False)
start = starter()


@huey.task()  # type: ignore[untyped-decorator] # huey has no types
def run(command: Sequence[str], out: str) -> int:
    """Run a command; return its exit code."""
    return start(command, out)
