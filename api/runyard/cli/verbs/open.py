"""`runyard open`: the web page in a browser."""

from __future__ import annotations

import click

from runyard.cli.say import put, put_json, say
from runyard.cli.verb import Options, verb


@verb(
    help="Open the web page in a browser, logged in by a link that works once.",
    examples="runyard open\nrunyard open --print",
)
@click.option("--print", "is_printed", is_flag=True, help="Print the link instead.")
def command(options: Options, is_printed: bool) -> None:
    """Open the page, or print its link where there is no browser."""
    with options.client() as client:
        link = client.login_link()
    if options.is_json:
        put_json({"url": link})
    elif is_printed or click.launch(link) != 0:
        put(link)
    else:
        say("runyard: the page opens in your browser")
