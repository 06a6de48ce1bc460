"""Tests that run in a network of their own: each is run by a pytest of its own, inside of fresh namespaces."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_VARIABLE = "RY_IN_NETWORK"
#: New namespaces of users and of the network; who was nobody special outside may set up links inside.
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net")

Test = Callable[[Path], None]


def in_network(test: Test) -> Test:
    """Have a test run inside of network namespaces that are its own, and its failure be told here."""

    @functools.wraps(test)
    def run(tmp_path: Path) -> None:
        if _VARIABLE in os.environ:
            return test(tmp_path)
        if not _has_namespaces():
            pytest.skip("needs Linux, `ip`, and leave to make network namespaces and TAP devices")
        name = f"{sys.modules[test.__module__].__file__}::{test.__name__}"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", name]
        done = subprocess.run(
            [*_NAMESPACES, *command],
            cwd=ROOT,
            env={**os.environ, _VARIABLE: "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-4_000:]
        return None

    return run


@functools.cache
def _has_namespaces() -> bool:
    if not sys.platform.startswith("linux") or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return False
    probe = [*_NAMESPACES, "ip", "tuntap", "add", "dev", "tap1", "mode", "tap"]
    return subprocess.run(probe, capture_output=True, timeout=30, check=False).returncode == 0
