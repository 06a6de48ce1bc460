"""`runyard logs`: a run's output."""

from __future__ import annotations

from typing import Any

import click

from runyard.cli.complete import complete_run
from runyard.cli.log_output import Wanted, from_file, from_server
from runyard.cli.source import StoreSource
from runyard.cli.tally import ENDED
from runyard.cli.verb import Options, verb
from runyard_cluster.errors import NotFoundError


@verb(
    help="Print the output of RUN: an id, its beginning, or last. Bytes come out as the run wrote them.",
    examples="runyard logs last\nrunyard logs -f 01JAB\nrunyard logs last --tail 100 --timestamps",
)
@click.argument("run", shell_complete=complete_run)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--tail", type=click.IntRange(0, 10_000_000), metavar="N", help="Only the last N lines.")
@click.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@click.option("--attempt", type=click.IntRange(1), metavar="K", help="That attempt; the newest if left out.")
def command(options: Options, run: str, follow: bool, attempt: int | None, **how: Any) -> None:
    """Read the file where it is; ask a server elsewhere for it."""
    source = options.source()
    found = source.run(source.resolve(run))
    wanted = Wanted(
        run_id=found["run_id"],
        attempt=_attempt(found, attempt),
        goes_on=attempt is None,
        is_live=follow and found["status"] not in ENDED,
        **how,
    )
    if isinstance(source, StoreSource):
        from_file(source, wanted)
    else:
        with options.client() as client:
            from_server(client, wanted)


def _attempt(run: dict[str, Any], wanted: int | None) -> int:
    newest = max(1, run["attempt"])
    if wanted is not None and wanted > newest:
        raise NotFoundError(f"run {run['run_id']} has no attempt {wanted}; its newest is {newest}")
    return wanted or newest
