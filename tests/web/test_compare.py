"""Logs of two runs are compared: found from where runs are, addressable, without what differs each time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python
from tests.web.conftest import Opener, opener
from tests.web.programs import request

PRINTS = """
import sys
print("2026-01-31 08:00:0" + sys.argv[1] + " starting")
for n in range(300): print("step", n)
print("loss", 0.5 + int(sys.argv[1]) / 10)
for n in range(300): print("end", n)
if sys.argv[1] == "2": print("only here")
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server on which a run was restarted with other arguments."""
    with in_process(tmp_path_factory.mktemp("pair")) as found, found.http() as client:
        first = submit(client, **request(command=python(PRINTS), args=["1"], name="Prints"))["run_id"]
        wait_ended(client, first)
        second = client.post(f"/api/runs/{first}/restart", json={"args": ["2"]}).json()["run_id"]
        wait_ended(client, second)
        found.ids = [first, second]  # type: ignore[attr-defined] # what the tests look for
        yield found


@pytest.fixture
def open_pair(chromium: Browser, pair: InProcess) -> Iterator[Opener]:
    yield from opener(chromium, pair)


def said(page: Page, words: str) -> None:
    expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()


def test_two_runs_that_are_selected_are_compared_without_their_times(
    open_pair: Opener, pair: InProcess
) -> None:
    page = open_pair().go("/runs")
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="More for those selected").click()
    page.get_by_role("menuitem", name="Compare their logs").click()
    said(page, "2 differences: ")
    differences = page.get_by_role("region", name="Differences")
    expect(differences.get_by_text("loss 0.6")).to_be_visible()
    expect(differences.get_by_text("loss 0.7")).to_be_visible()
    expect(differences.get_by_text("starting")).to_have_count(0)
    page.get_by_label("Ignore times").uncheck()
    said(page, "3 differences")
    expect(page).to_have_url(re.compile("times=compared"))
    page.get_by_label("Ignore numbers").check()
    page.get_by_label("Ignore times").check()
    said(page, "1 difference: ")


def test_the_original_of_a_restarted_run_is_at_hand_and_keys_go_from_one_difference_to_the_next(
    open_pair: Opener, pair: InProcess
) -> None:
    first, second = pair.ids  # type: ignore[attr-defined]
    page = open_pair(height=500).go(f"/runs/{second}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Compare log with the original").click()
    expect(page).to_have_url(re.compile(f"a={first}&b={second}"))
    differences = page.get_by_role("region", name="Differences")
    differences.get_by_role("button", name="298 lines alike").click()
    expect(differences.get_by_text("step 9", exact=True).first).to_be_visible()
    assert page.locator(".diff-row").count() < 100
    page.keyboard.press("n")
    expect(differences.get_by_text("loss 0.7")).to_be_visible()
    page.keyboard.press("n")
    expect(differences.get_by_text("only here")).to_be_visible()
    differences.get_by_role("link", name="Line 603").click()
    expect(page).to_have_url(re.compile(f"/runs/{second}.*#L603"))


def test_a_key_right_after_a_click_finds_the_difference_where_it_is_now(
    open_pair: Opener, pair: InProcess
) -> None:
    first, second = pair.ids  # type: ignore[attr-defined]
    page = open_pair(height=500).go(f"/compare?a={first}&b={second}")
    differences = page.get_by_role("region", name="Differences")
    fold = differences.get_by_role("button", name="298 lines alike")
    fold.evaluate(
        """async (fold) => {
            fold.click()
            await Promise.resolve()
            document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'n', bubbles: true }))
        }"""
    )
    expect(differences.get_by_text("loss 0.7")).to_be_visible()


def test_what_cannot_be_compared_says_why(open_pair: Opener, pair: InProcess) -> None:
    first, _ = pair.ids  # type: ignore[attr-defined]
    opened = open_pair()
    opened.expect_problems("status of 404")
    expect(opened.go("/compare").get_by_text("Two runs are needed")).to_be_visible()
    page = opened.go(f"/compare?a={first}&b=01ARZ3NDEKTSV4RRFFQ69G5FAV")
    expect(
        page.get_by_role("alert").get_by_text("no run 01ARZ3NDEKTSV4RRFFQ69G5FAV is known")
    ).to_be_visible()
