"""`runyard run`: what is asked for, what comes out, and what Ctrl-C does."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path
from typing import Any

import pytest

from runyard.cli.verb import Options
from runyard.cli.verbs import run as run_verb
from runyard_cluster.data_dir import DataDir
from tests.unit.cli.playing import Runyard, ScriptedClient, ended_json, interrupted_at, run_json

RUNNING = run_json(status="running")
DONE = ended_json()


def parsed(*arguments: str) -> dict[str, Any]:
    """Return the body that a command line submits."""
    context = run_verb.command.make_context("run", list(arguments), obj=Options())
    return run_verb.request(context.params)


def test_options_end_where_the_command_begins(data_dir: DataDir, tmp_path: Path) -> None:
    body = parsed("--num-cpus", "2", "python", "x.py", "--num-cpus", "9", "--", "-h")
    assert body == {
        "num_cpus": 2.0,
        "cwd": str(tmp_path),
        "command": ["python", "x.py", "--num-cpus", "9", "--", "-h"],
    }


def test_everything_a_run_may_ask_for_is_sent(data_dir: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "from here")
    request = "--num-cpus auto --num-gpus 0.25 --memory 4GiB --gpu-memory 8g --timeout 1h30m --priority -3"
    again = "--max-retries 2 --retry-on-out-of-memory 1.5"
    about = "--label team=red --label note= --env A=1=2 --env MINE --cwd sub --name it -- x"
    body = parsed(*request.split(), *again.split(), *about.split())
    assert body == {
        "num_cpus": "auto",
        "num_gpus": 0.25,
        "memory": 4 << 30,
        "gpu_memory": 8 << 30,
        "timeout": 5400.0,
        "priority": -3,
        "max_retries": 2,
        "retry_on_out_of_memory": 1.5,
        "labels": {"team": "red", "note": ""},
        "env": {"A": "1=2", "MINE": "from here"},
        "cwd": str(Path("sub").absolute()),
        "name": "it",
        "command": ["x"],
    }


def test_memory_may_be_learned(data_dir: DataDir) -> None:
    body = parsed("--memory", "learn", "--gpu-memory", "learn", "--module", "m")
    assert body == {"memory": "learn", "gpu_memory": "learn", "module": "m"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--module", "train", "--lr", "0.1", "--detach"],
        ["--module=train", "--", "--lr", "0.1", "--detach"],
    ],
)
def test_a_modules_own_options_need_no_separator(data_dir: DataDir, arguments: list[str]) -> None:
    assert parsed(*arguments) == {"module": "train", "args": ["--lr", "0.1", "--detach"]}


def test_options_of_ours_are_still_taken_after_the_module(data_dir: DataDir) -> None:
    body = parsed("--module", "train", "--num-cpus", "3", "a", "--num-cpus", "4")
    assert body == {"module": "train", "num_cpus": 3.0, "args": ["a", "--num-cpus", "4"]}


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, runyard: Runyard) -> Any:
    """Run one command line against a client that plays a script."""

    def play(client: ScriptedClient, *arguments: str) -> Any:
        monkeypatch.setattr(Options, "starting_client", lambda self: client)
        return runyard(*arguments)

    return play


def test_output_comes_out_byte_by_byte_and_the_code_is_the_runs_own(play: Any) -> None:
    end = ended_json(status="failed", reason="exit_code", exit_code=7)
    client = ScriptedClient(states=[RUNNING, end], logs=[[b"a\xff\r", b"\x1b[31m\n", b"no end"]])
    answer = play(client, "run", "--", "x")
    assert (answer.code, answer.out, answer.err) == (7, b"a\xff\r\x1b[31m\nno end", "")
    assert client.calls[0][1] == {"cwd": str(Path.cwd()), "command": ["x"]}


def test_every_attempt_is_followed(play: Any) -> None:
    second = run_json(status="running", attempt=2)
    client = ScriptedClient(states=[RUNNING, second, {**DONE, "attempt": 2}], logs=[[b"one\n"], [b"two\n"]])
    assert play(client, "run", "--", "x").out == b"one\ntwo\n"


def test_a_run_that_was_stopped_says_why_on_standard_error(play: Any) -> None:
    end = ended_json(
        status="failed", reason="memory_limit", reason_detail="used 4.3 GiB, limit 4.0 GiB; killed"
    )
    answer = play(ScriptedClient(states=[RUNNING, end], logs=[[]]), "run", "--", "x")
    assert answer.code == 137
    assert answer.err == "runyard: run 01A failed: used 4.3 GiB, limit 4.0 GiB; killed\n"


def test_detach_prints_the_id_or_the_run(play: Any) -> None:
    assert play(ScriptedClient(states=[RUNNING]), "run", "--detach", "--", "x").out == b"01A\n"
    assert play(ScriptedClient(states=[RUNNING]), "run", "--detach", "--json", "--", "x").json == RUNNING


def test_json_prints_the_ended_run_and_not_its_output(play: Any) -> None:
    answer = play(ScriptedClient(states=[RUNNING, DONE], logs=[[b"noise"]]), "--json", "run", "x")
    assert answer.json == DONE


def test_ctrl_c_cancels_the_run_and_shows_the_rest_of_its_output(play: Any) -> None:
    end = ended_json(status="cancelled", reason="cancelled_by_user", signal=15)
    client = ScriptedClient(states=[RUNNING, end], logs=[[b"before\n", KeyboardInterrupt, b"after\n"]])
    answer = play(client, "run", "--", "x")
    assert (answer.code, answer.out) == (130, b"before\nafter\n")
    assert ("cancel", "01A", "interrupted by Ctrl-C") in client.calls
    assert "cancelling run 01A; Ctrl-C again leaves it alone" in answer.err


def test_a_second_ctrl_c_leaves_the_run_alone(play: Any) -> None:
    client = ScriptedClient(states=[RUNNING], logs=[[b"a", KeyboardInterrupt, KeyboardInterrupt]])
    answer = play(client, "run", "--", "x")
    assert answer.code == 130 and "'runyard logs -f 01A' follows it" in answer.err
    assert [call[0] for call in client.calls].count("cancel") == 1


def test_ctrl_c_during_the_submit_cancels_what_was_accepted(play: Any) -> None:
    class Slow(ScriptedClient):
        def submit(self, body: dict[str, Any], key: str) -> dict[str, Any]:
            self.calls.append(("submit", key))
            if len(self.calls) == 1:
                raise KeyboardInterrupt
            return RUNNING

    client = Slow(states=[RUNNING])
    assert play(client, "run", "--", "x").code == 130
    assert [call[0] for call in client.calls] == ["submit", "submit", "cancel"]
    assert client.calls[0] == client.calls[1]


@pytest.mark.parametrize("options", [(), ("--json",), ("--detach",)])
def test_ctrl_c_at_any_line_between_the_answer_and_the_following_cancels_the_run(
    play: Any, options: tuple[str, ...]
) -> None:
    for line in itertools.count():
        client = ScriptedClient(states=[RUNNING, ended_json(status="cancelled")], logs=[[b"x"]])
        with interrupted_at(line, "runyard/cli/") as places:
            answer = play(client, "run", *options, "--", "x")
        names = [call[0] for call in client.calls]
        if not places:
            break
        assert (answer.code, names.count("cancel")) == (130, 1), places
    assert line > 3, "it came at some places before"


def test_being_terminated_is_taken_as_ctrl_c(play: Any) -> None:
    class Terminated(ScriptedClient):
        def log_pieces(self, *where: Any) -> Any:
            if not any(call[0] == "cancel" for call in self.calls):
                signal.raise_signal(signal.SIGTERM)
            yield 0, b""

    before = signal.getsignal(signal.SIGTERM)
    client = Terminated(states=[RUNNING, ended_json(status="cancelled")])
    assert play(client, "run", "--", "x").code == 130
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_reader_that_goes_away_ends_the_run(play: Any) -> None:
    class Unread(ScriptedClient):
        def log_pieces(self, *where: Any) -> Any:
            raise BrokenPipeError
            yield 0, b""

    client = Unread(states=[RUNNING])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runyard.cli.main._forget_output", lambda: None)
        assert play(client, "run", "--", "x").code == 141
    assert client.calls[-1][0] == "cancel"
