"""What is reserved against what is used, over time, and queued runs where they may start."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until
from tests.web.conftest import Opener, opener
from tests.web.programs import WAIT, request
from tests.web.test_views import settle, violations

GIB = 2**30
#: The page asks anew when runs may start every 10 seconds, and a busy manager may not tell the first time.
PATIENCE = 40_000
NAP = python("import time; time.sleep(0.2)")


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """A server on which a run reserves memory, and one waits that is expected to start."""
    with in_process(tmp_path_factory.mktemp("busy"), max_concurrent_runs=2) as found, found.http() as client:
        for _ in range(5):
            wait_ended(client, submit(client, **request(command=NAP, module_id="nap", name="Nap"))["run_id"])
        submit(client, **request(command=python(WAIT), name="Holds", memory="4GiB", num_cpus=1))
        submit(client, **request(command=python(WAIT), module_id="nap", name="Nap", memory="2GiB"))
        waits = submit(client, **request(command=NAP, module_id="nap", name="Ghost", memory="6GiB"))
        wait_until(
            lambda: client.get(f"/api/runs/{waits['run_id']}").json()["expected_start"], 20, "it is expected"
        )
        wait_until(
            lambda: _declared(client)[-1:] == [6 * GIB] and len(_declared(client)) > 2, 60, "both are seen"
        )
        found.ghost = waits["run_id"]  # type: ignore[attr-defined] # what the tests look for
        yield found


def _declared(client: httpx.Client) -> list[int]:
    nodes = client.get("/api/resources/history").json()["nodes"]
    found: list[int] = nodes[0]["declared_memory"] if nodes else []
    return found


@pytest.fixture
def open_busy(chromium: Browser, busy: InProcess) -> Iterator[Opener]:
    yield from opener(chromium, busy)


def test_the_overview_shows_what_was_before_it_was_opened_and_where_a_queued_run_may_start(
    open_busy: Opener, busy: InProcess
) -> None:
    page = open_busy().go("/")
    memory = page.get_by_role("figure").filter(has_text="Memory").first
    expect(memory.get_by_text("6 GiB reserved")).to_be_visible(timeout=PATIENCE)
    expect(memory.get_by_text(re.compile("used · 16 GiB in all"))).to_be_visible()
    ghost = memory.get_by_role("link", name=re.compile("Ghost .* may start in .*, may take .*, asks 6 GiB"))
    expect(ghost).to_be_visible(timeout=PATIENCE)
    ghost.click()
    expect(page).to_have_url(re.compile(f"/runs/{busy.ghost}"))  # type: ignore[attr-defined]


def test_the_machine_has_a_graph_of_each_amount_for_a_span_that_stands_in_the_address(
    open_busy: Opener,
) -> None:
    page = open_busy().go("/machine")
    for name in ("Memory", "GPU 0 memory", "GPU 1 memory", "CPUs"):
        graph = page.get_by_role("img", name=re.compile(f"^{name} over time: .* reserved"))
        expect(graph).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="1h").click()
    expect(page).to_have_url(re.compile(r"span=1h"))
    expect(page.get_by_role("button", name="1h")).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_graphs(open_busy: Opener, theme: str) -> None:
    opened = open_busy(theme=theme)
    for path in ("/", "/machine"):
        page = opened.go(path)
        settle(page)
        page.get_by_role("link", name=re.compile("Ghost .* may start")).first.wait_for(timeout=PATIENCE)
        assert not violations(page), path
