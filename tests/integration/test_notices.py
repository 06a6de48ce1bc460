"""Told without looking: commands and webhooks at the end of runs and batches, over failures and restarts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard.server.notice import notifier
from runyard.server.notice.webhook import signature
from tests.hook import hook
from tests.in_process import InProcess, in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python, wait_until

GOOD = {"command": python("pass"), "num_cpus": 0.1, "memory": "64MiB"}
BAD = {**GOOD, "command": python("raise SystemExit(3)")}
#: Nobody listens there.
WEB = "http://127.0.0.1:9/path"
WRITE = "import os, sys; open(sys.argv[1], 'a').write(os.environ['RUNYARD_TITLE'] + '|' + sys.stdin.read() + '\\n')"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between tries are short here."""
    monkeypatch.setattr(notifier, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(notifier, "LONGEST_PAUSE", 0.2)


def writes(file: Path) -> list[str]:
    """Return a command that notes what it was told."""
    return [sys.executable, "-I", "-S", "-c", WRITE, str(file)]


def told(file: Path, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return what the command noted, once it was started so often."""
    lines = wait_until(
        lambda: file.exists() and len(found := file.read_text().splitlines()) >= count and found,
        30,
        "the command was told",
    )
    assert lines
    return [(line.partition("|")[0], json.loads(line.partition("|")[2])) for line in lines]


def test_a_command_and_a_webhook_are_told_of_a_run(tmp_path: Path) -> None:
    with hook() as called:
        wishes = {"on_end": writes(tmp_path / "told"), "webhook": called.url, "webhook_secret": "s3cret"}
        with in_process(tmp_path, **wishes) as server, server.http() as client:
            run = wait_ended(client, submit(client, **BAD, name="Train")["run_id"])
            ((title, said),) = told(tmp_path / "told", 1)
            assert title == "Train failed"
            assert said["run"]["run_id"] == run["run_id"]
            wait_until(lambda: called.calls, 20, "the hook was called")
        ((body, headers),) = called.calls
        assert headers["x-runyard-signature"] == signature("s3cret", body)
        assert headers["x-runyard-event"] == "run_ended"
        message = json.loads(body)
        assert message["delivery"] == headers["x-runyard-delivery"]
        assert (message["run"]["exit_code"], message["run"]["reason"]) == (3, "exit_code")
        assert not list((tmp_path / "data" / "notices").glob("notice-*"))


def test_modules_name_whom_to_tell_of_their_runs(tmp_path: Path) -> None:
    modules = {
        "loud": {"command": python("pass"), "on_end": writes(tmp_path / "told")},
        "quiet": {"command": python("pass")},
    }
    with in_process(tmp_path, modules=modules) as server, server.http() as client:
        for module in ("quiet", "loud"):
            wait_ended(client, submit(client, module_id=module, num_cpus=0.1, memory="64MiB")["run_id"])
        ((title, _),) = told(tmp_path / "told", 1)
        assert title == "loud completed"


def test_a_batch_is_told_of_once_with_its_failures(tmp_path: Path) -> None:
    with hook() as called, in_process(tmp_path, webhook=called.url) as server, server.http() as client:
        body = {"runs": [GOOD, BAD, GOOD], "name": "sweep", "on_end": writes(tmp_path / "told")}
        batch = client.post("/api/batches", json=body).json()["batch_id"]
        ((title, said),) = told(tmp_path / "told", 1)
        assert title == "batch sweep ended, 1 failed"
        assert [failure["reason"] for failure in said["failures"]] == ["exit_code"]
        wait_until(lambda: called.calls, 20, "the hook was called")
        client.post(f"/api/batches/{batch}/retry-failed")
        assert len(told(tmp_path / "told", 2)) == 2, "it ended again"
        wait_until(lambda: len(called.calls) == 2, 20, "the hook was called again")
        assert [m["event"] for m in called.messages()] == ["batch_ended"] * 2


def test_an_open_batch_is_told_of_when_it_is_closed(tmp_path: Path) -> None:
    with hook() as called, in_process(tmp_path) as server, server.http() as client:
        body = {"runs": [GOOD], "open": True, "webhook": called.url}
        batch = client.post("/api/batches", json=body).json()
        wait_ended(client, batch["runs"][0]["run_id"])
        assert not called.calls
        client.post(f"/api/batches/{batch['batch_id']}/close")
        wait_until(lambda: called.calls, 20, "the hook was called")
        assert called.messages()[0]["batch"]["ended_at"]


def test_every_run_of_a_batch_is_told_of_if_that_is_wanted(tmp_path: Path) -> None:
    with hook() as called, in_process(tmp_path, webhook=called.url, tell="run") as server:
        with server.http() as client:
            client.post("/api/batches", json={"runs": [GOOD, GOOD]})
            wait_until(lambda: len(called.calls) == 2, 20, "the hook was called for each")
        assert [m["event"] for m in called.messages()] == ["run_ended"] * 2


def test_a_webhook_is_tried_again_and_given_up_in_the_end(tmp_path: Path) -> None:
    with hook() as called, in_process(tmp_path, webhook=called.url) as server, server.http() as client:
        called.answers = [500, 429]
        first = submit(client, **GOOD)["run_id"]
        wait_until(lambda: len(called.calls) == 3, 20, "it was tried until it worked")
        assert len({m["delivery"] for m in called.messages()}) == 1
        assert client.get(f"/api/runs/{first}").json()["notice"] is None
        called.answers = [500] * notifier.TRIES + [404]
        second = submit(client, **GOOD)["run_id"]
        notice = wait_until(lambda: client.get(f"/api/runs/{second}").json()["notice"], 30, "it was given up")
        assert (
            notice
            == f"webhook {called.url.partition('/hook')[0]}/… could not be told: it answered 500, tried 8 times"
        )
        third = submit(client, **GOOD)["run_id"]
        wait_until(lambda: not called.answers, 20, "a refusal is not tried again")
        wait_ended(client, third)
        wait_until(lambda: not server.context.notifier.is_busy, 20, "all was told")
        assert client.get(f"/api/runs/{third}").json()["notice"] is None, "shown once until it works again"
        assert not list((tmp_path / "data" / "notices").glob("notice-*"))


def test_a_command_that_fails_is_shown_and_not_started_again(tmp_path: Path) -> None:
    fails = [*python("import sys; sys.exit('no bell')")]
    with in_process(tmp_path, on_end=fails) as server, server.http() as client:
        run = submit(client, **GOOD)["run_id"]
        notice = wait_until(lambda: client.get(f"/api/runs/{run}").json()["notice"], 30, "it was shown")
        assert notice.endswith("could not be told: it exited with 1: no bell")
    with in_process(tmp_path / "other", on_end=["no-such-program"]) as server, server.http() as client:
        batch = client.post("/api/batches", json={"runs": [GOOD]}).json()["batch_id"]
        path = f"/api/batches/{batch}"
        notice = wait_until(lambda: client.get(path).json()["notice"], 30, "it was shown")
        assert "it cannot be started" in notice


def test_a_run_and_a_batch_say_whom_they_tell_and_no_secret(tmp_path: Path) -> None:
    secret = "hidden-1f2e"
    wishes = {
        "on_end": ["true", "--token", secret],
        "modules": {"loud": {"command": ["true"], "webhook": WEB}},
    }
    with in_process(tmp_path, **wishes) as server, server.http() as client:
        asked = {"module_id": "loud", "num_cpus": 0.1, "memory": "64MiB", "hold": True}
        said = [{"kind": "command", "name": "true"}, {"kind": "webhook", "name": "http://127.0.0.1:9/…"}]
        run = submit(client, **asked)
        assert run["tells"] == said
        path = f"/api/batches/{_batch(client, [asked], webhook=WEB + secret, on_end=['false', secret])}"
        of_batch = client.get(path)
        own = [{"kind": "command", "name": "false"}, said[1]]
        # Each address once: here they are two that look alike.
        assert of_batch.json()["tells"] == [said[0], *own, said[1]]
        of_its_run = client.get("/api/runs", params={"batch_id": of_batch.json()["batch_id"]}).json()["runs"][
            0
        ]
        assert of_its_run["tells"] is None, "lists do not carry it"
        alone = client.get(f"/api/runs/{of_its_run['run_id']}")
        assert alone.json()["tells"] == [], "its batch is told of as a whole"
        again = client.get(f"/api/runs/{run['run_id']}")
        assert again.json()["tells"] == said
        assert secret not in of_batch.text + alone.text + again.text


def _batch(client: httpx.Client, runs: list[dict[str, Any]], **wishes: Any) -> str:
    answer = client.post("/api/batches", json={"runs": runs, **wishes})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"])


def test_what_was_not_told_is_told_by_the_next_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier, "FIRST_PAUSE", 60.0)
    monkeypatch.setattr(notifier, "LONGEST_PAUSE", 60.0)
    with hook() as called:
        called.answers = [503]
        with in_process(tmp_path, webhook=called.url) as server, server.http() as client:
            first = submit(client, **GOOD)["run_id"]
            wait_until(lambda: called.calls, 20, "it was tried")
            wait_until(lambda: not server.context.notifier.is_busy, 20, "it waits")
        pending = list((tmp_path / "data" / "notices").glob("notice-*"))
        assert len(pending) == 1
        spoilt = json.loads(pending[0].read_text())
        pending[0].write_text(json.dumps({**spoilt, "due": 0}))
        with in_process(tmp_path, webhook=called.url) as server:
            wait_until(lambda: len(called.calls) == 2, 20, "it was told")
        assert [m["run"]["run_id"] for m in called.messages()] == [first, first]


def test_what_ends_while_no_server_listens_is_told_of_later(tmp_path: Path) -> None:
    with hook() as called:
        with in_process(tmp_path) as server, server.http() as client:
            wait_ended(client, submit(client, **GOOD)["run_id"])
            server.call(stopped(server))
            late = wait_ended(client, submit(client, **GOOD)["run_id"])
        with in_process(tmp_path, webhook=called.url):
            wait_until(lambda: called.calls, 20, "it was told")
        assert [m["run"]["run_id"] for m in called.messages()] == [late["run_id"]]


async def stopped(server: InProcess) -> None:
    """Have nobody told of what ends from now on, as if the server was gone; what ended so far is read."""
    notifier = server.context.notifier
    await notifier.keep_mark()
    hub = server.context.hub
    hub._takers = [(kinds, take) for kinds, take in hub._takers if take != notifier.on_event]


def test_nothing_waits_for_who_is_told(tmp_path: Path) -> None:
    slow = python("import time; time.sleep(60)")
    with in_process(tmp_path, on_end=slow) as server, server.http() as client:
        for _ in range(notifier.AT_ONCE + 2):
            run = submit(client, **GOOD)["run_id"]
            assert wait_ended(client, run)["status"] == "completed"
        assert server.context.notifier.is_busy


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ({"webhook": "file:///etc/passwd"}, "webhook: must be an address that begins with http://"),
        ({"webhook": "http://me:secret@h/"}, "no user and no password"),
        ({"webhook": "https://"}, "webhook"),
        ({"on_end": [""]}, "must begin with a program"),
        ({"on_end": "echo"}, "on_end"),
    ],
)
def test_what_cannot_be_told_is_refused(tmp_path: Path, batch: dict[str, Any], words: str) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        assert_problem(client.post("/api/batches", json={"runs": [GOOD], **batch}), 422, words)
