"""docs/rest.sh calls all of the REST API on an installed server, and docs/REST.md shows lines of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import ROOT, Shell

SCRIPT = ROOT / "docs" / "rest.sh"
PAGE = ROOT / "docs" / "REST.md"
#: Calls for browsers and for `runyard down`.
NOT_FOR_SCRIPTS = {("POST", "/api/login-link"), ("POST", "/api/leave")}

needs_shell = pytest.mark.skipif(
    not (shutil.which("sh") and shutil.which("curl")), reason="needs a POSIX shell and curl"
)


@pytest.fixture(scope="module")
def caller(shell: Shell) -> Iterator[dict[str, str]]:
    """The environment of somebody who calls a server that was started with `runyard up`."""
    shell.up()
    data = shell.folder / "data"
    yield {
        **shell.environ,
        "RUNYARD_URL": json.loads((data / "server.json").read_text())["url"],
        "RUNYARD_TOKEN": (data / "token").read_text().strip(),
        "no_proxy": "127.0.0.1",
    }


def call_all(environ: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script."""
    return subprocess.run(
        ["sh", str(SCRIPT)],
        env=environ,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
    )


@needs_shell
def test_every_call_is_answered_as_it_should_be(caller: dict[str, str], tmp_path: Path) -> None:
    # Twice, since a script that only works on a fresh server is no example.
    for _ in range(2):
        done = call_all({**caller, "TMPDIR": str(tmp_path)}, tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("all as it should be\n")
        assert not done.stderr
    assert not list(tmp_path.iterdir()), "the token stays nowhere"


@needs_shell
@pytest.mark.parametrize(
    "wrong", [{"RUNYARD_TOKEN": "guessed"}, {"RUNYARD_URL": "http://127.0.0.1:1"}, {"RUNYARD_TOKEN": ""}]
)
def test_the_first_surprise_ends_it(caller: dict[str, str], tmp_path: Path, wrong: dict[str, str]) -> None:
    done = call_all({**caller, **wrong, "TMPDIR": str(tmp_path)}, tmp_path)
    assert done.returncode not in (0, 130)
    assert done.stderr
    assert "all as it should be" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_every_call_of_the_document_is_made(caller: dict[str, str]) -> None:
    request = urllib.request.Request(
        f"{caller['RUNYARD_URL']}/openapi.json",
        headers={"Authorization": f"Bearer {caller['RUNYARD_TOKEN']}"},
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        paths = json.load(answer)["paths"]
    documented = {(m.upper(), path) for path, methods in paths.items() for m in methods}
    made = set(calls(SCRIPT.read_text("utf-8")))
    missing = {
        (method, path)
        for method, path in documented - NOT_FOR_SCRIPTS
        if not any(m == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), p) for m, p in made)
    }
    assert not missing


def test_the_page_shows_calls_of_the_script() -> None:
    script = SCRIPT.read_text("utf-8")
    shown = re.findall(r"^\$ (curl .*)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(shown) > 10
    assert [line for line in shown if line not in script] == []


def calls(script: str) -> Iterator[tuple[str, str]]:
    """Yield method and path of each call in the script."""
    named = {"$log": "/api/runs/$run/log", "$RUNYARD_URL": ""}
    for line in re.findall(r"expect \d+ .*", script):
        for name, path in named.items():
            line = re.sub(re.escape(name) + r"\b", lambda _, path=path: path, line)
        method = re.search(r"-X (\w+)", line)
        path = re.search(r'"(/[^"?]*)', line)
        assert path, line
        yield method[1] if method else "POST" if " -d " in line else "GET", path[1]
