"""Logs as large as they get, measured in the browser. Takes minutes: `-m long`."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.integration.test_log_routes import Logged
from tests.web.log_page import LogPages, pages, server_and_browser, texts, wait_for_line

__all__ = ["pages", "server_and_browser"]
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

LINES = 10_000_000
#: What scripts may take of one frame of 60 in a second.
FRAME_MS = 16
MIB = 2**20
#: What a page may take to read a gigabyte on a machine that is slow and busy.
GIGABYTE_MS = 600_000
#: Counts how long each drawing takes, and how many rows there are then.
WATCH = """() => {
    window.drawings = []; window.mostRows = 0
    const ask = window.requestAnimationFrame
    window.requestAnimationFrame = draw => ask(at => {
        const start = performance.now(); draw(at); window.drawings.push(performance.now() - start)
        window.mostRows = Math.max(window.mostRows, document.querySelectorAll('.log-row').length)
    })
}"""


def write(run: Logged, lines: int) -> None:
    with run.folder().log_file.open("wb") as file:
        for start in range(1, lines + 1, 100_000):
            file.write("".join(f"line {n} of a log\n" for n in range(start, start + 100_000)).encode())


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def test_ten_million_lines_open_jump_and_scroll(pages: LogPages) -> None:
    (run,) = pages.runs()
    write(run, LINES)
    page = pages.log(run)
    wait_for_line(page, f"line {LINES} of a log")
    for key, number in (("g", 1), ("G", LINES)):
        page.keyboard.press(key)
        wait_for_line(page, f"line {number} of a log")
    page.goto(f"{page.url.partition('#')[0]}#L7654321")
    wait_for_line(page, "line 7654321 of a log")
    page.evaluate(WATCH)
    page.locator(".log-frame").hover()
    for step in range(300):
        page.mouse.wheel(0, 97 if step % 50 else 40_000)
    found: dict[str, Any] = page.evaluate("() => ({ drawings, mostRows })")
    print(
        f"{len(found['drawings'])} drawings, middle {middle(found['drawings']):.1f} ms, {found['mostRows']} rows"
    )
    assert middle(found["drawings"]) < FRAME_MS
    assert found["mostRows"] < 2_000
    page.keyboard.press("/")
    page.keyboard.type("line 9999")
    expect(page.locator(".log-found")).to_have_text("112 of 1,111", timeout=60_000)


def test_the_browser_holds_as_much_after_a_gigabyte_as_before(pages: LogPages) -> None:
    (run,) = pages.runs()
    run.append(b"start\n")
    page = pages.log(run)
    wait_for_line(page, "start")
    stream(run, page, 1, 32 * MIB)
    page.evaluate(WATCH)
    before = heap(page)
    received = count_received(page)
    stream(run, page, 2, 1024 * MIB)
    after = heap(page)
    drawings = page.evaluate("() => drawings")
    print(
        f"heap {before / MIB:.1f} MiB, then {after / MIB:.1f} MiB; drawing {middle(drawings):.1f} ms in the middle; "
        f"{sum(received) / MIB:.0f} MiB came"
    )
    assert sum(received) > 1024 * MIB
    assert after - before < 24 * MIB
    assert middle(drawings) < FRAME_MS
    assert page.locator(".log-row").count() < 2_000


def heap(page: Page) -> int:
    """Return what the page's scripts hold, in bytes, once what is not held is let go of."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def count_received(page: Page) -> list[int]:
    """Return a list to which the size of whatever the page receives from now on is added, in bytes."""
    sizes: list[int] = []
    session = page.context.new_cdp_session(page)
    session.on("Network.dataReceived", lambda event: sizes.append(event["dataLength"]))
    session.send("Network.enable")
    return sizes


def stream(run: Logged, page: Page, part: int, size: int) -> None:
    """Have a module write so many bytes as fast as the log takes them, and wait until the page shows the last."""
    block = b"".join(
        b"%d a line of a log that grows and grows and grows, as fast as it can\n" % n for n in range(2_000)
    )
    writer = threading.Thread(target=lambda: [run.append(block) for _ in range(size // len(block))])
    writer.start()
    writer.join()
    run.append(b"end of part %d\n" % part)
    page.wait_for_function(
        "part => [...document.querySelectorAll('.log-text')].at(-1)?.textContent === `end of part ${part}`",
        arg=part,
        timeout=GIGABYTE_MS,
    )
    for one, other in itertools.pairwise(texts(page)[-10:-1]):
        assert int(other.split()[0]) == int(one.split()[0]) + 1
