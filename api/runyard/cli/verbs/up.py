"""`runyard up`: the server."""

from __future__ import annotations

from pathlib import Path

import click

from runyard.cli.verb import Options, verb


@verb(
    help="Start the server: Ray, scheduler, API and web page. Prints the page's address.",
    examples="runyard up\nrunyard up --detach --port 8300\n"
    "runyard up --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
)
@click.option(
    "--host", default=None, metavar="HOST", help="The address to listen on; the setting `host` if left out."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=None, help="The port; the setting `port` if left out."
)
@click.option(
    "--tls-cert",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="Serve HTTPS with this certificate (PEM, with its chain).",
)
@click.option(
    "--tls-key",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    metavar="FILE",
    help="The certificate's private key (PEM).",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Listen on a network without TLS: whoever can read along can run programs here.",
)
@click.option("--detach", is_flag=True, help="Return once it is ready; it goes on in the background.")
@click.option(
    "--stop-runs",
    is_flag=True,
    help="Ended by Ctrl-C, a signal or a closed terminal, it cancels its runs first; a second Ctrl-C leaves them.",
)
def command(
    options: Options,
    host: str | None,
    port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure: bool,
    detach: bool,
    stop_runs: bool,
) -> int | None:
    """Serve here until Ctrl-C, or in the background."""
    from runyard.server.up import UpOptions, up

    told = UpOptions(
        host=host,
        port=port,
        tls_certificate=tls_cert,
        tls_key=tls_key,
        is_insecure=insecure,
        stops_runs=stop_runs,
    )
    return up(options.config, told, detach)
