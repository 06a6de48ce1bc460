"""`runyard ps`: what runs and what is queued."""

from __future__ import annotations

from typing import Any

import click

from runyard.cli.say import put, put_json, say
from runyard.cli.source import PAGE, Source, StoreSource
from runyard.cli.verb import Options, verb
from runyard.cli.view.machine import paused_words
from runyard.cli.view.run_table import active_table
from runyard.cli.view.words import plural, window_width


@verb(
    help="List what runs and what is queued, with what each waits for.",
    examples="runyard ps\nrunyard ps --json",
)
@click.option(
    "--limit", type=click.IntRange(1, PAGE), default=PAGE, show_default=True, help="List at most that many."
)
def command(options: Options, limit: int) -> None:
    """Print running runs, then queued ones in the order of their submission."""
    source = options.source()
    runs, total = active(source, limit)
    paused: list[str] = []
    if any(run["status"] == "queued" for run in runs):
        if isinstance(source, StoreSource):
            _add_waiting_for(options, runs)
        paused = [] if options.is_json else _paused(options)
    if options.is_json:
        put_json({"runs": runs, "total": total})
        return
    for words in paused:
        put(words)
    put(active_table(runs, window_width()))
    if total > len(runs):
        say(f"runyard: and {plural(total - len(runs), 'run')} more")


def active(source: Source, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Return up to `limit` runs that have not ended, running ones first, and how many there are."""
    running = source.runs(limit=limit, status=["running"], sort="started_at")
    queued = source.runs(limit=limit, status=["queued"], sort="created_at")
    return [*running["runs"], *queued["runs"]][:limit], running["total"] + queued["total"]


def _paused(options: Options) -> list[str]:
    """Say above the queue why nothing of it starts."""
    client = options.client() if options.is_elsewhere else options.client_if_up()
    if client is None:
        return []
    with client:
        return paused_words(client.resources()["semaphore"])


def _add_waiting_for(options: Options, runs: list[dict[str, Any]]) -> None:
    """Only the scheduler knows what a run waits for; without a server, that is the answer."""
    client = options.client_if_up()
    if client is None:
        for run in runs:
            if run["status"] == "queued":
                run["waiting_for"] = "no server is running"
        return
    with client:
        page = client.runs(status=["queued"], sort="created_at", limit=PAGE)
    known = {run["run_id"]: run for run in page["runs"]}
    for run in runs:
        told = known.get(run["run_id"], {})
        run |= {name: told.get(name) for name in ("waiting_for", "expected_start")}
