"""The page as people meet it: built, handed out by a real server with real runs, shown by a real Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.in_process import InProcess, in_process
from tests.server_process import ServerProcess
from tests.web import yard

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "dashboards" / "runyard_dashboards" / "static"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
#: What may take as long as this is broken.
LIMIT_MILLISECONDS = 10_000


@pytest.fixture(scope="session", autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the page as the wheel does; nothing is done when it was built of these sources."""
    wheel = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path_factory.mktemp("wheel")),
    ]
    done = subprocess.run(wheel, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (STATIC / "index.html").is_file()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser; its tests are left out where there is none."""
    program = os.environ.get("RUNYARD_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium was found: install it, or name it in RUNYARD_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server with a working day's runs on it; `server.ids` names them."""
    folder = tmp_path_factory.mktemp("yard")
    with in_process(folder, modules=yard.MODULES, max_concurrent_runs=10) as found, found.http() as client:
        found.ids = yard.fill(client)  # type: ignore[attr-defined] # what the tests look for
        yield found


class Opened:
    """A page, logged in, and what went wrong in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.problems: list[str] = []
        self._expected: list[str] = []
        page.set_default_timeout(LIMIT_MILLISECONDS)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)

    def expect_problems(self, *texts: str) -> None:
        """Take no offence, at any time of the test, at what the browser writes of calls that fail on purpose."""
        self._expected += texts

    def unexpected(self) -> list[str]:
        """Return what went wrong that no test asked for."""
        return [problem for problem in self.problems if not any(text in problem for text in self._expected)]

    def go(self, path: str) -> Page:
        """Open an address of the page, and wait until its view is there."""
        self.page.goto(self.url + path)
        self.page.locator("h1").first.wait_for()
        return self.page


Opener = Callable[..., Opened]


@pytest.fixture
def open_page(chromium: Browser, server: InProcess) -> Iterator[Opener]:
    """Return what opens a page of the server; at the end, none may have met an error that was not expected."""
    yield from opener(chromium, server)


def opener(chromium: Browser, server: InProcess | ServerProcess) -> Iterator[Opener]:
    """Yield what opens pages of a server."""
    contexts: list[BrowserContext] = []
    opened: list[Opened] = []

    def new(*, theme: str = "light", width: int = 1440, height: int = 900) -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,  # type: ignore[arg-type] # "light" or "dark"
            reduced_motion="reduce",
        )
        contexts.append(context)
        found = Opened(context.new_page(), server.url)
        with server.http() as client:
            link = client.post("/api/login-link").json()["path"]
        found.go(link)
        opened.append(found)
        return found

    yield new
    for context in contexts:
        context.close()
    problems = [problem for found in opened for problem in found.unexpected()]
    assert not problems, problems
