"""Nothing survives the tests: what they started is gone when they end."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.support import described, processes_marked

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

#: Servers, Ray and modules that the tests start inherit it, and nothing else on this machine has it.
MARK = "RY_TEST_SESSION"
#: An idle shim waits 10 s for another run, and a spawner that guards shims stays for as long as they.
GONE_SECONDS = 60

# How long an example takes says how busy the machine is, and nothing of what is tested: each test has a time limit.
settings.register_profile(
    "patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def nothing_survives_the_tests() -> Iterator[None]:
    """Mark all that the tests start, and look for the mark when they have ended.

    Spawners and shims take along little of an environment; what they take is `PATH`. So that has the mark, too: as a
    folder that is not there, which changes nothing for who looks for a program.
    """
    mark = os.environ[MARK] = secrets.token_hex(8)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{before}{os.pathsep}/{MARK}-{mark}"
    yield
    os.environ["PATH"] = before
    end = time.monotonic() + GONE_SECONDS
    while (left := processes_marked(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    words = [described(process) for process in left]
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert not left, f"left after {GONE_SECONDS} s: {words}"


@pytest.fixture(scope="session")
def postgres(nothing_survives_the_tests: None) -> Iterator[PostgresServer]:
    """A PostgreSQL server, for all tests that ask for one; they are skipped where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: runyard[postgres]")
    from tests.postgres_server import postgres_server

    with postgres_server() as server:
        yield server
