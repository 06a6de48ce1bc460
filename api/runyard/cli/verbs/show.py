"""`runyard show`: everything about a run."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.say import put, put_json
from runyard.cli.source import StoreSource
from runyard.cli.verb import Options, verb
from runyard.cli.view.run_table import facts


@verb(
    help="Show everything about RUN: an id, its beginning, or last.",
    examples="runyard show last\nrunyard show 01JAB --json",
)
@click.argument("run", shell_complete=complete_run)
def command(options: Options, run: str) -> None:
    """Print the run; a queued one with what it waits for, if the scheduler is there to say."""
    source = options.source()
    found = source.run(source.resolve(run))
    if found["status"] == "queued" and isinstance(source, StoreSource):
        client = options.client_if_up()
        if client is not None:
            with client:
                found = client.run(found["run_id"])
    if options.is_json:
        put_json(found)
        return
    put(facts(found, source.attempts(found["run_id"]) if found["attempt"] > 1 else ()))
