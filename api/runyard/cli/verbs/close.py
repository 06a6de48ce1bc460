"""`runyard close`: open batches take no more runs."""

from __future__ import annotations

import click

from runyard.cli.say import put, put_json
from runyard.cli.select import select_batch
from runyard.cli.verb import Options, verb


@verb(
    help="Have open batches take no more runs, for ever. A batch has ended once it is closed and all its runs ended.",
    examples="runyard close @photos && runyard wait @photos",
)
@click.argument("batches", nargs=-1, required=True, metavar="@BATCH...")
def command(options: Options, batches: tuple[str, ...]) -> None:
    """Close each, and print its id."""
    source = options.source()
    ids = [select_batch(source, name) for name in batches]
    with options.starting_client() as client:
        closed = [client.close_batch(batch_id) for batch_id in ids]
    if options.is_json:
        put_json({"batches": closed})
        return
    for batch in closed:
        put(batch["batch_id"])
