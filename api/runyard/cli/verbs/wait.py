"""`runyard wait`: until runs or batches have ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from runyard.cli.complete import complete_run
from runyard.cli.exit_code import TIMED_OUT, code_of_all
from runyard.cli.params import DURATION
from runyard.cli.say import complain, paint, put, put_json
from runyard.cli.select import BATCHES_LOOKED_AT, Selected, runs_of, select
from runyard.cli.tally import ENDED
from runyard.cli.verb import Options, verb
from runyard.cli.view.run_table import status_cell
from runyard.cli.view.words import cause, plural

if TYPE_CHECKING:
    from runyard.cli.source import Source
    from runyard.client import Client


@verb(
    help="Wait until all of the runs and batches have ended, open batches until they are closed. Exits with 1 when any "
    "run did not complete.",
    examples="runyard wait last\nrunyard wait @sweep --timeout 2h",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
@click.option("--timeout", type=DURATION, metavar="TIME", help="Give up after that time, with exit code 124.")
def command(options: Options, names: tuple[str, ...], timeout: float | None) -> int:
    """Look at the store first: what has ended needs no server."""
    source = options.source()
    selected = select(source, names)
    began = time.monotonic()
    if open_batches := _open_batches(source, selected):
        with options.starting_client() as client:
            if not _closed(client, open_batches, timeout):
                complain(f"not all batches were closed within {timeout:g} s")
                return TIMED_OUT
        source = options.source()
        timeout = None if timeout is None else max(0.0, timeout - (time.monotonic() - began))
    runs = runs_of(source, selected)
    open_ids = [run["run_id"] for run in runs if run["status"] not in ENDED]
    if open_ids:
        with options.starting_client() as client:
            ended = _waited(client, open_ids, timeout)
        if ended is None:
            complain(f"not all ended within {timeout:g} s")
            return TIMED_OUT
        runs = [ended.get(run["run_id"], run) for run in runs]
    _tell(runs, options)
    return code_of_all(runs)


def _open_batches(source: Source, selected: Sequence[Selected]) -> list[str]:
    wanted = {each.id for each in selected if each.is_batch}
    if not wanted:
        return []
    return [b["batch_id"] for b in source.batches(BATCHES_LOOKED_AT) if b["open"] and b["batch_id"] in wanted]


def _closed(client: Client, batch_ids: Sequence[str], timeout: float | None) -> bool:
    end = None if timeout is None else time.monotonic() + timeout
    try:
        for batch_id in batch_ids:
            client.wait_closed(batch_id, None if end is None else max(0.0, end - time.monotonic()))
    except TimeoutError:
        return False
    return True


def _waited(client: Client, run_ids: list[str], timeout: float | None) -> dict[str, dict[str, Any]] | None:
    try:
        return {run["run_id"]: run for run in client.wait(run_ids, timeout)}
    except TimeoutError:
        return None


def _tell(runs: list[dict[str, Any]], options: Options) -> None:
    if options.is_json:
        put_json({"runs": runs, "total": len(runs)})
        return
    bad = [run for run in runs if run["status"] != "completed"]
    for run in bad:
        put(f"{run['run_id']}  {paint(*_coloured(run))}  {cause(run)}".rstrip())
    put(f"{plural(len(runs) - len(bad), 'run')} completed" + (f", {len(bad)} did not" if bad else ""))


def _coloured(run: dict[str, Any]) -> tuple[str, str | None]:
    cell = status_cell(run)
    return cell if isinstance(cell, tuple) else (cell, None)
