"""Output: data to standard output, talk to standard error, and nothing a run wrote may steer the terminal."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import Any, TextIO

import click

#: Escape sequences (CSI, OSC and its kin, two-character ones), then every control and direction character.
_STEERING = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]",
    re.DOTALL,
)
STATUS_COLOURS = {
    "queued": "yellow",
    "running": "cyan",
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
}


def clean(text: object) -> str:
    """Return a text of a run as one line that cannot steer a terminal."""
    words = _STEERING.sub("", str(text)).replace("\t", " ").replace("\n", " ")
    return words.encode("utf-8", "replace").decode("utf-8")


def paint(text: str, colour: str | None) -> str:
    """Return the text in a colour; what prints it drops colours where they are not wanted."""
    return click.style(text, fg=colour) if colour else text


def has_colour(stream: TextIO) -> bool:
    """Whether to colour what goes to `stream`."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Whether a person looks at `stream`."""
    return stream.isatty()


def put(text: str) -> None:
    """Print data."""
    click.echo(text, color=has_colour(sys.stdout))


def put_json(value: Any) -> None:
    """Print data as JSON."""
    click.echo(json.dumps(value, indent=2 if is_terminal(sys.stdout) else None))


def say(text: str) -> None:
    """Tell the person something that is no data."""
    click.echo(text, err=True, color=has_colour(sys.stderr))


def complain(text: str) -> None:
    """Tell what went wrong; lines of a message stay lines."""
    for line in text.splitlines() or [""]:
        say(f"runyard: {clean(line)}")


def be_lenient() -> None:
    """Print characters that the terminal's encoding lacks as question marks instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
