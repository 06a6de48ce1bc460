"""The page at `/docs` as a browser shows it: all of the document, from this server alone, and nothing refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.in_process import InProcess, in_process

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


def test_all_calls_are_shown_and_nothing_comes_from_elsewhere(server: InProcess) -> None:
    api = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with server.http() as client:
        link = client.post("/api/login-link").json()["path"]
        document = client.get("/openapi.json").json()
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context()
        context.new_page().goto(server.url + link)
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.url + "/docs")
        page.wait_for_selector("details")
        assert page.locator("details").count() == sum(len(item) for item in document["paths"].values())
        first = page.locator("details").first
        first.locator("summary").click()
        assert first.locator("table").first.is_visible()
        page.fill("#filter", "/api/batches")
        shown = page.locator("details:visible summary").all_inner_texts()
        assert shown and all("/api/batches" in text for text in shown)
        browser.close()
    assert said == []
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(server.url).netloc}
