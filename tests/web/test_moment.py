"""Log and usage of a run are locked in time: a moment of one is the same moment of the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from runyard_actors.run_folder import RunFolder
from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until
from tests.web.conftest import Opener, opener
from tests.web.log_page import violations, wait_for_line
from tests.web.programs import request

# Both runs have to be looked at once a second for a while before anything is tested.
pytestmark = pytest.mark.timeout(600)

#: Prints early lines, late ones once it may, and ends once it may.
PROGRAM = """
import pathlib, sys, time
def wait_for(name):
    while not pathlib.Path(sys.argv[1], name).exists(): time.sleep(0.02)
for n in range(1, 201): print("early", n, flush=n == 200)
wait_for("late")
for n in range(1, 201): print("late", n, flush=n == 200)
wait_for("end")
"""
#: CPUs and memory; nobody measures the memory of the GPUs that are made up here.
GRAPHS = 2
#: What a machine that is slow and busy may take for some looks at a run.
LIMIT = 60


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A run that printed early and late lines, and the moment between them, in seconds since the epoch."""

    run_id: str
    between: float


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server with a run that has ended, and one that goes on, both with early and late lines."""
    with in_process(tmp_path_factory.mktemp("yard")) as found, found.http() as client:
        goes_on = printed(found, client, tmp_path_factory.mktemp("goes-on"))
        flags = tmp_path_factory.mktemp("over")
        over = printed(found, client, flags)
        (flags / "end").touch()
        wait_ended(client, over.run_id)
        found.printed = {"over": over, "goes on": goes_on}  # type: ignore[attr-defined] # what the tests look for
        yield found


@pytest.fixture
def open_yard(chromium: Browser, yard: InProcess) -> Iterator[Opener]:
    yield from opener(chromium, yard)


@pytest.fixture
def over(yard: InProcess) -> Printed:
    found: Printed = yard.printed["over"]  # type: ignore[attr-defined]
    return found


@pytest.fixture
def goes_on(yard: InProcess) -> Printed:
    found: Printed = yard.printed["goes on"]  # type: ignore[attr-defined]
    return found


def printed(server: InProcess, client: httpx.Client, flags: Path) -> Printed:
    """Have a run print early lines, be looked at, print late lines, and be looked at again."""
    command = python(PROGRAM, str(flags))
    run_id = submit(client, **request(command=command, name="Prints", num_cpus=0.1))["run_id"]
    index = RunFolder.of(server.data_dir.runs, run_id, 1).time_index_file
    wait_until(lambda: index.is_file() and len(index.read_bytes().splitlines()) == 1, LIMIT, "early is seen")
    wait_for_samples(client, run_id, 3)
    before, last = usage(client, run_id)["at"][-2:]
    (flags / "late").touch()
    wait_until(lambda: len(index.read_bytes().splitlines()) == 2, LIMIT, "late is seen")
    wait_for_samples(client, run_id, 3)
    times = [seen_at(client, run_id, line) for line in (200, 201)]
    # Both samples were taken after the one, and before the other.
    between = (before + last) / 2
    assert times[0] < between < times[1]
    return Printed(run_id=run_id, between=between)


def wait_for_samples(client: httpx.Client, run_id: str, more: int) -> None:
    """Wait until the run's use was kept a few times more."""
    wanted = len(usage(client, run_id)["at"]) + more
    wait_until(lambda: len(usage(client, run_id)["at"]) >= wanted, LIMIT, f"{wanted} samples")


