"""The group of verbs: help, misuse, global options, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from runyard.cli.main import VERBS, cli
from runyard.cli.verb import Verb
from runyard_cluster.data_dir import DataDir
from tests.unit.cli.playing import History, Runyard

HEAVY = {"ray", "fastapi", "pydantic", "pydantic_settings", "httpx", "uvicorn", "rich.console"}


def imported_by(*arguments: str) -> set[str]:
    """Return which heavy packages one command line imported, in a process of its own."""
    code = (
        "import sys; from runyard.cli.main import run; run(sys.argv[1:]); sys.stdout.flush();"
        f"print('\\nHEAVY', *sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("HEAVY")[2].split())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_that_agrees_with_the_overview(verb: str, runyard: Runyard) -> None:
    command = import_module(f"runyard.cli.verbs.{verb.replace('-', '_')}").command
    assert isinstance(command, Verb)
    assert isinstance(command, click.Command) and command.help
    answer = runyard(verb, "--help")
    assert answer.code == 0 and answer.err == ""
    assert answer.text.startswith(f"Usage: runyard {verb} ")
    assert all(option in answer.text for option in ("--json", "--config", "--url"))


def test_the_overview_lists_every_verb(runyard: Runyard) -> None:
    for arguments in ([], ["--help"]):
        answer = runyard(*arguments)
        assert answer.code == 0
        assert all(f"  {verb}" in answer.text for verb in VERBS)
    assert list(VERBS) == cli.list_commands(click.Context(cli))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["history"],
        ["show", "last"],
        ["ps", "--json"],
        ["stats"],
        ["logs", "x"],
    ],
)
def test_looking_something_up_imports_nothing_heavy(
    arguments: list[str], data_dir: DataDir, history: History
) -> None:
    assert imported_by(*arguments) == set()


def test_the_version_is_printed_or_said(runyard: Runyard) -> None:
    assert runyard("--version").text.startswith("runyard ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["histroy"], "there is no verb 'histroy'; did you mean 'history'?"),
        (["zzz"], "there is no verb 'zzz'; 'runyard --help' lists all"),
        (["show"], "'runyard show --help' says more"),
        (["history", "--limit", "0"], "--limit"),
        (["history", "--status", "done"], "queued"),
        (["history", "--since", "soon"], "must be a date"),
        (["--config", "gone.toml", "history"], "gone.toml: no such file"),
        (["run"], "name a command after --"),
        (["run", "--num-cpu", "2", "x"], "--num-cpus"),
        (["run", "--memory", "64 gigs", "--", "x"], "'64 gigs' is not a size"),
        (["run", "--timeout", "0", "--", "x"], "must be greater than 0"),
        (["run", "--num-cpus", "nan", "--", "x"], "must be 0, or from 0.001"),
        (["run", "--env", "NO_SUCH", "--", "x"], "'NO_SUCH' must be KEY=VALUE"),
        (["batch", "gone.toml"], "gone.toml: cannot be read"),
        (["batch", "x.txt"], "ends in one of .toml"),
        (["show", "last"], "there is no run yet"),
        (["show", "\udcff"], "'\\udcff' "),
        (["cancel", "@last"], "there is no batch yet"),
        (["history", "--batch", "nope"], "no batch 'nope' is known"),
        (["wait", ""], "no run '' is known"),
    ],
)
def test_misuse_is_one_clear_line_and_exit_code_2(runyard: Runyard, arguments: list[str], words: str) -> None:
    answer = runyard(*arguments)
    assert answer.code == 2
    assert answer.out == b""
    assert answer.err.startswith("runyard: ") and answer.err.count("\n") == 1
    assert words in answer.err and "Traceback" not in answer.err


@pytest.mark.parametrize("verb", ["pause", "resume", "resources", "top", "open"])
def test_without_a_server_what_needs_one_exits_with_3(runyard: Runyard, verb: str) -> None:
    answer = runyard(verb)
    assert (answer.code, answer.out) == (3, b"")
    assert answer.err == "runyard: no server is running; 'runyard up' starts one\n"


@pytest.mark.parametrize("arguments", [["--json", "ps"], ["ps", "--json"]])
def test_global_options_are_taken_before_and_after_the_verb(runyard: Runyard, arguments: list[str]) -> None:
    assert runyard(*arguments).json == {"runs": [], "total": 0}


def test_a_reader_that_goes_away_is_no_noise(data_dir: DataDir, history: History) -> None:
    command = [sys.executable, "-m", "runyard", "history"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 141


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(runyard: Runyard, shell: str) -> None:
    answer = runyard("completion", shell)
    assert answer.code == 0 and "_RUNYARD_COMPLETE" in answer.text


def test_doctor_tells_facts_without_a_server(runyard: Runyard) -> None:
    answer = runyard("doctor", "--json")
    assert answer.code == 0
    subjects = {fact["subject"] for fact in answer.json}
    assert {"system", "Ray", "database", "settings", "data folder", "memory limit", "whole tree"} <= subjects
    assert "memory limit" in runyard("doctor").text


def test_doctor_says_which_rules_hold_and_which_never_can(
    runyard: Runyard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    (tmp_path / "runyard.toml").write_text('pause_when = ["00:00-24:00", "fullscreen"]\n')
    facts = [f for f in runyard("doctor", "--json").json if f["subject"] == "pause_when"]
    assert facts[0]["state"] == "good"
    assert facts[0]["detail"] == "00:00-24:00: paused from 00:00 to 24:00"
    if sys.platform != "win32":
        assert facts[1]["state"] == "limited"
        assert facts[1]["detail"].startswith("fullscreen: not available here, so it never holds: ")


def test_doctor_says_what_is_wrong_with_the_settings(runyard: Runyard, tmp_path: Path) -> None:
    (tmp_path / "runyard.toml").write_text("max_concurent_runs = 3")
    answer = runyard("doctor")
    assert answer.code == 1 and "max_concurent_runs" in answer.text


def test_modules_are_listed_from_the_settings_without_a_server(runyard: Runyard, tmp_path: Path) -> None:
    (tmp_path / "runyard.toml").write_text(
        '[modules.thumbs]\nname = "Thumbnails"\nscript = "t.py"\nmemory = "4GiB"\nenv = { KEY = "hidden" }\n'
    )
    assert "Thumbnails" in runyard("modules").text and "4 GiB" in runyard("modules").text
    module = runyard("modules", "--json").json["modules"][0]
    assert module["module_id"] == "thumbs" and module["env_keys"] == ["KEY"] and "hidden" not in str(module)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example(runyard: Runyard, verb: str) -> None:
    words = runyard(verb, "--help").out.decode()
    assert f"runyard {verb}" in words.partition("Examples:")[2]


@pytest.mark.skipif(sys.platform == "win32", reason="names what POSIX says")
@pytest.mark.parametrize("place", ["a-file", "a-file/below", "n" * 300])
@pytest.mark.parametrize(
    "line", ["up --port 0", "run -- true", "down", "resources", "open", "ps", "doctor", "logs last"]
)
def test_a_data_folder_that_none_can_be_is_told_of_in_words(
    line: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runyard: Runyard
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv("RUNYARD_DATA_DIR", str(tmp_path / place))
    answer = runyard(*line.split())
    assert "internal error" not in answer.err
    if line == "doctor":
        assert "cannot be used" in answer.text
    else:
        assert answer.code in (1, 2, 3) and str(tmp_path / place) in answer.err
