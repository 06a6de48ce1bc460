"""Nothing survives the tests: what they started is gone when they end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import processes_naming, wait_until

#: What only processes of ours have in their command lines.
OURS = ("runyard.server.host", "runyard_actors.shim", "ray/core/src/ray/raylet", "ray/core/src/ray/gcs")


def living() -> set[tuple[int, float]]:
    """Return our processes of any kind, whoever started them."""
    return {(p.pid, p.create_time()) for text in OURS for p in processes_naming(text)}


@pytest.fixture(scope="session", autouse=True)
def nothing_survives_the_tests() -> Iterator[None]:
    """Compare what runs before with what runs after; others may use this machine, too."""
    before = living()
    yield
    wait_until(lambda: not living() - before, 60, "servers, supervisors and Ray of these tests have ended")
