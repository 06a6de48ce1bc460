"""Runs and batches in a notebook: a table, and no text of theirs taken for HTML."""

from __future__ import annotations

from runyard.notebook import LISTED, batch_html, run_html


def test_a_run_is_a_row_and_its_words_are_text() -> None:
    run = {
        "run_id": "01R",
        "module_id": "m",
        "module_name": "<b>",
        "status": "failed",
        "reason_detail": "<script>",
    }
    shown = run_html(run)
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    assert "&lt;b&gt;" in shown and "failed" in shown


def test_a_batch_counts_and_lists_what_did_not_complete_first() -> None:
    runs = [{"run_id": f"r{n}", "module_id": "m", "status": "completed"} for n in range(LISTED + 5)]
    runs.append({"run_id": "bad", "module_id": "m", "status": "failed"})
    shown = batch_html("01B", None, runs)
    assert "25 <span" in shown and "and 6 more" in shown
    assert shown.index("bad") < shown.index("r0")
    assert "no runs" in batch_html("01B", "x", [])
