"""`runyard edit`: the priority of runs and the limit of batches, changed while they wait and run."""

from __future__ import annotations

from typing import Any

import click

from runyard.cli.complete import complete_run
from runyard.cli.each_run import act_on_selected
from runyard.cli.params import LIMIT
from runyard.cli.verb import Options, verb


@verb(
    help="Change the priority of runs that have not ended, and of a batch how many run at once.",
    examples="runyard edit last --priority 10\nrunyard edit @sweep --max-concurrent 8",
)
@click.argument("names", nargs=-1, required=True, metavar="RUN|@BATCH...", shell_complete=complete_run)
@click.option(
    "--priority", type=int, metavar="N", help="Higher starts first; of a batch, for all not started."
)
@click.option(
    "--max-concurrent",
    type=LIMIT,
    metavar="N|none",
    help="At most N runs of the batch at once, or any number.",
)
def command(options: Options, names: tuple[str, ...], priority: int | None, max_concurrent: Any) -> int:
    """Edit each; go on when one cannot be, and say so."""
    edits: dict[str, Any] = {} if priority is None else {"priority": priority}
    if max_concurrent is not None:
        edits["max_concurrent"] = None if max_concurrent == "none" else max_concurrent
    if not edits:
        raise click.UsageError("give --priority, --max-concurrent or both")
    return act_on_selected(
        options,
        names,
        lambda client, run_id: client.edit_run(run_id, edits),
        lambda client, batch_id: client.edit_batch(batch_id, edits),
        "edited",
    )
