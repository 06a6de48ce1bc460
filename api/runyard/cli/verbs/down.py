"""`runyard down`: stop the server."""

from __future__ import annotations

import click

from runyard.cli.verb import Options, verb


@verb(
    help="Stop the server of this machine; runs go on, and the next server takes them over.",
    examples="runyard down\nrunyard down --cancel",
)
@click.option("--cancel", is_flag=True, help="Cancel all runs first.")
def command(options: Options, cancel: bool) -> int | None:
    """Stop it."""
    from runyard.server.up import down

    return down(options.config, cancel)
