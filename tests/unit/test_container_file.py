"""The container file: read as a builder reads it, and its parts tried where they can be without one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runyard.cli.main import cli
from tests.in_process import in_process

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cluster" / "container" / "Containerfile"
#: All instructions that there are, as the reference of Dockerfiles has them, less the deprecated one.
INSTRUCTIONS = frozenset(
    (
        *("FROM", "RUN", "CMD", "LABEL", "EXPOSE", "ENV", "ADD", "COPY", "ENTRYPOINT", "VOLUME"),
        *("USER", "WORKDIR", "ARG", "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL"),
    )
)


def read(text: str) -> list[tuple[str, str]]:
    """Return instructions and their arguments: comments are left out, and lines that go on are joined."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", kept)
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture
def instructions() -> list[tuple[str, str]]:
    return read(FILE.read_text("utf-8"))


def last(instructions: list[tuple[str, str]], name: str) -> str:
    return [rest for found, rest in instructions if found == name][-1]


def test_it_is_read_as_a_builder_reads_it() -> None:
    text = "# syntax\nFROM a:1 AS b\n  # in between\nRUN one \\\n# a comment\n    && two\n"
    assert read(text) == [("FROM", "a:1 AS b"), ("RUN", "one && two")]


def test_each_instruction_is_one_and_each_image_has_a_version_and_no_registry(
    instructions: list[tuple[str, str]],
) -> None:
    assert {name for name, _ in instructions} <= INSTRUCTIONS
    assert instructions[0][0] == "FROM"
    for name, rest in instructions:
        if name == "FROM":
            assert re.fullmatch(r"[a-z]+:[\w.-]*\d[\w.-]*( AS \w+)?", rest), rest


def test_it_ends_as_nobody_special_who_owns_the_data(instructions: list[tuple[str, str]]) -> None:
    user = last(instructions, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    after = [name for name, _ in instructions[instructions.index(("USER", user)) :]]
    assert "RUN" not in after
    made = " ".join(rest for name, rest in instructions if name == "RUN")
    assert f"--uid {user.partition(':')[0]}" in made
    data = last(instructions, "VOLUME")
    assert f"RUNYARD_DATA_DIR={data}" in last(instructions, "ENV")
    assert f"-m 0700 {data}" in made


def test_all_that_it_copies_is_there(instructions: list[tuple[str, str]]) -> None:
    stages = {rest.partition(" AS ")[2] for name, rest in instructions if name == "FROM"}
    for name, rest in instructions:
        if name == "COPY":
            words = rest.split()
            if words[0].startswith("--from="):
                assert words[0].removeprefix("--from=") in stages
            else:
                assert all((ROOT / word).exists() for word in words[:-1])
    assert "**/node_modules" in (ROOT / ".dockerignore").read_text("utf-8")


def test_what_it_starts_is_a_verb_with_its_options(instructions: list[tuple[str, str]]) -> None:
    assert json.loads(last(instructions, "ENTRYPOINT")) == ["tini", "--"]
    program, name, *words = json.loads(last(instructions, "CMD"))
    assert program == "runyard"
    verb = cli.get_command(click.Context(cli), name)
    assert verb is not None
    verb.make_context(name, words, parent=click.Context(cli))


def test_its_health_check_tells_a_server_from_none(
    instructions: list[tuple[str, str]], tmp_path: Path
) -> None:
    check = last(instructions, "HEALTHCHECK")
    assert re.match(r"--interval=\d+s --timeout=\d+s --start-period=\d+s --retries=\d+ ?CMD", check)
    python, option, code = json.loads(check.partition("CMD")[2])
    assert (python, option) == ("python", "-c")
    with in_process(tmp_path) as server:
        asked = code.replace("http://127.0.0.1:8300", server.url)
        assert asked != code
        assert subprocess.run([sys.executable, option, asked], timeout=60).returncode == 0
    gone = subprocess.run([sys.executable, option, asked], capture_output=True, timeout=60)
    assert gone.returncode != 0