def usage(client: httpx.Client, run_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/runs/{run_id}/usage")
    found: dict[str, Any] = answer.json() if answer.status_code == httpx.codes.OK else {"at": []}
    return found


def seen_at(client: httpx.Client, run_id: str, line: int) -> float:
    window = {"first": line, "last": line, "timestamps": "true"}
    (found,) = client.get(f"/api/runs/{run_id}/log/lines", params=window).json()["lines"]
    return datetime.fromisoformat(found["at"]).timestamp()


def graph(page: Page) -> Locator:
    return page.get_by_role("slider", name="Memory over time")


def click_at(page: Page, moment: float) -> None:
    """Click into the graph where a moment is."""
    low, high = (float(graph(page).get_attribute(f"aria-value{end}") or 0) for end in ("min", "max"))
    assert low < moment < high
    box = graph(page).locator(".u-over").bounding_box()
    assert box is not None
    x = box["width"] * (moment - low) / (high - low)
    graph(page).locator(".u-over").click(position={"x": x, "y": box["height"] / 2})


def in_address(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def left_of(mark: Locator) -> float:
    box = mark.bounding_box()
    assert box is not None
    return box["x"]


def test_a_click_into_a_graph_leads_the_log_to_the_line_of_that_moment(
    open_yard: Opener, over: Printed
) -> None:
    page = open_yard().go(f"/runs/{over.run_id}?tab=usage")
    wait_for_line(page, "late 200")
    click_at(page, over.between)
    wait_for_line(page, "early 200")
    expect(page.locator(".log-row.is-target")).to_have_text("early 200")
    expect(page).to_have_url(re.compile(r"tab=usage&at=\d{4}-"))
    # The line came before the moment, and the next one after it: so stand their marks.
    expect(page.get_by_text(re.compile("^Line 200, printed at "))).to_be_visible()
    line, moment = (graph(page).locator(f"[data-mark={name}]") for name in ("line", "moment"))
    assert left_of(line) < left_of(moment)
    page.get_by_role("button", name="Let go of the moment").click()
    expect(moment).to_have_count(0)
    expect(page).not_to_have_url(re.compile("at="))


def test_the_line_that_is_looked_at_has_a_mark_in_each_graph(open_yard: Opener, over: Printed) -> None:
    page = open_yard().go(f"/runs/{over.run_id}?tab=usage")
    wait_for_line(page, "late 200")
    page.get_by_role("log").focus()
    page.keyboard.press("g")
    expect(page.get_by_text(re.compile("^Line 1, printed at "))).to_be_visible()
    page.get_by_role("log").hover(position={"x": 200, "y": 30})
    expect(page.get_by_text(re.compile("^Line 2, printed at "))).to_be_visible()
    expect(page.locator("[data-mark=line]")).to_have_count(GRAPHS)
    early = left_of(page.locator("[data-mark=line]").first)
    graph(page).hover()
    page.keyboard.press("G")
    expect(page.get_by_text(re.compile("^Line [34]\\d\\d, printed at "))).to_be_visible()
    page.wait_for_function(
        "early => document.querySelector('[data-mark=line]')?.getBoundingClientRect().x > early + 5",
        arg=early,
    )


def test_keys_lead_from_moment_to_moment(open_yard: Opener, over: Printed) -> None:
    page = open_yard().go(f"/runs/{over.run_id}?tab=usage")
    wait_for_line(page, "late 200")
    graph(page).focus()
    page.keyboard.press("Home")
    expect(graph(page).locator("[data-mark=moment]")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator(".log-row.is-target")).to_have_text("late 200")
    last = graph(page).get_attribute("aria-valuenow")
    page.keyboard.press("ArrowLeft")
    expect(graph(page)).not_to_have_attribute("aria-valuenow", last or "")
    page.keyboard.press("Escape")
    expect(graph(page).locator("[data-mark=moment]")).to_have_count(0)


def test_a_moment_in_the_address_is_gone_to_while_the_run_goes_on(
    open_yard: Opener, goes_on: Printed
) -> None:
    moment = in_address(goes_on.between)
    for tab in ("", "tab=usage&"):
        page = open_yard().go(f"/runs/{goes_on.run_id}?{tab}at={moment}")
        wait_for_line(page, "early 200")
        expect(page.locator(".log-row.is-target")).to_have_text("early 200")
    expect(page.get_by_text(re.compile("^Line 200, printed at "))).to_be_visible()
    expect(page.locator("[data-mark=moment]")).to_have_count(GRAPHS)
    assert not violations(page)


def test_a_line_in_the_address_says_more_than_a_moment(open_yard: Opener, over: Printed) -> None:
    moment = in_address(over.between)
    page = open_yard().go(f"/runs/{over.run_id}?tab=usage&at={moment}#L300")
    wait_for_line(page, "late 100")
    expect(page.locator(".log-row.is-target")).to_have_text("late 100")
