"""`runyard export`: a file beside where one is, on standard output, of runs and batches, with no server up."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.playing import History, Runyard


def test_a_run_is_written_into_a_file_of_its_name(runyard: Runyard, history: History, tmp_path: Path) -> None:
    answer = runyard("export", history.failed, "--html")
    assert answer.code == 0, answer.err
    (file,) = answer.text.split()
    assert file.endswith(f"-{history.failed}.html")
    page = (tmp_path / file).read_text("utf-8")
    assert history.failed in page and page.startswith("<!DOCTYPE html>")


def test_it_is_printed_or_named_if_wanted(runyard: Runyard, history: History, tmp_path: Path) -> None:
    printed = runyard("export", history.completed, "--html", "-o", "-")
    assert printed.text.rstrip().endswith("</html>")
    told = json.loads(runyard("--json", "export", history.queued, "--html", "-o", "x.html").text)
    assert told == {"file": "x.html", "bytes": (tmp_path / "x.html").stat().st_size}
    bad = runyard("export", history.queued, "--html", "-o", "missing/x.html")
    assert bad.code != 0 and "missing/x.html cannot be written" in bad.err
    assert runyard("export", history.queued).code == 2, "the format is to be named"


def test_a_batch_has_the_logs_of_its_failed_runs(runyard: Runyard, history: History, tmp_path: Path) -> None:
    assert runyard("export", f"@{history.batch_id}", "--html", "-o", "b.html").code == 0
    page = (tmp_path / "b.html").read_text("utf-8")
    assert f'<section id="{history.failed}">' in page
    assert f'<section id="{history.completed}">' not in page
