"""What people do on the page happens on the server; what the server refuses is undone on the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.in_process import InProcess
from tests.rest import submit, wait_ended
from tests.support import python, wait_until
from tests.web.conftest import Opener
from tests.web.programs import BROKEN, WAIT, request


def running(server: InProcess, **more: Any) -> str:
    """Submit a run that goes on, and return its id once it runs."""
    with server.http() as client:
        run = submit(client, **{**request(command=python(WAIT), name="Waits"), **more})
        wait_until(lambda: status(server, run["run_id"]) == "running", 20, "it runs")
    return str(run["run_id"])


def queued(server: InProcess, name: str = "Queued") -> str:
    """Submit a run that has to wait, and return its id."""
    with server.http() as client:
        return str(submit(client, **request(command=["true"], name=name, num_gpus=2))["run_id"])


def show(server: InProcess, run_id: str) -> dict[str, Any]:
    with server.http() as client:
        found: dict[str, Any] = client.get(f"/api/runs/{run_id}").json()
        return found


def status(server: InProcess, run_id: str) -> str:
    return str(show(server, run_id)["status"])


def newest(server: InProcess) -> dict[str, Any]:
    with server.http() as client:
        found: dict[str, Any] = client.get("/api/runs?limit=1").json()["runs"][0]
        return found


def badge(page: Page, words: str) -> None:
    expect(page.locator("header").get_by_text(words, exact=True).first).to_be_visible()


def test_a_running_run_is_cancelled_with_a_reason(open_page: Opener, server: InProcess) -> None:
    run_id = running(server)
    page = open_page().go(f"/runs/{run_id}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Reason").fill("wrong data")
    page.get_by_role("button", name="Cancel run").click()
    badge(page, "cancelled")
    assert (status(server, run_id), "wrong data" in show(server, run_id)["reason_detail"]) == (
        "cancelled",
        True,
    )


def test_a_queued_run_that_is_cancelled_can_be_brought_back(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Undone")
    page = open_page().go("/")
    button = page.get_by_role("button", name=f"Cancel Undone {run_id[-6:]}")
    button.click()
    expect(button).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(button).to_be_visible()
    assert status(server, run_id) == "queued"
    button.click()
    wait_until(lambda: status(server, run_id) == "cancelled", 15, "the server cancels it")


def test_who_leaves_the_page_cancels_all_the_same(open_page: Opener, server: InProcess) -> None:
    run_id = queued(server, "Left")
    opened = open_page()
    opened.go("/").get_by_role("button", name=f"Cancel Left {run_id[-6:]}").click()
    opened.page.goto("about:blank")
    wait_until(lambda: status(server, run_id) == "cancelled", 10, "the server cancels it")


def test_a_run_is_restarted_and_shown(open_page: Opener, server: InProcess) -> None:
    failed = server.ids["nightly"]["runs"][9]["run_id"]
    page = open_page().go(f"/runs/{failed}")
    page.get_by_role("button", name="Restart").click()
    page.get_by_role("button", name="Show").click()
    expect(page).not_to_have_url(f"{server.url}/runs/{failed}")
    assert newest(server)["restarted_from"] == failed


def test_run_again_fills_in_everything_and_shows_what_differs(open_page: Opener, server: InProcess) -> None:
    with server.http() as client:
        first = submit(
            client, **request(command=python("import sys; print(sys.argv)"), args=["a b", "2"], name="Args")
        )
        wait_ended(client, first["run_id"])
    page = open_page().go(f"/runs/{first['run_id']}")
    page.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("everything as it was")).to_be_visible()
    expect(dialog.get_by_label("Arguments")).to_have_value("a b\n2")
    dialog.get_by_label("Arguments").fill("a b\n3")
    dialog.get_by_label("Memory", exact=False).first.fill("1GiB")
    expect(dialog.get_by_text("2 things differ")).to_be_visible()
    expect(dialog.get_by_text("was 512MiB")).to_be_visible()
    dialog.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    again = newest(server)
    assert (again["command"][-2:], again["memory"], again["restarted_from"]) == (
        ["a b", "3"],
        2**30,
        first["run_id"],
    )


def test_a_command_is_submitted_and_what_is_wrong_stands_beside_its_field(
    open_page: Opener, server: InProcess
) -> None:
    opened = open_page()
    opened.expect_problems("status of 422")
    page = opened.go("/")
    page.keyboard.press("c")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Command").fill("echo 'two words'")
    dialog.get_by_label("CPUs").fill("many")
    dialog.get_by_role("button", name="Submit run").click()
    expect(dialog.get_by_label("CPUs")).to_have_attribute("aria-invalid", "true")
    expect(dialog.get_by_text("must be a number")).to_be_visible()
    dialog.get_by_label("CPUs").fill("0.5")
    dialog.get_by_role("button", name="Submit run").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert newest(server)["command"] == ["echo", "two words"]


def test_many_runs_are_cancelled_at_once(open_page: Opener, server: InProcess) -> None:
    ids = [running(server, name="Many") for _ in range(2)]
    page = open_page().go("/runs?q=Many&status=running")
    page.get_by_label("Select all on this page").check()
    chosen = page.get_by_role("region", name="Selected runs")
    expect(chosen.get_by_text("2 selected")).to_be_visible()
    chosen.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel 2 runs").click()
    for run_id in ids:
        wait_until(lambda run_id=run_id: status(server, run_id) == "cancelled", 20, "it is cancelled")  # type: ignore[misc]
    expect(page.get_by_text("No run is like that")).to_be_visible()


def test_admission_is_paused_and_resumed(open_page: Opener, server: InProcess) -> None:
    page = open_page().go("/machine")
    with server.http() as client:
        for name, is_paused in (("Pause", True), ("Resume", False)):
            page.get_by_role("button", name=name).click()
            expect(page.get_by_role("button", name="Resume" if is_paused else "Pause")).to_be_visible()
            wait_until(
                lambda: client.get("/api/resources").json()["semaphore"]["is_paused"] is is_paused,  # noqa: B023
                10,
                "the server knows",
            )


def test_a_module_is_put_run_changed_and_taken_out(open_page: Opener, server: InProcess) -> None:
    page = open_page().go("/modules")
    page.get_by_role("button", name="New module").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Id").fill("echo")
    dialog.get_by_label("Command").fill("echo hello")
    dialog.get_by_label("CPUs").fill("0.1")
    dialog.get_by_role("button", name="Save module").click()
    page.get_by_role("button", name="Run echo").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit run").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert (newest(server)["module_id"], newest(server)["num_cpus"]) == ("echo", 0.1)
    page.get_by_role("button", name="Delete echo").click()
    page.get_by_role("button", name="Delete module").click()
    expect(page.get_by_role("button", name="Run echo")).to_have_count(0)
    with server.http() as client:
        assert client.get("/api/modules/echo").status_code == 404


def test_failures_of_a_batch_are_grouped_and_retried(open_page: Opener, server: InProcess) -> None:
    with server.http() as client:
        rows = [request(command=python(BROKEN), name="Census") for _ in range(2)]
        batch = client.post("/api/batches", json={"name": "groups", "runs": rows}).json()
        for run in batch["runs"]:
            wait_ended(client, run["run_id"])
        page = open_page().go(f"/batches/{batch['batch_id']}")
        expect(page.get_by_text("FileNotFoundError: no such table: census.parquet")).to_be_visible()
        page.get_by_role("button", name="Retry failed").click()
        wait_until(
            lambda: client.get(f"/api/batches/{batch['batch_id']}").json()["total"] == 4, 10, "two more"
        )


def test_a_refused_action_is_undone_and_told(open_page: Opener, server: InProcess) -> None:
    run_id = running(server)
    opened = open_page()
    opened.expect_problems("status of 503")
    page = opened.go(f"/runs/{run_id}")
    page.route(
        "**/cancel", lambda route: route.fulfill(status=503, json={"detail": "no manager", "status": 503})
    )
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel run").click()
    expect(page.get_by_text("no manager")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_enabled()
    assert status(server, run_id) == "running"


def test_runs_are_narrowed_to_an_exit_code_that_stands_in_the_address(
    open_page: Opener, server: InProcess
) -> None:
    page = open_page().go("/runs")
    field = page.get_by_label("Exit codes")
    field.fill("3,x")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("3")
    expect(page.get_by_text("of 1 runs")).to_be_visible()
    expect(page.get_by_role("link", name="Report")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?exit=3$"))
    page.reload()
    expect(field).to_have_value("3")
    expect(page.get_by_text("of 1 runs")).to_be_visible()


def test_runs_are_watched_in_the_monitor_from_the_list_and_from_their_page(
    open_page: Opener, server: InProcess
) -> None:
    page = open_page().go("/runs?status=failed")
    for place in (1, 2):
        page.get_by_role("checkbox").nth(place).check()
    page.get_by_role("region", name="Selected runs").get_by_role("button", name="Monitor").click()
    expect(page.get_by_role("tab")).to_have_count(2)
    page.goto(f"{server.url}/runs/{server.ids['nightly']['runs'][9]['run_id']}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Watch in the monitor").click()
    expect(page.get_by_role("tab")).to_have_count(1)
    expect(page.get_by_text("reading the tables")).to_be_visible()


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("Copy as command", "runyard run --name Train"),
        ("Copy as Python", "submit(Module("),
        ("Copy as curl", "/api/runs"),
    ],
)
def test_a_run_is_copied(open_page: Opener, server: InProcess, item: str, words: str) -> None:
    page = open_page().go(f"/runs/{server.ids['sweep']['runs'][0]['run_id']}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as").click()
    page.get_by_role("menuitem", name=item).click()
    expect(page.get_by_text("Copied as")).to_be_visible()
    assert words in page.evaluate("navigator.clipboard.readText()")
