"""`runyard pause`: admission stops."""

from __future__ import annotations

from runyard.cli.say import put_json, say
from runyard.cli.verb import Options, verb


@verb(
    help="Start no new runs until 'resume'; running ones go on.",
    examples="runyard pause && runyard ps",
)
def command(options: Options) -> None:
    """Tell the server."""
    with options.client() as client:
        answer = client.pause()
    if options.is_json:
        put_json(answer)
    else:
        say("runyard: no new runs start until 'runyard resume'")
