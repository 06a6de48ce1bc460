"""What is changed of queued and running runs, and of batches, on the page: at once, and undone when refused."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.in_process import InProcess
from tests.support import python, wait_until
from tests.web.conftest import Opener
from tests.web.programs import WAIT, request
from tests.web.test_actions import queued, running, show
from tests.web.test_views import settle, violations


def test_a_queued_run_is_held_and_released_by_mouse_and_by_key(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Held")
    page = open_page().go(f"/runs/{run_id}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Hold: do not start it").click()
    outcome = page.get_by_role("region", name="Outcome")
    expect(outcome.get_by_text("Held")).to_be_visible()
    wait_until(lambda: (show(server, run_id)["terms"] or {}).get("held"), 10, "the server holds it")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("h")
    expect(outcome.get_by_text("Waits in the queue")).to_be_visible()
    wait_until(lambda: not (show(server, run_id)["terms"] or {}).get("held"), 10, "the server released it")


def test_the_queue_on_the_overview_holds_a_run(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Inline")
    page = open_page().go("/")
    page.get_by_role("button", name=f"Hold Inline {run_id[-6:]}").click()
    expect(page.get_by_role("button", name=f"Release Inline {run_id[-6:]}")).to_be_visible()
    wait_until(lambda: (show(server, run_id)["terms"] or {}).get("held"), 10, "the server holds it")
    assert not violations(page)


def test_a_refused_hold_is_undone_and_told(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Refused")
    opened = open_page()
    opened.expect_problems("status of 409")
    # Before the page is opened: a browser that is told later may let the next call through.
    opened.page.route(
        "**/hold", lambda route: route.fulfill(status=409, json={"detail": "it started", "status": 409})
    )
    page = opened.go(f"/runs/{run_id}")
    settle(page)
    with page.expect_response("**/hold") as answer:
        page.keyboard.press("h")
    assert answer.value.status == 409
    expect(page.get_by_text("it started")).to_be_visible()
    expect(page.get_by_role("region", name="Outcome").get_by_text("Waits in the queue")).to_be_visible()


def test_a_priority_is_changed_and_what_is_none_is_not_sent(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Ranked")
    page = open_page().go(f"/runs/{run_id}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Change priority").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Priority").fill("1.5")
    expect(dialog.get_by_text("must be a whole number")).to_be_visible()
    expect(dialog.get_by_role("button", name="Set priority")).to_be_disabled()
    assert not violations(page)
    dialog.get_by_label("Priority").fill("42")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    wait_until(lambda: show(server, run_id)["priority"] == 42, 10, "the server knows")


def test_a_running_run_is_held_still_from_the_palette(open_page: Opener, server: InProcess) -> None:
    run_id = running(server, name="Still")
    page = open_page().go(f"/runs/{run_id}")
    settle(page)
    for words, is_suspended in (("hold it still", True), ("let it go on", False)):
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").fill(words)
        expect(page.get_by_role("option").first).to_contain_text(re.compile(words, re.IGNORECASE))
        page.keyboard.press("Enter")
        wait_until(lambda: show(server, run_id)["suspended"] is is_suspended, 10, "the server did")  # noqa: B023


def test_a_batch_is_given_another_limit_and_held_while_it_goes_on(
    open_page: Opener, server: InProcess
) -> None:
    with server.http() as client:
        rows = [request(command=python(WAIT), name="Part", num_gpus=2) for _ in range(3)]
        batch = client.post("/api/batches", json={"name": "edited", "runs": rows, "max_concurrent": 2}).json()
        batch_id = batch["batch_id"]

        def limit() -> object:
            return client.get(f"/api/batches/{batch_id}").json()["max_concurrent"]

        opened = open_page()
        opened.expect_problems("status of 503")
        page = opened.go(f"/batches/{batch_id}")
        at_once = page.get_by_role("group", name="Runs at once")
        at_once.get_by_role("button", name="More at once").click()
        at_once.get_by_role("button", name="More at once").click()
        expect(at_once.get_by_text("at most 4 at once")).to_be_visible()
        wait_until(lambda: limit() == 4, 10, "the server knows")
        at_once.get_by_role("button", name="Any number at once").click()
        expect(at_once.get_by_text("any number at once")).to_be_visible()
        wait_until(lambda: limit() is None, 10, "the server knows")
        page.keyboard.press("h")
        expect(page.get_by_text("none of its queued runs starts")).to_be_visible()
        held = client.get(f"/api/runs?batch_id={batch_id}").json()["runs"]
        assert all(run["terms"]["held"] for run in held if run["status"] == "queued")
        assert not violations(page)
        page.route("**/api/batches/*", lambda route: route.fulfill(status=503, json=_NO_MANAGER))
        at_once.get_by_role("button", name="Fewer at once").click()
        expect(page.get_by_text("no manager")).to_be_visible()
        expect(at_once.get_by_text("any number at once")).to_be_visible()
        page.unroute("**/api/batches/*")
        client.post(f"/api/batches/{batch_id}/cancel", json={})


_NO_MANAGER = {"detail": "no manager", "status": 503}
