"""`runyard resources`: the machines and the semaphore."""

from __future__ import annotations

from runyard.cli.say import put, put_json
from runyard.cli.verb import Options, verb
from runyard.cli.view.machine import machine_lines


@verb(
    help="Show nodes, what runs declared of them, what is free, and the slots.",
    examples="runyard resources\nrunyard resources --json",
)
def command(options: Options) -> None:
    """Print what the server says."""
    with options.client() as client:
        found = client.resources()
    if options.is_json:
        put_json(found)
    else:
        put("\n".join(machine_lines(found)))
