"""Code without an event loop using what is written for one."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from runyard.background import Background


def test_an_async_iterator_is_yielded_to_its_end() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(3):
            yield number

    assert list(Background.shared().iterate(items())) == [0, 1, 2]


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C alone")
def test_ctrl_c_ends_a_step_that_takes_its_time_to_end_and_is_what_the_caller_sees() -> None:
    waits, steps = threading.Event(), []

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
            waits.set()
            await asyncio.Event().wait()
        finally:
            for _ in range(50):
                await asyncio.sleep(0)
            steps.append("closed")

    iterator = Background.shared().iterate(items())
    assert next(iterator) == 1
    interrupter = threading.Thread(target=lambda: (waits.wait(10), os.kill(os.getpid(), signal.SIGINT)))
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    interrupter.join()
    assert steps == ["closed"]


def test_leaving_early_closes_the_iterator() -> None:
    closed = threading.Event()

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.set()

    iterator = Background.shared().iterate(items())
    next(iterator)
    iterator.close()  # type: ignore[attr-defined] # it is a generator
    assert closed.is_set()


def test_an_iterator_that_is_left_over_does_not_keep_the_program_from_its_end() -> None:
    code = """
from runyard.background import Background
async def items():
    yield 1
left = Background.shared().iterate(items())
next(left)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_an_iterator_that_is_collected_in_the_loop_is_closed_without_a_wait() -> None:
    background, closed = Background.shared(), threading.Event()

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            closed.set()

    held = [background.iterate(items())]
    next(held[0])

    async def collect() -> None:
        held.clear()
        gc.collect()

    background.start(collect()).result(10)
    assert closed.wait(10)
