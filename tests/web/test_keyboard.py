"""All of the page by keyboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.in_process import InProcess
from tests.web.conftest import Opener


def test_keys_lead_to_every_place(open_page: Opener) -> None:
    page = open_page().go("/")
    for key, title in (
        ("r", "Runs"),
        ("b", "Batches"),
        ("m", "Monitor"),
        ("d", "Modules"),
        ("n", "Machine"),
        ("o", "Overview"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        page.evaluate("document.activeElement.blur()")


def test_keys_lead_out_of_a_log_too(open_page: Opener, server: InProcess) -> None:
    page = open_page().go(f"/runs/{server.ids['nightly']['runs'][0]['run_id']}")
    page.get_by_role("log").focus()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", level=1, name="Runs")).to_be_visible()


def test_the_palette_finds_a_run_and_opens_it(open_page: Opener, server: InProcess) -> None:
    page = open_page().go("/")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(server.ids["long"]["run_id"])
    # Whoever types faster than the server answers gets what was typed, all the same.
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/runs/{server.ids['long']['run_id']}")


def test_the_question_mark_shows_the_keys_and_escape_closes_them(open_page: Opener) -> None:
    page = open_page().go("/runs")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_list_of_runs_is_walked_looked_into_and_opened(open_page: Opener, server: InProcess) -> None:
    page = open_page().go("/runs?status=failed")
    page.get_by_role("row").nth(2).wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selected runs").get_by_text("1 selected")).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("complementary", name="Run")).to_be_visible()
    page.locator(".run-link").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("tab", name="Log")).to_be_visible()


def test_the_first_tab_stop_skips_to_the_content(open_page: Opener) -> None:
    page = open_page().go("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.url.endswith("/")


def test_the_theme_is_chosen_and_kept(open_page: Opener) -> None:
    page = open_page(theme="light").go("/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("radio", name="Dark").click()
    page.wait_for_function(f"{background} !== {light!r}")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(background) != light
