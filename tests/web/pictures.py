"""`python -m tests.web.pictures [VIEW...]` takes the pictures of docs/images, of the page as it is built now."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from tests.in_process import InProcess, in_process
from tests.rest import wait_ended
from tests.web import yard
from tests.web.conftest import PROGRAMS, ROOT
from tests.web.programs import train

IMAGES = ROOT / "docs" / "images"
VIEWS = (
    "overview",
    "runs with a pane",
    "run that failed",
    "usage",
    "batches",
    "batch",
    "monitor",
    "compare",
    "modules",
    "machine",
)
#: As in a `runyard.toml` of somebody's; what the tests run would show where they lie.
MODULES = {
    "train": {**yard.MODULES["train"], "command": ["python3", "train.py"], "gpu_memory": "2GiB"},
    "resize": {"name": "Resize", "command": ["python3", "resize.py"], "num_cpus": 2, "memory": "2GiB"},
    "transcode": {"name": "Transcode", "command": ["ffmpeg", "-i"], "num_cpus": 2, "memory": "1GiB"},
    "thumbnails": {**yard.MODULES["thumbnails"], "command": ["python3", "thumbnails.py"]},
}
#: So long the runs go on first, so that there is something to see of them.
MILLISECONDS = 22_000


def main() -> None:
    """Take each view in both themes."""
    logging.disable(logging.INFO)
    program = next(filter(None, map(shutil.which, PROGRAMS)))
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="runyard-pictures-") as folder,
        in_process(Path(folder), modules=MODULES, max_concurrent_runs=10) as server,
        server.http() as client,
        sync_playwright() as playwright,
    ):
        past = _past(client)
        server.ids = yard.fill(client)  # type: ignore[attr-defined] # where the views are
        _queue(client)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        pages = [(theme, _logged_in(browser, server, theme)) for theme in ("light", "dark")]
        pages[0][1].wait_for_timeout(MILLISECONDS)
        paths = {**yard.paths(server), "compare": f"/compare?a={past[0]}&b={past[1]}"}
        for view in sys.argv[1:] or VIEWS:
            for theme, page in pages:
                if view != "overview":
                    page.goto(server.url + paths[view])
                page.wait_for_timeout(2_500)
                if view == "usage":
                    _go_back(page)
                page.screenshot(path=IMAGES / f"{view.split()[0]}-{theme}.png")
        browser.close()


def _past(client: httpx.Client) -> list[str]:
    """Let modules complete, so that it is known how long they take; return the ids of their runs."""
    runs = [yard.row("Train", train(rate, epochs=4, pause=2.0), num_cpus=0.1) for rate in (0.1, 0.12, 0.1)]
    runs += [yard.row("Resize", train(epochs=2, pause=4.0), num_cpus=0.1) for _ in range(3)]
    ids = [str(run["run_id"]) for run in yard.batch(client, "past", runs)["runs"]]
    for run_id in ids:
        wait_ended(client, run_id)
    return ids


def _queue(client: httpx.Client) -> None:
    """Let runs wait that are expected to start."""
    rows = [
        yard.row("Resize", train(epochs=2, pause=4.0), num_cpus=2, memory=f"{size}GiB")
        for size in (6, 9, 12, 5, 10)
    ]
    yard.batch(client, "resize", rows)


def _go_back(page: Page) -> None:
    """Go to a moment some seconds ago, so that the log stands there."""
    graph = page.get_by_role("slider", name="Memory over time")
    graph.focus()
    for _ in range(8):
        graph.press("ArrowLeft")
    page.wait_for_timeout(1_000)


def _logged_in(browser: Browser, server: InProcess, theme: str) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    with server.http() as client:
        page.goto(server.url + client.post("/api/login-link").json()["path"])
    return page


if __name__ == "__main__":
    main()
