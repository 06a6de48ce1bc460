"""Verbs that look into the store: history, show, ps, logs, stats, wait; no server is up."""

from __future__ import annotations

import pytest

from tests.unit.cli.playing import History, Runyard

LINES = b"first\nsecond\xff\nlast"


def test_history_json_is_the_page_newest_first(runyard: Runyard, history: History) -> None:
    page = runyard("history", "--json").json
    assert page["total"] == 4
    assert [r["run_id"] for r in page["runs"]] == [
        history.queued,
        history.running,
        history.failed,
        history.completed,
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--status", "failed"], ["failed"]),
        (["--status", "failed", "--status", "queued"], ["queued", "failed"]),
        (["--batch", "sweep", "--limit", "1"], ["running"]),
        (["--batch", "last", "--offset", "1"], ["failed", "completed"]),
        (["--module", "other"], []),
        (["--label", "team=red", "--limit", "1"], ["queued"]),
        (["--since", "2026-01-31T08:00:01Z"], ["queued"]),
        (["--until", "2026-01-31T08:00:01Z", "--status", "completed"], ["completed"]),
        (["--search", "epoch"], ["running"]),
        (["--exit-code", "3"], ["failed"]),
        (["--exit-code", "3", "--exit-code", "0"], ["failed", "completed"]),
        (["--exit-code", "137"], []),
    ],
)
def test_history_is_narrowed_by_its_options(
    runyard: Runyard, history: History, arguments: list[str], names: list[str]
) -> None:
    runs = runyard("history", "--json", *arguments).json["runs"]
    assert [r["run_id"] for r in runs] == [getattr(history, name) for name in names]


def test_history_is_a_table_for_people_and_says_what_it_leaves_out(
    runyard: Runyard, history: History
) -> None:
    answer = runyard("history", "--limit", "3")
    lines = answer.text.splitlines()
    assert lines[0].split() == ["RUN", "STATUS", "MODULE", "CREATED", "TIME", "EXIT", "WHY"]
    assert lines[3].split()[:4] == [history.failed, "failed", "Train", "it"]
    assert lines[3].endswith("2.0 s     3  exit code 3")
    assert answer.err == "runyard: 1 to 3 of 4; --offset shows more\n"


def test_nothing_a_run_wrote_steers_the_terminal(
    runyard: Runyard, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for arguments in (["history"], ["ps"], ["show", history.running]):
        answer = runyard(*arguments)
        assert b"\x1b[32m" in answer.out or b"\x1b[36m" in answer.out
        assert b"\x1b]" not in answer.out and b"owned" not in answer.out and b"\x1b[31m3" not in answer.out


def test_colours_are_left_out_where_nobody_wants_them(
    runyard: Runyard, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert b"\x1b" not in runyard("history").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\x1b" not in runyard("history").out


def test_show_takes_a_prefix_an_id_and_last(runyard: Runyard, history: History) -> None:
    for name in (history.queued, history.queued.lower(), "last"):
        assert runyard("show", name, "--json").json["run_id"] == history.queued
    assert runyard("show", history.failed[:3]).code == 2
    assert "more than one run begins with" in runyard("show", history.failed[:3]).err


def test_show_json_is_the_run_without_values_of_its_environment(runyard: Runyard, history: History) -> None:
    answer = runyard("show", history.failed, "--json")
    assert answer.json["env_keys"] == ["SECRET"] and b"hidden-value" not in answer.out
    assert (answer.json["status"], answer.json["exit_code"], answer.json["reason"]) == (
        "failed",
        3,
        "exit_code",
    )


def test_show_tells_people_a_fact_a_line(runyard: Runyard, history: History) -> None:
    lines = dict(line.split(maxsplit=1) for line in runyard("show", history.failed).text.splitlines())
    assert lines["status"] == "failed" and lines["why"] == "exit code 3"
    assert lines["command"] == "python train.py --lr '0 1'"
    assert lines["labels"] == "team=red" and lines["environment"] == "SECRET"
    assert lines["memory"] == "1 GiB" and lines["CPUs"] == "0.5"


def test_ps_lists_running_then_queued_runs(runyard: Runyard, history: History) -> None:
    page = runyard("ps", "--json").json
    assert page["total"] == 2
    assert [r["run_id"] for r in page["runs"]] == [history.running, history.queued]
    lines = runyard("ps").text.splitlines()
    assert lines[1].endswith("40% epoch 3") and lines[2].endswith("no server is running")


def test_logs_are_the_bytes_that_the_run_wrote(runyard: Runyard, history: History) -> None:
    assert runyard("logs", history.failed).out == LINES
    assert runyard("logs", history.failed, "-f").out == LINES
    assert runyard("logs", history.failed, "--tail", "2").out == b"second\xff\nlast"
    assert runyard("logs", history.failed, "--tail", "0").out == b""
    assert runyard("logs", history.completed).out == b""


def test_logs_put_the_time_before_each_line(runyard: Runyard, history: History) -> None:
    lines = runyard("logs", history.failed, "--timestamps", "--tail", "2").out.split(b"\n")
    assert lines == [b"2026-01-31T08:00:01.000000Z second\xff", b"2026-01-31T08:00:02.000000Z last"]


def test_logs_of_an_attempt_that_never_was_are_refused(runyard: Runyard, history: History) -> None:
    answer = runyard("logs", history.failed, "--attempt", "2")
    assert answer.code == 2 and "has no attempt 2; its newest is 1" in answer.err


def test_following_a_run_that_nobody_supervises_ends_and_says_so(runyard: Runyard, history: History) -> None:
    answer = runyard("logs", "-f", history.running)
    assert answer.code == 0 and "no server is running" in answer.err


def test_stats_count_by_module_and_status(runyard: Runyard, history: History) -> None:
    assert runyard("stats", "--json").json["counts"]["failed"] == 1
    assert runyard("stats").text.splitlines()[1].split() == ["train", "1", "1", "1", "1", "0"]


def test_waiting_for_what_has_ended_needs_no_server(runyard: Runyard, history: History) -> None:
    assert runyard("wait", history.completed).code == 0
    answer = runyard("wait", history.completed, history.failed)
    assert answer.code == 1
    assert answer.text == f"{history.failed}  failed  exit code 3\n1 run completed, 1 did not\n"
    assert runyard("wait", history.failed, "--json").json["total"] == 1


def test_cancelling_what_has_ended_is_refused_without_a_server(runyard: Runyard, history: History) -> None:
    answer = runyard("cancel", history.completed)
    assert answer.code == 1 and "has ended already: completed" in answer.err


def test_shells_complete_runs_and_batches(runyard: Runyard, history: History) -> None:
    from runyard.cli.complete import complete_run

    offered = [item.value for item in complete_run(None, None, "")]
    assert offered[:2] == ["last", history.queued]
    assert [item.value for item in complete_run(None, None, "@")] == ["@last", f"@{history.batch_id}"]
