"""A run's page says where its code came from, what changed since the run before, and whom nobody could tell."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from runyard_cluster.origin import finder
from runyard_cluster.origin import git as git_of_folder
from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until
from tests.unit.origin.test_origin import git
from tests.web.conftest import Opened, Opener, opener
from tests.web.programs import WAIT, request
from tests.web.test_views import violations

#: What a busy machine may take to start a process and to ask git.
LIMIT_MILLISECONDS = 45_000
#: What is told for some seconds may be gone before a busy machine looks.
KEEP_ALL_THAT_WAS_SHOWN = """() => {
    window.shown = ''
    const observer = new MutationObserver(() => { window.shown += document.body.innerText })
    observer.observe(document.body, { childList: true, subtree: true })
}"""


class Code:
    """A folder under git with a module, and the run that executed its first commit."""

    def __init__(self, folder: Path, client: httpx.Client) -> None:
        self.folder = folder
        self.script = folder / "train.py"
        git(folder, "init", "-q")
        self.script.write_text("print(1)\n")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "one")
        self.commit = git(folder, "rev-parse", "HEAD")
        run = submit(client, **request(script=str(self.script), python=sys.executable, name="Train"))
        self.run_id = run["run_id"]
        wait_ended(client, self.run_id)
        wait_until(lambda: client.get(f"/api/runs/{self.run_id}").json()["origin"], 30, "it is noted")


@pytest.fixture
def untold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """A server that is to tell of each end by a program that is not there, and looks at git each time."""
    monkeypatch.setattr(finder, "FRESH_SECONDS", 0.0)
    with in_process(tmp_path / "data", on_end=["no-such-program"]) as found:
        yield found


@pytest.fixture
def open_untold(chromium: Browser, untold: InProcess) -> Iterator[Opener]:
    yield from opener(chromium, untold)


def test_origin_changes_and_what_could_not_be_told_stand_on_the_page(
    open_untold: Opener, untold: InProcess, tmp_path: Path
) -> None:
    # Given a run of a clean commit, of whose end nobody could be told
    (tmp_path / "code").mkdir()
    with untold.http() as client:
        code = Code(tmp_path / "code", client)
        wait_until(lambda: client.get(f"/api/runs/{code.run_id}").json()["notice"], 30, "it was tried")
    opened = open_untold()
    page = opened.go(f"/runs/{code.run_id}?tab=details")
    # Its page says so, and where its code came from
    origin = page.get_by_role("region", name="Origin")
    expect(origin).to_contain_text(code.commit[:10])
    expect(origin).to_contain_text("and no other changes")
    expect(origin).to_contain_text(sys.executable)
    outcome = page.get_by_role("region", name="Outcome")
    expect(outcome).to_contain_text("Tells of its end: the command no-such-program")
    expect(outcome).to_contain_text("could not be told")
    # When the code changes and the run is restarted, the page says what changed
    code.script.write_text("print(2)\n")
    git(code.folder, "commit", "-qam", "two")
    code.script.write_text("print(3)\n")
    page.evaluate(KEEP_ALL_THAT_WAS_SHOWN)
    page.get_by_role("button", name="Restart", exact=True).click()
    told = f"Train is submitted again. Changed since: commit {code.commit[:10]}"
    page.wait_for_function("words => shown.includes(words)", arg=told, timeout=LIMIT_MILLISECONDS)
    with untold.http() as client:
        again = client.get("/api/runs", params={"limit": 1}).json()["runs"][0]["run_id"]
        wait_ended(client, again)
        wait_until(lambda: client.get(f"/api/runs/{again}").json()["code_changed"], 30, "it is noted")
    page = opened.go(f"/runs/{again}?tab=details")
    expect(page.get_by_role("region", name="Outcome")).to_contain_text("became")
    expect(origin).to_contain_text("and files that differ from it")
    assert not violations(page)


def test_an_origin_that_is_found_late_shows_without_a_reload(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a git that does not answer before the gate is open, and a run that goes on meanwhile
    real, gate, slow = shutil.which("git"), tmp_path / "gate", tmp_path / "bin" / "git"
    code = tmp_path / "code"
    code.mkdir()
    git(code, "init", "-q")
    git(code, "commit", "--allow-empty", "-qm", "one")
    commit = git(code, "rev-parse", "HEAD")
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\nwhile [ ! -e "{gate}" ]; do sleep 0.05; done\nexec "{real}" "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setattr(git_of_folder, "SECONDS", 300.0)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    with in_process(tmp_path / "data") as server, server.http() as client:
        run_id = submit(client, **request(command=python(WAIT), cwd=str(code)))["run_id"]
        for opened in opener_of_one(chromium, server):
            page = opened.go(f"/runs/{run_id}?tab=details")
            expect(page.get_by_role("region", name="Outcome")).to_contain_text(
                "Running", timeout=LIMIT_MILLISECONDS
            )
            expect(page.get_by_role("region", name="Origin")).to_have_count(0)
            # When git answers, the page says so by itself
            gate.touch()
            expect(page.get_by_role("region", name="Origin")).to_contain_text(
                commit[:10], timeout=LIMIT_MILLISECONDS
            )
        client.post(f"/api/runs/{run_id}/cancel")
        wait_ended(client, run_id)


def opener_of_one(chromium: Browser, server: InProcess) -> Iterator[Opened]:
    """Yield one page of a server, and look for problems in it afterwards."""
    for new in opener(chromium, server):
        yield new()


def test_the_page_of_a_batch_says_who_could_not_be_told(open_untold: Opener, untold: InProcess) -> None:
    with untold.http() as client:
        body = {"name": "quiet", "runs": [request(command=["true"])]}
        batch = client.post("/api/batches", json=body).json()["batch_id"]
        wait_until(lambda: client.get(f"/api/batches/{batch}").json()["notice"], 30, "it was tried")
    page = open_untold().go(f"/batches/{batch}")
    progress = page.get_by_role("region", name="Progress")
    expect(progress).to_contain_text("Tells of its end: the command no-such-program")
    expect(progress).to_contain_text("could not be told")
