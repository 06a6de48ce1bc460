"""`runyard undrain`: runs start on a node again."""

from __future__ import annotations

import click

from runyard.cli.say import put_json, say
from runyard.cli.verb import Options, verb


@verb(help="Let runs start on a node again.", examples="runyard undrain ws2")
@click.argument("node", metavar="NODE")
def command(options: Options, node: str) -> None:
    """Tell the server."""
    with options.client() as client:
        answer = client.undrain(node)
    if options.is_json:
        put_json(answer)
    else:
        say(f"runyard: runs start on {node} again")
