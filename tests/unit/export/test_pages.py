"""Pages of runs and batches: whole, closed, without scripts, and nothing in them is taken for HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from runyard.export.batch_page import batch_page
from runyard.export.log_part import LogPart
from runyard.export.run_page import run_page
from runyard.export.timeline import bars, picture
from tests.unit.cli.playing import run_json

NOW = datetime(2026, 1, 31, 8, 10, tzinfo=UTC)
EVIL = '<script>alert("1")</script>&\'</pre>'
VOID = {"meta", "line", "rect", "br"}


class Reader(HTMLParser):
    """Reads a page, and fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert not {"script", "link", "img", "iframe"} & reader.seen, "it loads nothing and runs nothing"
    assert not {each for each in reader.attributes if each.startswith("on")}
    return reader


def attempt(number: int, start: str | None, end: str | None, **more: Any) -> dict[str, Any]:
    return {
        "attempt": number,
        "node": "ws1",
        "started_at": start,
        "ended_at": end,
        "duration_seconds": 60.0,
        "exit_code": 1,
        "reason": "exit_code",
        "reason_detail": None,
        **more,
    }


def ended(**changes: Any) -> dict[str, Any]:
    run = run_json("01RUN", status="failed", module_name="Train", reason="exit_code", exit_code=3)
    times = {
        "created_at": "2026-01-31T08:00:00Z",
        "started_at": "2026-01-31T08:04:00Z",
        "ended_at": "2026-01-31T08:05:00Z",
        "duration_seconds": 60.0,
    }
    return {**run, **times, "reason_detail": "exited with 3", "env_keys": ["SECRET_NAME"], **changes}


ATTEMPTS = [
    attempt(1, "2026-01-31T08:02:00Z", "2026-01-31T08:03:00Z"),
    attempt(2, "2026-01-31T08:04:00Z", "2026-01-31T08:05:00Z"),
]


def test_a_page_says_what_was_asked_how_it_went_and_what_it_printed() -> None:
    shown = read(run_page(ended(), ATTEMPTS, LogPart(head="hello\n", size=6), NOW)).text
    for words in (
        "Train",
        "failed",
        "exited with 3",
        "hello",
        "SECRET_NAME",
        "attempt 2",
        "01RUN",
        "2026-01-31 08:10",
    ):
        assert words in shown, words


def test_nothing_of_a_run_is_taken_for_html() -> None:
    run = ended(
        module_name=EVIL, reason_detail=EVIL, command=[EVIL], labels={EVIL: EVIL}, message=EVIL, result=EVIL
    )
    page = run_page(run, [attempt(1, None, None, reason_detail=EVIL)], LogPart(head=EVIL, size=9), NOW)
    assert EVIL not in page
    assert read(page).text.count("alert") >= 6


@pytest.mark.parametrize(
    "run",
    [
        run_json("01Q", created_at="2026-01-31T08:00:00Z", waiting_for="position 3 of 9"),
        ended(status="running", ended_at=None, reason=None, reason_detail=None, exit_code=None),
        ended(
            status="completed", origin={"commit": "a" * 40, "dirty": True, "packages": "p"}, result={"a": 1}
        ),
    ],
)
def test_every_kind_of_run_has_a_page(run: dict[str, Any]) -> None:
    read(run_page(run, ATTEMPTS if run["started_at"] else [], LogPart(head=""), NOW))


def test_a_cut_log_says_how_much_is_left_out() -> None:
    log = LogPart(head="first\n", tail="last\n", left_out=3 * 2**20, size=4 * 2**20)
    shown = read(run_page(ended(), ATTEMPTS, log, NOW)).text
    assert "3 MiB of 4 MiB are left out here" in shown
    assert shown.index("first") < shown.index("left out") < shown.index("last\n")


def test_the_timeline_shows_the_wait_and_each_attempt() -> None:
    found = bars(ended(), ATTEMPTS, NOW)
    assert [(b.name, b.kind, b.start, b.end) for b in found] == [
        ("queued", "queued", 0, 120),
        ("attempt 1", "failed", 120, 180),
        ("attempt 2", "failed", 240, 300),
    ]
    assert picture(found).count("<rect") == 3
    waiting = bars(run_json(created_at="2026-01-31T08:09:00Z"), [], NOW)
    assert [(b.name, b.end) for b in waiting] == [("queued", 60)]


def batch(**changes: Any) -> dict[str, Any]:
    counts = {"queued": 0, "running": 0, "completed": 1, "failed": 1, "cancelled": 0}
    times = dict.fromkeys(("started_at", "ended_at", "cancelled_at", "max_concurrent", "max_failures"))
    return {
        "batch_id": "01B",
        "name": EVIL,
        "total": 2,
        "counts": counts,
        "created_at": "then",
        **times,
        **changes,
    }


def test_a_batch_is_a_table_of_runs_and_the_logs_of_the_failed() -> None:
    runs = [ended(batch_index=0), ended(run_id="01GOOD", status="completed", batch_index=1, module_name=EVIL)]
    page = batch_page(batch(), runs, {"01RUN": LogPart(head=EVIL, size=9)}, NOW)
    shown = read(page)
    assert EVIL not in page
    assert '<a href="#01RUN">' in page and '<section id="01RUN">' in page
    assert '<a href="#01GOOD">' not in page
    assert "1 completed, 1 failed" in shown.text
    assert "are shown" not in shown.text


def test_a_batch_that_is_too_large_says_what_is_shown() -> None:
    large = batch(total=9_000, counts={**batch()["counts"], "failed": 500})
    shown = read(batch_page(large, [ended(batch_index=0)], {"01RUN": LogPart(head="x", size=1)}, NOW)).text
    assert "The first 1 of 9000 runs are shown." in shown
    assert "The first 1 of 500 failed runs with their logs are shown." in shown
