"""Every `runyard` and `ray` command that the documents show is one that there is, with options that it has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ray.scripts.scripts import cli as ray

from runyard.cli.main import cli as runyard

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
PROGRAMS = {"runyard": runyard, "ray": ray}


def commands(text: str) -> Iterator[list[str]]:
    """Yield each call of one of the programs, in words, of all that somebody types at a prompt."""
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.lstrip().startswith("$ "):
                yield from _calls(line.lstrip()[2:])


def _calls(line: str) -> Iterator[list[str]]:
    """Split a line of a shell at what separates commands; each begins with its program, or with variables for it."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = "#"
    command: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&"):
            if command and (name := command[0].rpartition("/")[2]) in PROGRAMS:
                yield [name, *command[1:]]
            command = []
        elif command or not re.match(r"[A-Za-z_]+=", word):
            command.append(word)


CALLS = {" ".join(call): call for path in DOCUMENTS for call in commands(path.read_text("utf-8"))}


def misspelt(call: list[str]) -> str | None:
    """Return what no such command takes, or None. Values are not looked at: files and runs are the reader's own."""
    group: click.Command = PROGRAMS[call[0]]
    context = group.make_context(call[0], call[1:], resilient_parsing=True)
    words = call[1:]
    while isinstance(group, click.Group):
        name, rest = _verb(group, words)
        found = group.get_command(context, name) if name else None
        if name and found is None:
            return name
        if found is None:
            return None
        group, words = found, rest
    options = {o for p in group.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "--json"}
    for word in words:
        if word == "--":
            return None
        if word.startswith("--") and word.partition("=")[0] not in options:
            return word
    return None


def _verb(group: click.Group, words: list[str]) -> tuple[str | None, list[str]]:
    """Return the first word that is neither an option of the group nor the value of one, and what follows."""
    flags = {o for p in group.params if isinstance(p, click.Option) and p.is_flag for o in p.opts}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            return word, rest
        if "=" not in word and word not in flags and rest:
            rest.pop(0)
    return None, []


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_command_of_the_documents_is_one(call: list[str]) -> None:
    assert misspelt(call) is None


def test_what_is_no_command_is_found() -> None:
    assert misspelt(["runyard", "upp"]) == "upp"
    assert misspelt(["runyard", "up", "--detached"]) == "--detached"
    assert misspelt(["runyard", "--url", "https://h:1", "ps"]) is None
    assert misspelt(["runyard", "run", "--node", "ws2", "--", "hostname", "--short"]) is None
    assert misspelt(["ray", "start", "--adress=h:1"]) == "--adress=h:1"
    text = "```console\n$ X=1 .venv/bin/runyard ps && ray stop > /dev/null\n```\n"
    assert list(commands(text)) == [["runyard", "ps"], ["ray", "stop"]]
    assert len(CALLS) > 25
