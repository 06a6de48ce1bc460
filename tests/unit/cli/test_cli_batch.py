"""`runyard batch`: what is submitted, what is printed, how it ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runyard.cli.verb import Options
from runyard_cluster.errors import ConnectionFailedError
from tests.unit.cli.playing import Answer, Runyard, ScriptedClient, ended_json, interrupted_at, run_json

Play = Callable[..., Answer]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, runyard: Runyard, tmp_path: Path) -> Play:
    """Run `batch` on a file of three runs against a client that plays a script."""

    def play(client: ScriptedClient, *arguments: str) -> Answer:
        (tmp_path / "sweep.jsonl").write_text('{"command": ["true"]}\n' * 3)
        monkeypatch.setattr(Options, "starting_client", lambda self: client)
        return runyard("batch", "sweep.jsonl", *arguments)

    return play


def good_news() -> list[Any]:
    return [
        run_json("other", status="running"),
        run_json("r0", status="running"),
        ended_json("r0", module_name="a"),
        ended_json("r1", module_name="b"),
        ended_json("r2", module_name="c"),
    ]


def test_a_batch_is_submitted_with_what_the_command_line_adds(play: Play) -> None:
    client = ScriptedClient(news=good_news())
    play(client, "--max-concurrent", "2", "--max-failures", "1")
    body = client.calls[1][1]
    assert (body["name"], body["max_concurrent"], body["max_failures"]) == ("sweep", 2, 1)
    assert len(body["runs"]) == 3
    assert [call[0] for call in client.calls] == ["events", "submit_batch"]


def test_without_a_terminal_each_end_is_a_line_and_the_summary_the_last(play: Play) -> None:
    answer = play(ScriptedClient(news=good_news()))
    assert answer.code == 0 and answer.err == ""
    lines = answer.text.splitlines()
    assert lines[:3] == [
        "[1/3] completed  a  (0.8 s)",
        "[2/3] completed  b  (0.8 s)",
        "[3/3] completed  c  (0.8 s)",
    ]
    assert lines[3].startswith("batch sweep: 3 runs in ") and lines[3].endswith(": 3 completed")


def test_the_last_lines_say_what_modules_could_ask_for(play: Play) -> None:
    advice = [{"module_id": f"m{i}", "sentence": f"asks {i}\x1b[2J", "kind": "less_memory"} for i in range(9)]
    lines = play(ScriptedClient(news=good_news(), advice=advice)).text.splitlines()
    assert lines[-5:] == [f"m{i} asks {i}" for i in range(5)]
    gone = play(ScriptedClient(news=good_news(), advice=ConnectionFailedError))
    assert (gone.code, gone.err) == (0, "")


def test_a_failed_run_makes_it_1(play: Play) -> None:
    failed = ended_json("r1", "failed", reason="exit_code", reason_detail="exit code 3", batch_index=1)
    answer = play(ScriptedClient(news=[*good_news()[:3], failed, ended_json("r2")]))
    assert answer.code == 1
    assert "[2/3] failed  train  exit code 3  (0.8 s)" in answer.text
    assert answer.text.splitlines()[-1].endswith("runyard logs r1")


def test_detach_prints_the_batch_and_returns(play: Play) -> None:
    client = ScriptedClient()
    assert play(client, "--detach").out == b"b1\n"
    assert play(ScriptedClient(), "--detach", "--json").json["batch_id"] == "b1"
    assert [call[0] for call in client.calls] == ["submit_batch"]


def test_ctrl_c_cancels_an_embedded_batch_and_sees_it_end(play: Play) -> None:
    rest = [ended_json(f"r{i}", "cancelled", reason="batch_cancelled") for i in (1, 2)]
    client = ScriptedClient(news=[*good_news()[:3], KeyboardInterrupt, *rest])
    answer = play(client)
    assert answer.code == 130
    assert ("cancel_batch", "b1", "interrupted by Ctrl-C") in client.calls
    assert "interrupted; cancelling 2 runs of batch b1" in answer.err
    assert "1 completed, 2 cancelled" in answer.text


@pytest.mark.parametrize("options", [(), ("--json", "--detach"), ("--detach",)])
def test_ctrl_c_at_any_line_between_the_answer_and_the_watching_cancels_the_batch(
    play: Play, options: tuple[str, ...]
) -> None:
    for line in itertools.count():
        client = ScriptedClient(news=[ended_json(f"r{i}", "cancelled") for i in range(3)])
        with interrupted_at(line, "runyard/cli/") as places:
            answer = play(client, *options)
        names = [call[0] for call in client.calls]
        if not places:
            break
        assert (answer.code, names.count("cancel_batch")) == (130, 1), places
    assert line > 3, "it came at some places before"


def test_after_ctrl_c_the_stream_goes_on_right_behind_the_last_event(play: Play) -> None:
    news = [*good_news()[:3], KeyboardInterrupt, *good_news()[3:]]
    client = ScriptedClient(news=news)
    play(client)
    assert [call for call in client.calls if call[0] == "events"] == [("events", None), ("events", 96)]


def test_ctrl_c_leaves_the_batch_of_a_lasting_server_to_it(play: Play) -> None:
    client = ScriptedClient(news=[*good_news()[:3], KeyboardInterrupt], is_embedded=False)
    answer = play(client)
    assert answer.code == 130 and "goes on with 2 runs; 'runyard cancel @b1' stops it" in answer.err
    assert not any(call[0] == "cancel_batch" for call in client.calls)


def test_a_lost_server_is_told_and_exits_with_3(play: Play) -> None:
    answer = play(ScriptedClient(news=good_news()[:2]))
    assert answer.code == 3 and "the server ended the stream of events" in answer.err


def test_a_dry_run_prints_what_would_be_submitted_and_submits_nothing(
    runyard: Runyard, tmp_path: Path
) -> None:
    (tmp_path / "grid.toml").write_text(
        """
        name = "sweep"
        max_concurrent = 2
        [grid]
        lr = [0.1, 0.2]
        [[runs]]
        command = ["train", "a b", "{lr}"]
        name = "lr {lr}"
        env = { TOKEN = "secret" }
        priority = 3
        """
    )
    answer = runyard("batch", "grid.toml", "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.text.splitlines()
    assert lines[0] == "batch sweep: 2 runs, max_concurrent 2"
    assert lines[1].startswith("[0] lr 0.1: train 'a b' 0.1  (priority=3, cwd=")
    assert lines[1].endswith(", env=TOKEN)")
    assert "secret" not in answer.text
    body = runyard("--json", "batch", "grid.toml", "--dry-run").json
    assert [run["name"] for run in body["runs"]] == ["lr 0.1", "lr 0.2"]


def test_a_command_runs_for_each_row(runyard: Runyard, tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("photo\nx.png\ny.png\n")
    answer = runyard("batch", "--dry-run", "--for-each", "photos.csv", "--", "convert", "-v", "{photo}")
    assert [line.partition("  (")[0] for line in answer.text.splitlines()] == [
        "batch photos: 2 runs",
        "[0] convert -v x.png",
        "[1] convert -v y.png",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for-each", "photos.csv"], "name a command after --"),
        (["a.toml", "b.toml"], "name one batch file"),
        ([], "name one batch file"),
    ],
)
def test_what_is_to_run_must_be_named(runyard: Runyard, arguments: list[str], words: str) -> None:
    answer = runyard("batch", *arguments)
    assert answer.code == 2
    assert words in answer.err
