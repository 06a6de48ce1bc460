"""`runyard up`: the server."""

from __future__ import annotations

import click

from runyard.cli.verb import Options, verb


@verb(
    help="Start the server: Ray, scheduler, API and web page. Prints the page's address.",
    examples="runyard up\nrunyard up --detach --port 8300",
)
@click.option(
    "--host", default=None, metavar="HOST", help="The address to listen on; the setting `host` if left out."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="The port; the setting `port` if left out."
)
@click.option("--detach", is_flag=True, help="Return once it is ready; it goes on in the background.")
def command(options: Options, host: str | None, port: int | None, detach: bool) -> int | None:
    """Serve here until Ctrl-C, or in the background."""
    from runyard.server.up import up

    return up(options.config, host, port, detach)
