"""`runyard drain`: nothing new starts on a node."""

from __future__ import annotations

import click

from runyard.cli.say import put_json, say
from runyard.cli.verb import Options, verb


@verb(help="Start no new runs on a node until 'undrain'; running ones go on.", examples="runyard drain ws2")
@click.argument("node", metavar="NODE")
def command(options: Options, node: str) -> None:
    """Tell the server."""
    with options.client() as client:
        answer = client.drain(node)
    if options.is_json:
        put_json(answer)
    else:
        say(f"runyard: no new runs start on {node} until 'runyard undrain {node}'")
