"""`runyard hold`: queued runs wait until they are released."""

from __future__ import annotations

import click

from runyard.cli.complete import complete_run
from runyard.cli.each_run import act_on_selected
from runyard.cli.verb import Options, verb


@verb(
    help="Keep queued runs from starting, until 'release'. Of a batch, all that has not started.",
    examples="runyard hold last\nrunyard hold @sweep\nrunyard release @sweep",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
def command(options: Options, names: tuple[str, ...]) -> int:
    """Hold each; go on when one cannot be, and say so."""
    return act_on_selected(
        options,
        names,
        lambda client, run_id: client.hold(run_id),
        lambda client, batch_id: client.hold_batch(batch_id),
        "held",
    )
