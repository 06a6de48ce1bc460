"""Why a module could not be started, in words."""

from __future__ import annotations

import errno

import pytest

from runyard_actors.shim._start_error import words
from runyard_actors.shim.spec import ShimSpec


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOENT, "cwd not found: /there"),
        (errno.ENOTDIR, "cwd is not a folder: /there"),
        (errno.EACCES, "cwd cannot be entered: /there (permission denied)"),
        (errno.ELOOP, "cwd is a circle of links: /there"),
        (errno.ENAMETOOLONG, "cwd cannot be used: /there (File name too long)"),
    ],
)
def test_a_cwd_says_what_is_wrong_with_it(number: int, said: str) -> None:
    spec = ShimSpec(
        run_id="run", attempt=1, nonce="n", command=("true",), cwd="/there", env={}, grace_seconds=1.0
    )
    assert words("cwd", number, spec) == said
