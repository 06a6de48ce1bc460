"""Every view: there, without an error, usable by everyone, and on the smallest screen."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.in_process import InProcess
from tests.web.conftest import ROOT, Opener
from tests.web.yard import paths

AXE = ROOT / "dashboards" / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = (
    "overview",
    "runs",
    "runs with a pane",
    "run",
    "run that failed",
    "usage",
    "request",
    "attempts",
    "details",
    "batches",
    "batch",
    "monitor",
    "compare",
    "modules",
    "machine",
)
#: What is still read when a view is there.
LOADING = '[role="status"][aria-label^="Loading"]'


def settle(page: Page) -> None:
    """Wait until nothing is being loaded."""
    page.wait_for_function(f"() => !document.querySelector('{LOADING}')")
    page.wait_for_load_state("load")


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{v['id']}: {n['html'][:200]} {n['failureSummary'][:300]}" for v in found for n in v["nodes"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_view(open_page: Opener, server: InProcess, theme: str) -> None:
    opened = open_page(theme=theme)
    found = {}
    for view in VIEWS:
        opened.go(paths(server)[view])
        settle(opened.page)
        if wrong := violations(opened.page):
            found[view] = wrong
    assert not found, "\n".join(f"{view}\n  " + "\n  ".join(wrong) for view, wrong in found.items())


def test_nothing_is_wider_than_the_smallest_screen(open_page: Opener, server: InProcess) -> None:
    opened = open_page(width=320, height=640)
    wide = {}
    for view in VIEWS:
        opened.go(paths(server)[view])
        settle(opened.page)
        over = opened.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if over > 0:
            wide[view] = over
    assert not wide


def test_on_a_small_screen_a_run_of_the_list_lies_over_it(open_page: Opener, server: InProcess) -> None:
    page = open_page(width=320, height=640).go(paths(server)["runs with a pane"])
    pane = page.get_by_role("complementary", name=re.compile("^Run Census"))
    expect(pane).to_be_in_viewport(ratio=0.95)
    expect(pane.get_by_role("log")).to_contain_text("no such table")
    pane.get_by_role("button", name="Close").click()
    expect(pane).to_have_count(0)


def test_the_first_view_takes_little_script(open_page: Opener, server: InProcess) -> None:
    opened = open_page()
    scripts: list[bytes] = []
    opened.page.on("response", lambda r: scripts.append(r.body()) if r.url.endswith(".js") else None)
    opened.go("/")
    settle(opened.page)
    total = sum(len(gzip.compress(script)) for script in scripts)
    print(f"the first view: {len(scripts)} scripts, {total / 1000:.0f} kB")
    assert 0 < total < 150_000


def test_axe_sees_what_is_wrong(open_page: Opener) -> None:
    page = open_page().go("/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button>')")
    assert any(found.startswith("button-name") for found in violations(page))


def test_nothing_jumps_while_the_overview_loads(open_page: Opener) -> None:
    opened = open_page()
    opened.page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.shift += e.value))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    opened.go("/")
    settle(opened.page)
    opened.page.get_by_role("article").first.wait_for()
    assert opened.page.evaluate("window.shift") < 0.1
