"""What a view shows when there is nothing, when the server refuses or is silent, and when it is gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.in_process import InProcess, in_process
from tests.rest import submit
from tests.support import python
from tests.web.conftest import Opener, opener
from tests.web.programs import WAIT, request


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server on which nothing ever ran."""
    with in_process(tmp_path_factory.mktemp("bare")) as found:
        yield found


@pytest.fixture
def open_bare(chromium: Browser, bare: InProcess) -> Iterator[Opener]:
    yield from opener(chromium, bare)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/", "runyard run -- python train.py"),
        ("/runs", "runyard run -- python train.py"),
        ("/batches", "runyard batch examples/stdlib/atlas.csv"),
        ("/modules", "[modules.train]"),
        ("/machine", "runyard doctor"),
    ],
)
def test_where_nothing_is_stands_what_to_type(open_bare: Opener, path: str, command: str) -> None:
    expect(open_bare().go(path).locator("code").filter(has_text=command)).to_be_visible()


def test_a_refusal_is_told_and_can_be_tried_again(open_bare: Opener) -> None:
    opened = open_bare()
    opened.expect_problems("status of 409")
    opened.page.route(
        "**/api/batches?**",
        lambda route: route.fulfill(status=409, json={"detail": "not now", "status": 409}),
    )
    page = opened.go("/batches")
    expect(page.get_by_role("alert").get_by_text("not now")).to_be_visible()
    page.unroute("**/api/batches?**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("No batch yet")).to_be_visible()


def test_a_server_that_is_silent_is_an_error_after_ten_seconds(open_bare: Opener) -> None:
    opened = open_bare()
    opened.page.route("**/api/batches?**", lambda route: None)
    page = opened.go("/batches")
    expect(page.get_by_role("status", name="Loading batches")).to_be_visible()
    expect(page.get_by_role("alert").get_by_text("did not answer within 10 seconds")).to_be_visible(
        timeout=14_000
    )


def test_what_happens_while_the_line_is_down_is_there_when_it_is_up(
    open_bare: Opener, bare: InProcess
) -> None:
    opened = open_bare()
    opened.expect_problems("Failed to load resource: net::")
    page = opened.go("/")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()
    page.context.set_offline(True)
    page.evaluate("window.dispatchEvent(new Event('online'))")  # look at once
    expect(page.get_by_text("Offline").first).to_be_visible()
    with bare.http() as client:
        submit(client, **request(command=python(WAIT), name="Meanwhile"))
    page.context.set_offline(False)
    expect(page.get_by_role("article", name="Meanwhile")).to_be_visible(timeout=15_000)
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()


def test_a_hidden_tab_listens_to_nothing_and_catches_up(open_bare: Opener, bare: InProcess) -> None:
    page = open_bare().go("/")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()
    hide = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => %s });"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true" + tell)
    expect(page.get_by_text("Paused").first).to_be_visible()
    with bare.http() as client:
        submit(client, **request(command=python(WAIT), name="Unseen"))
    expect(page.get_by_role("article", name="Unseen")).to_have_count(0)
    page.evaluate(hide % "false" + tell)
    expect(page.get_by_role("article", name="Unseen")).to_be_visible()


def test_an_ended_session_says_how_to_get_in_again(open_bare: Opener) -> None:
    opened = open_bare()
    opened.expect_problems("status of 401")
    page = opened.go("/")
    page.context.clear_cookies()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.get_by_text("Signed out").first).to_be_visible()
