"""The server's process ends and another takes over: the page goes on without a reload, and misses nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.rest import submit
from tests.server_process import ServerProcess, server_process
from tests.support import python
from tests.web.conftest import Opener, opener
from tests.web.programs import WAIT, request

#: Starting a process takes its time on a busy machine.
LIMIT_MILLISECONDS = 45_000


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own, which comes back at the same address."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with server_process(tmp_path, test_port=port) as found:
        yield found


@pytest.fixture
def open_killed(chromium: Browser, killed: ServerProcess) -> Iterator[Opener]:
    yield from opener(chromium, killed)


def test_the_page_goes_on_with_the_next_server(open_killed: Opener, killed: ServerProcess) -> None:
    # Given a page that shows a run, and was not loaded since it was marked
    with killed.http() as client:
        before = submit(client, **request(command=python(WAIT), name="Before"))
    opened = open_killed()
    opened.expect_problems("Failed to load resource")
    page = opened.go("/")
    expect(page.get_by_role("article", name="Before")).to_contain_text("waiting for the night")
    expect(page.get_by_text("Live", exact=True).first).to_be_visible()
    page.evaluate("window.wasHereBefore = true")
    # When the process is killed, the page says so
    killed.kill()
    expect(page.get_by_text("Offline").first).to_be_visible(timeout=LIMIT_MILLISECONDS)
    # and with the next one it is live again, having missed nothing that happened meanwhile
    killed.start()
    with killed.http() as client:
        submit(client, **request(command=python(WAIT), name="After"))
        assert client.post(f"/api/runs/{before['run_id']}/cancel", json={}).status_code == httpx.codes.OK
    expect(page.get_by_role("article", name="After")).to_be_visible(timeout=LIMIT_MILLISECONDS)
    expect(page.get_by_text("Live", exact=True).first).to_be_visible(timeout=LIMIT_MILLISECONDS)
    expect(page.get_by_role("article", name="Before")).to_have_count(0, timeout=LIMIT_MILLISECONDS)
    assert page.evaluate("window.wasHereBefore") is True
