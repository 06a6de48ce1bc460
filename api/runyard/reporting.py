"""What a module tells about itself while it runs."""

from __future__ import annotations

import json
import os
from typing import Any


def report(
    *,
    progress: float | None = None,
    message: str | None = None,
    metrics: dict[str, float] | None = None,
    result: Any = None,
) -> None:
    """Show progress (0..1), a message, metrics or a result on the run, live. Outside a run this does nothing.

    `result` is small JSON; the last one reported is the run's result.
    """
    path = os.environ.get("RUNYARD_REPORT")
    if not path:
        return
    fields = {"progress": progress, "message": message, "metrics": metrics, "result": result}
    line = json.dumps({k: v for k, v in fields.items() if v is not None}) + "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
