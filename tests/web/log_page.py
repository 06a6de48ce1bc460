"""What tests of logs in the browser share: a served store with logs that the test writes, and pages on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.test_log_routes import Logged, running
from tests.store_server import StoreServer, serving

AXE = Path(__file__).parents[2] / "dashboards" / "web" / "node_modules" / "axe-core" / "axe.min.js"
#: What a busy machine may take to show something.
LIMIT_MS = 20_000
expect.set_options(timeout=LIMIT_MS)


class LogPages:
    """Pages of one server, each signed in; what they complain about is a failure of the test."""

    def __init__(self, server: StoreServer, browser: Browser) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.problems: list[str] = []
        self._browser = browser
        self._contexts = contextlib.ExitStack()

    def runs(self, count: int = 1) -> list[Logged]:
        """Return runs that run, with empty logs."""
        runs = running(self.server, count)
        for run in runs:
            run.append(b"")
        return runs

    def open(self, address: str, scheme: str = "light", **options: Any) -> Page:
        """Open an address in a window of its own."""
        token = {"Authorization": f"Bearer {self.server.context.data_dir.token()}"}
        size = {"width": 1280, "height": 800}
        context = self._browser.new_context(
            color_scheme=scheme, viewport=size, extra_http_headers=token, reduced_motion="reduce", **options
        )
        self._contexts.callback(context.close)
        page = context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(self.url + address)
        return page

    def log(self, run: Logged, scheme: str = "light", end: str = "", **options: Any) -> Page:
        """Open the page of a run."""
        return self.open(f"/runs/{run.spec.run_id}{end}", scheme, **options)

    def close(self) -> None:
        """Close all pages."""
        self._contexts.close()


@pytest.fixture(scope="module")
def server_and_browser(
    tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> Iterator[tuple[StoreServer, Browser]]:
    with serving(tmp_path_factory.mktemp("data")) as server:
        yield server, chromium


@pytest.fixture
def pages(server_and_browser: tuple[StoreServer, Browser]) -> Iterator[LogPages]:
    found = LogPages(*server_and_browser)
    yield found
    found.close()
    assert found.problems == []


def numbers(page: Page) -> list[int]:
    """Return the numbers of the lines in the document, in order."""
    found: list[int] = page.eval_on_selector_all(
        ".log-number", "all => all.map(one => Number(one.dataset.label))"
    )
    return found


def texts(page: Page) -> list[str]:
    """Return the texts of the rows in the document, in order."""
    found: list[str] = page.eval_on_selector_all(".log-text", "all => all.map(one => one.textContent)")
    return found


def wait_for(page: Page, condition: str, argument: object = None) -> None:
    """Wait until a JavaScript condition holds."""
    page.wait_for_function(condition, arg=argument, timeout=LIMIT_MS)


def wait_for_line(page: Page, text: str) -> None:
    """Wait until a row with exactly this text is in view."""
    wait_for(
        page,
        """text => [...document.querySelectorAll('.log-row')].some(row => {
            const frame = row.closest('.log-frame').getBoundingClientRect(), box = row.getBoundingClientRect()
            const isInView = box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1
            return isInView && row.querySelector('.log-text')?.textContent === text
        })""",
        text,
    )


def violations(page: Page) -> Sequence[str]:
    """Return what axe finds wrong with the page."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(
        """async () => (await axe.run()).violations.flatMap(one =>
            one.nodes.map(node => `${one.id}: ${node.html} ${node.failureSummary}`))"""
    )
    return found
