"""Many live logs at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Request, expect

from runyard_actors.ids import new_id
from tests.integration.test_log_routes import Logged
from tests.support import wait_until
from tests.unit.store import making
from tests.web.log_page import LogPages, pages, server_and_browser, violations, wait_for

__all__ = ["pages", "server_and_browser"]


def address(runs: list[Logged], **more: str) -> str:
    query = "&".join([*(f"run={run.spec.run_id}" for run in runs), *(f"{k}={v}" for k, v in more.items())])
    return f"/monitor?{query}"


def written(pages: LogPages, count: int) -> list[Logged]:
    runs = pages.runs(count)
    for number, run in enumerate(runs):
        run.append(f"log of {number}\n".encode())
    return runs


def test_each_tab_shows_its_log_and_its_status(pages: LogPages) -> None:
    runs = written(pages, 3)
    page = pages.open(address(runs))
    expect(page.locator(".log-text")).to_have_text("log of 0")
    page.get_by_role("tab").nth(2).click()
    expect(page.locator(".log-text")).to_have_text("log of 2")
    expect(page).to_have_url(re.compile(f"active={runs[2].spec.run_id}"))
    pages.server.write([making.ended(runs[2].spec, code=1)])
    expect(page.get_by_role("tab").nth(2).get_by_role("img", name="failed")).to_be_visible()


@pytest.mark.parametrize(("at", "then"), [(0, 1), (1, 2), (2, 1)])
def test_closing_the_active_tab_goes_to_its_neighbour(pages: LogPages, at: int, then: int) -> None:
    runs = written(pages, 3)
    page = pages.open(address(runs, active=runs[at].spec.run_id))
    expect(page.locator(".log-text")).to_have_text(f"log of {at}")
    page.locator("[role=tab][aria-selected=true]").focus()
    page.keyboard.press("Delete")
    expect(page.locator(".log-text")).to_have_text(f"log of {then}")
    expect(page.locator("[role=tab][aria-selected=true]")).to_have_id(f"tab-{runs[then].spec.run_id}")
    expect(page).not_to_have_url(re.compile(runs[at].spec.run_id))
    page.reload()
    expect(page.locator(".log-text")).to_have_text(f"log of {then}")


def test_logs_stand_side_by_side_and_all_are_live(pages: LogPages) -> None:
    runs = written(pages, 5)
    page = pages.open(address(runs))
    for title, count in (("Two side by side", 2), ("Four", 4), ("One log", 1)):
        page.get_by_role("button", name=title).click()
        expect(page.locator(".log-viewer")).to_have_count(count)
    page.get_by_role("button", name="Four").click()
    expect(page.locator(".log-text")).to_have_count(4)
    for run in runs:
        run.append(b"more\n")
    expect(page.locator(".log-text", has_text="more")).to_have_count(4)


def test_as_one_each_line_has_its_run_before_it(pages: LogPages) -> None:
    runs = written(pages, 3)
    page = pages.open(address(runs, layout="merged"))
    expect(page.locator(".log-row")).to_have_count(3)
    runs[2].append(b"late one\n")
    expect(page.locator(".log-row")).to_have_count(4)
    runs[0].append(b"late other\n")
    expect(page.locator(".log-text").nth(4)).to_have_text("late other")
    colours = page.eval_on_selector_all(".log-source", "all => all.map(one => getComputedStyle(one).color)")
    assert colours[3:] == [colours[2], colours[0]] or len(set(colours)) == 3
    assert len(set(colours)) == 3
    link = page.locator(".log-number").nth(4).get_attribute("href")
    assert link == f"/runs/{runs[0].spec.run_id}#L2"


def test_however_many_logs_are_open_one_connection_brings_them(pages: LogPages) -> None:
    runs = written(pages, 12)
    page = pages.open("/monitor")
    open_now: dict[Request, None] = {}

    def ended(request: Request) -> None:
        open_now.pop(request, None)

    page.on(
        "request", lambda r: open_now.update({r: None}) if "/stream" in r.url or "/events" in r.url else None
    )
    page.on("requestfailed", ended)
    page.on("requestfinished", ended)
    page.goto(pages.url + address(runs, layout="merged"))
    for number, run in enumerate(runs):
        run.append(f"more of {number}\n".encode())
    expect(page.locator(".log-row")).to_have_count(24)

    def streams() -> int:
        page.evaluate("() => true")  # Lets the browser tell of requests that have ended.
        return sum("/api/logs/stream" in request.url for request in open_now)

    wait_until(lambda: streams() == 1, 20, "one connection is left")
    assert len(open_now) <= 2


def test_a_run_that_is_not_there_is_told_and_the_others_go_on(pages: LogPages) -> None:
    runs = written(pages, 1)
    page = pages.open(f"/monitor?run={new_id()}&run={runs[0].spec.run_id}&layout=two")
    expect(page.get_by_role("alert")).to_contain_text("is known")
    expect(page.locator(".log-text")).to_have_text("log of 0")


def test_runs_are_added_from_a_list(pages: LogPages) -> None:
    runs = written(pages, 2)
    page = pages.open(address(runs[:1]))
    page.get_by_role("button", name="Add a run").click()
    page.get_by_label("Find a run").fill(runs[1].spec.run_id)
    page.get_by_role("button", name=runs[1].spec.run_id[-6:]).click()
    expect(page.get_by_role("tab")).to_have_count(2)
    expect(page.locator(".log-text")).to_have_text("log of 1")


def test_with_nothing_open_all_that_run_are_one_click_away(pages: LogPages) -> None:
    written(pages, 2)
    page = pages.open("/monitor")
    page.get_by_role("button", name="Open all that run").click()
    wait_for(page, "() => document.querySelectorAll('[role=tab]').length >= 2")
    expect(page.locator(".log-text").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("layout", ["one", "four", "merged"])
def test_axe_finds_nothing(pages: LogPages, scheme: str, layout: str) -> None:
    runs = written(pages, 5)
    page = pages.open(address(runs, layout=layout), scheme)
    expect(page.locator(".log-text").first).to_be_visible()
    found: Any = violations(page)
    assert found == []
