"""Tables, lines and figures, made from plain values."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.cli.say import clean
from runyard.cli.tally import Tally
from runyard.cli.verbs.top import frame
from runyard.cli.view.batch_lines import bar, ended_line, live_lines, summary
from runyard.cli.view.batch_view import LiveView, PlainView, batch_view
from runyard.cli.view.machine import paused_words
from runyard.cli.view.run_table import active_table, facts
from runyard.cli.view.table import Column, cell_width, cut, render
from runyard.cli.view.words import plural
from tests.unit.cli.playing import ended_json, run_json

NOW = datetime(2026, 1, 31, 8, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("\x1b(0x\x1b7y", "xy"),
        ("a\tb\nc\rd\x00e\x9b31mf", "a b cde31mf"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\x1b]unfinished", ""),
        ("\ud800", "?"),
        ("größe 大", "größe 大"),
    ],
)
def test_text_of_runs_is_one_line_without_steering(given_text: str, shown: str) -> None:
    assert clean(given_text) == shown


@given(st.text())
def test_no_text_of_a_run_keeps_a_control_character(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in clean(text))


def test_a_table_is_padded_and_aligned() -> None:
    columns = [Column("NAME"), Column("N", is_number=True)]
    assert render(columns, [["a", "10"], [("大x", "red"), "5"]]).split("\n") == [
        "NAME   N",
        "a     10",
        click.style("大x", fg="red") + "    5",
    ]


def test_a_table_gives_way_in_its_widest_column_to_fit_the_window() -> None:
    columns = [Column("ID"), Column("A", gives_way=True), Column("B", gives_way=True)]
    lines = render(columns, [["0123456789", "a" * 50, "b" * 20]], 50).split("\n")
    assert lines[1] == "0123456789  " + "a" * 17 + "…  " + "b" * 17 + "…"
    assert len(render(columns, [["x" * 30, "a" * 50, "b"]], 10).split("\n")[1]) > 10


@given(st.text(alphabet="ab大é", max_size=20), st.integers(0, 20))
def test_a_cut_text_is_never_wider_than_asked(text: str, width: int) -> None:
    assert cell_width(cut(text, width)) <= max(width, 0)


def test_an_ended_run_is_one_line() -> None:
    tally = Tally(50)
    for index in range(11):
        tally.take(ended_json(f"r{index}"))
    run = ended_json(
        "r11", "failed", module_name="parse-json", reason="exit_code", reason_detail="exit code 3"
    )
    tally.take(run)
    assert click.unstyle(ended_line(run, tally)) == "[12/50] failed  parse-json  exit code 3  (0.8 s)"
    assert click.unstyle(ended_line(ended_json(module_name="x"), tally)) == "[12/50] completed  x  (0.8 s)"


def test_the_live_view_fits_the_window() -> None:
    tally = Tally(100)
    for index in range(30):
        tally.take(
            run_json(
                f"r{index}",
                status="running",
                started_at="2026-01-31T08:00:00Z",
                progress=0.5,
                message="working " * 20,
            )
        )
    for width, height in ((80, 24), (40, 10), (200, 50)):
        lines = [click.unstyle(line) for line in live_lines(tally, 60.0, width, height, NOW)]
        assert len(lines) < height
        assert all(cell_width(line) <= width for line in lines)
    assert lines[2].split() == ["RUNNING", "TIME", "NOW"]
    assert lines[3].startswith("train    1 m 00 s  50% working")
    assert click.unstyle(live_lines(tally, 60.0, 80, 10, NOW)[-1]) == "and 25 more running"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_batch_is_drawn_in_place_and_failures_stay() -> None:
    tally, screen = Tally(2), Terminal()
    with batch_view(tally, screen) as view:
        assert isinstance(view, LiveView)
        for run in (ended_json("a"), ended_json("b", "failed", reason="exit_code", module_name="[bold]x")):
            tally.take(run)
            view.ended(run)
    text = click.unstyle(screen.getvalue())
    assert "[2/2] failed  [bold]x  exit code  (0.8 s)" in text
    assert "completed  train" not in text and "1 completed · 1 failed" in text
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") == 1


def test_a_terminal_that_cannot_draw_gets_plain_lines() -> None:
    screen = Terminal()
    screen.encoding = "ascii"
    assert isinstance(batch_view(Tally(1), screen), PlainView)
    assert isinstance(batch_view(Tally(1), io.StringIO()), PlainView)


def test_the_bar_tells_progress_and_the_time_left() -> None:
    tally = Tally(4)
    tally.take(ended_json("a"))
    assert click.unstyle(bar(tally, 10.0, 80)).endswith("  25%  10 s  30 s left")
    assert click.unstyle(bar(tally, 10.0, 80)).count("━") == 10
    assert len(click.unstyle(bar(tally, 10.0, 12))) <= 12


def test_the_summary_lists_what_did_not_complete_and_how_to_see_why() -> None:
    tally = Tally(3)
    tally.take(ended_json("a"))
    tally.take(
        ended_json(
            "b", "failed", batch_index=1, reason="timeout", reason_detail="ran 30 m, limit 30 m; stopped"
        )
    )
    cancelled = run_json(
        "c", status="cancelled", batch_index=2, reason="dependency_failed", module_name="late"
    )
    tally.take(cancelled)
    lines = click.unstyle(summary(tally, 61.0, "sweep", "b1", None)).split("\n")
    assert lines[0] == "batch sweep: 3 runs in 1 m 01 s: 1 completed, 1 failed, 1 cancelled"
    assert lines[3].split("  ") == [
        "  2",
        "failed   ",
        " train ",
        "ran 30 m, limit 30 m; stopped",
        "runyard logs b",
    ] or (lines[3].endswith("train   ran 30 m, limit 30 m; stopped  runyard logs b"))
    assert lines[4].endswith("late    dependency failed")


def test_a_long_summary_names_the_command_for_the_rest() -> None:
    tally = Tally(30)
    for index in range(30):
        tally.take(ended_json(f"r{index}", "failed", reason="exit_code"))
    assert "and 10 more: runyard history --batch b1 --status failed" in summary(tally, 1.0, None, "b1", None)


def test_a_queued_run_says_in_how_long_it_may_start() -> None:
    now = datetime(2026, 1, 31, 8, 0, 0, tzinfo=UTC)
    queued = run_json("01B", waiting_for="all slots", expected_start="2026-01-31T08:03:20.000000Z")
    lines = click.unstyle(active_table([run_json("01A", status="running"), queued], None, now)).splitlines()
    assert "STARTS IN" in lines[0]
    assert "3 m 20 s" not in lines[1] and "3 m 20 s" in lines[2]
    assert "in about 3 m 20 s, if runs take what they usually do" in click.unstyle(facts(queued, (), now))
    late = {**queued, "expected_start": "2026-01-31T07:59:00.000000Z"}
    assert "0.0 s" in click.unstyle(active_table([late], None, now))
    assert "STARTS IN" not in click.unstyle(active_table([run_json("01B")], None, now))


def test_both_kinds_of_pause_are_told() -> None:
    words = "paused while on battery (pause_when)"
    assert paused_words({"is_paused": False, "paused_while": None}) == []
    assert paused_words({"is_paused": False, "paused_while": words}) == [words]
    assert paused_words({"is_paused": True, "paused_while": words}) == [
        "paused, 'runyard resume' goes on",
        words,
    ]


def test_top_shows_the_machine_then_what_runs() -> None:
    found = {
        "resources": {
            "semaphore": {"active": 1, "max_concurrent_runs": 10, "queued": 2, "is_paused": True},
            "nodes": [
                {
                    "node": "ws1",
                    "capacity": {"num_cpus": 8, "memory": 16 << 30},
                    "declared": {"num_cpus": 2.5, "memory": 4 << 30},
                    "free": {"num_cpus": 5.5, "memory": 12 << 30},
                    "use": {"cpu_busy_percent": 31.4, "memory_free": 9 << 30},
                    "gpus": [{"index": 0, "name": "H100", "memory_bytes": 80 << 30, "free_bytes": 70 << 30}],
                    "guard": "CPU is busy",
                }
            ],
        },
        "runs": [run_json(f"r{i}", status="running") for i in range(9)],
        "total": 20,
        "usage": {"r0": {"run_id": "r0", "cpu_percent": 93.4, "memory": 5 << 20}},
    }
    lines = [click.unstyle(line) for line in frame(found, 120, 14)]
    assert any("r0" in line and "93" in line and "5 MiB" in line for line in lines)
    assert lines[0] == "slots   1 of 10 taken, 2 queued; paused, 'runyard resume' goes on"
    assert lines[1] == "node    ws1: CPU is busy"
    assert lines[2] == "  CPUs    2.5 of 8 declared, 5.5 free; 31% busy"
    assert lines[3] == "  memory  4 GiB of 16 GiB declared, 12 GiB free; 9 GiB unused"
    assert lines[4] == "  GPU 0  80 GiB, 70 GiB unused H100"
    assert len(lines) < 14 and lines[-1] == "and 15 runs more"


def test_words_agree_with_their_number() -> None:
    assert [plural(0, "run"), plural(1, "run"), plural(2, "batch")] == ["0 runs", "1 run", "2 batches"]
