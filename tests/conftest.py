"""Nothing survives the tests: what they started is gone when they end."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import processes_with, wait_until

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer

#: Servers, Ray and modules that the tests start inherit it, and nothing else on this machine has it.
MARK = "RY_TEST_SESSION"


@pytest.fixture(scope="session", autouse=True)
def nothing_survives_the_tests() -> Iterator[None]:
    """Mark all that the tests start, and look for the mark when they have ended."""
    mark = os.environ[MARK] = secrets.token_hex(8)
    yield
    wait_until(lambda: not processes_with({MARK: mark}), 60, "all that the tests started has ended")


@pytest.fixture(scope="session")
def postgres(nothing_survives_the_tests: None) -> Iterator[PostgresServer]:
    """A PostgreSQL server, for all tests that ask for one; they are skipped where none can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: runyard[postgres]")
    from tests.postgres_server import postgres_server

    with postgres_server() as server:
        yield server
