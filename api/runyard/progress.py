"""How a batch gets on, on standard error or told to a function."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from runyard.batch import Batch
from runyard.run import Run
from runyard_cluster.errors import InvalidRequestError

#: A bar of rich, which is there, or of tqdm, which has to be; or what is called with each run that has ended.
Progress = bool | Literal["rich", "tqdm"] | Callable[[Run], object]


def check(progress: Progress) -> None:
    """Raise InvalidRequestError for what cannot be shown, before anything is submitted."""
    if not (callable(progress) or progress in (True, False, "rich", "tqdm")):
        raise InvalidRequestError(f'progress is {progress!r}; it may be True, "rich", "tqdm" or a function')
    if progress == "tqdm":
        try:
            import tqdm  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise InvalidRequestError(
                'progress="tqdm" needs the package tqdm; progress=True does not'
            ) from error


def show(batch: Batch, progress: Progress) -> None:
    """Show or tell, from a thread of its own, how the runs of `batch` end."""
    if callable(progress):
        for run in batch.runs:
            run.add_done_callback(progress)
    elif progress == "tqdm":
        _with_tqdm(batch)
    else:
        _with_rich(batch)


def _with_tqdm(batch: Batch) -> None:
    from tqdm.auto import tqdm

    bar = tqdm(total=len(batch.runs), desc=batch.name or batch.batch_id, unit="run")
    guard = threading.Lock()

    def ended(_: Run) -> None:
        with guard:
            bar.update()
            if bar.n == bar.total:
                bar.close()

    for run in batch.runs:
        run.add_done_callback(ended)


def _with_rich(batch: Batch) -> None:
    """Show a bar that advances as runs of `batch` end, from a thread of its own; without a terminal, one line."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    bar = Bar(
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
