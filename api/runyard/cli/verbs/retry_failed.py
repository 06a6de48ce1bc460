"""`runyard retry-failed`: the failed runs of a batch again."""

from __future__ import annotations

import click

from runyard.cli.say import put, put_json, say
from runyard.cli.select import select_batch
from runyard.cli.verb import Options, verb
from runyard.cli.view.words import plural


@verb(
    help="Submit the failed runs of BATCH again, as new runs of it. Prints their ids.",
    examples="runyard retry-failed last && runyard wait @last",
)
@click.argument("batch")
def command(options: Options, batch: str) -> None:
    """Retry, and print the new runs."""
    batch_id = select_batch(options.source(), batch)
    with options.starting_client() as client:
        answer = client.retry_failed(batch_id)
    if options.is_json:
        put_json(answer)
        return
    for run in answer["runs"]:
        put(run["run_id"])
    say(f"runyard: {plural(len(answer['runs']), 'run')} of batch {batch_id} submitted again")
