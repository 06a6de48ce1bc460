"""`runyard release`: held runs may start."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.each_run import act_on_selected
from runyard.cli.verb import Options, verb


@verb(
    help="Let held runs start; of a batch, all that are held.",
    examples="runyard release last\nrunyard release @sweep",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
def command(options: Options, names: tuple[str, ...]) -> int:
    """Release each; go on when one cannot be, and say so."""
    return act_on_selected(
        options,
        names,
        lambda client, run_id: client.release(run_id),
        lambda client, batch_id: client.release_batch(batch_id),
        "released",
    )
