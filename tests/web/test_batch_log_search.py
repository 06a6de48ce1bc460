"""Search of all logs of a batch, on its page."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from runyard_actors.ids import new_id
from runyard_actors.run import BatchId
from tests.integration.test_log_routes import Logged
from tests.unit.store import making
from tests.web.log_page import LogPages, pages, server_and_browser, violations, wait_for_line

__all__ = ["pages", "server_and_browser"]


def batch(pages: LogPages) -> list[Logged]:
    specs = making.specs(4, batch_id=BatchId(new_id()))
    pages.server.write([making.submitted(specs)])
    pages.server.write([c for spec in specs for c in (making.starting(spec), making.started(spec))])
    runs = [Logged(pages.server, spec) for spec in specs]
    for number, run in enumerate(runs):
        run.append(b"start\n" * 50 + b"<b>loss</b> is nan\n" * number)
    return runs


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_hit_leads_to_its_line(pages: LogPages, scheme: str) -> None:
    runs = batch(pages)
    page = pages.open(f"/batches/{runs[0].spec.batch_id}", scheme)
    page.get_by_label("Search the logs of all runs").fill("IS NAN")
    page.keyboard.press("Enter")
    expect(page.get_by_text("6 hits in 3 of 4 runs")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert violations(page) == []
    hit = page.get_by_role("link", name="<b>loss</b> is nan").nth(1)
    hit.click()
    expect(page).to_have_url(re.compile(f"/runs/{runs[2].spec.run_id}#L51$"))
    wait_for_line(page, "<b>loss</b> is nan")


def test_a_wrong_pattern_is_told_in_words(pages: LogPages) -> None:
    runs = batch(pages)
    page = pages.open(f"/batches/{runs[0].spec.batch_id}")
    page.get_by_role("button", name="Pattern").click()
    page.get_by_label("Search the logs of all runs").fill("(nan")
    page.keyboard.press("Enter")
    expect(page.get_by_text("the pattern is wrong: missing )")).to_be_visible()
