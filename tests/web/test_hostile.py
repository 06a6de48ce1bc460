"""Names, messages and logs are texts: nothing of them ever runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.in_process import InProcess
from tests.rest import submit, wait_ended
from tests.support import python
from tests.web.conftest import Opener
from tests.web.programs import request
from tests.web.test_views import settle

ATTACK = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
PROGRAM = f"""
import json, os
print({ATTACK!r} + "\\x1b]8;;javascript:window.hacked=1\\x07link\\x1b]8;;\\x07")
with open(os.environ["RUNYARD_REPORT"], "w") as file:
    json.dump({{"message": {ATTACK!r}, "result": {{"html": {ATTACK!r}}}}}, file)
raise SystemExit({ATTACK!r})
"""


@pytest.fixture(scope="module")
def hostile(server: InProcess) -> Iterator[dict[str, str]]:
    with server.http() as client:
        rows = [request(command=python(PROGRAM), name=ATTACK, labels={ATTACK: ATTACK})]
        batch = client.post("/api/batches", json={"name": ATTACK, "runs": rows}).json()
        run_id = batch["runs"][0]["run_id"]
        wait_ended(client, run_id)
        client.put("/api/modules/hostile", json={"name": ATTACK, "command": [ATTACK]})
        yield {"run": run_id, "batch": batch["batch_id"]}
        client.delete("/api/modules/hostile")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs?run={run}",
        "/runs/{run}",
        "/runs/{run}?tab=details",
        "/batches",
        "/batches/{batch}",
        "/modules",
        "/monitor?runs={run}",
        "/runs?q=%3Cscript%3Ewindow.hacked=1%3C/script%3E&module=%3Cimg src=x onerror=window.hacked=1%3E",
    ],
)
def test_what_a_module_says_never_runs(open_page: Opener, hostile: dict[str, str], path: str) -> None:
    page = open_page().go(path.format(**hostile))
    settle(page)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("a[href^='javascript:']").count() == 0


def test_the_policy_refuses_a_script_that_got_in(open_page: Opener) -> None:
    opened = open_page()
    opened.expect_problems("Content Security Policy", "status of 404")
    page = opened.go("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror='window.hacked=1'>`)")
    page.wait_for_function("() => document.querySelector('img[src=x]').complete")
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in problem for problem in opened.problems)


def test_a_hostile_run_can_be_submitted_again(
    open_page: Opener, server: InProcess, hostile: dict[str, str]
) -> None:
    page = open_page().go(f"/runs/{hostile['run']}")
    page.get_by_role("button", name="Run again").click()
    assert page.get_by_role("dialog").get_by_role("heading").inner_text() == f"Run {ATTACK} again"
    with server.http() as client:
        submit(client, **request(command=["true"], name="after"))
