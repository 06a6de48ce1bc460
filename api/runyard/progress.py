"""A progress bar for a batch, on standard error."""

from __future__ import annotations

import threading

from runyard.batch import Batch
from runyard.run import Run


def show(batch: Batch) -> None:
    """Show a bar that advances as runs of `batch` end, from a thread of its own; without a terminal, one line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TimeRemainingColumn(),
        console=console,
    )
    task = bar.add_task(batch.name or batch.batch_id, total=len(batch.runs), failed=0)
    guard = threading.Lock()
    left = len(batch.runs)
    failed = 0

    def ended(run: Run) -> None:
        nonlocal left, failed
        with guard:
            left -= 1
            failed += run.status != "completed"
            bar.update(task, advance=1, failed=failed)
            if not left:
                bar.stop()

    bar.start()
    for run in batch.runs:
        run.add_done_callback(ended)
