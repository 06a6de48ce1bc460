"""`runyard resume`: admission goes on."""

from __future__ import annotations

from runyard.cli.say import put_json, say
from runyard.cli.verb import Options, verb


@verb(help="Start runs again after a pause.")
def command(options: Options) -> None:
    """Tell the server."""
    with options.client() as client:
        answer = client.resume()
    if options.is_json:
        put_json(answer)
    else:
        say("runyard: runs start again")
