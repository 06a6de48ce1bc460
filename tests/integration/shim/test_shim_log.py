"""The log: byte by byte what was printed, stamped, never in anybody's way, and never above its limit."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.integration.shim.conftest import Attempt
from tests.support import python, wait_until

Start = Callable[..., Attempt]


def test_the_log_is_exact(start: Start) -> None:
    code = (
        "import sys\nout = sys.stdout.buffer\n"
        "out.write(b'x' * 200_000 + b'\\n'); out.flush()\n"
        "sys.stderr.buffer.write(bytes(range(256))); sys.stderr.flush()\n"
        "out.write(b'\\r\\x1b[0m no end')"
    )
    attempt = start(python(code))
    record = attempt.end()
    expected = b"x" * 200_000 + b"\n" + bytes(range(256)) + b"\r\x1b[0m no end"
    assert attempt.log() == expected
    assert record["log_bytes"] == len(expected) == attempt.folder.log_size()


def test_the_time_index_says_when_the_log_had_grown_how_far(start: Start) -> None:
    attempt = start(["sh", "-c", "printf first; while [ ! -e go ]; do sleep 0.02; done; printf second"])
    index = attempt.folder.time_index_file
    wait_until(lambda: index.exists() and index.read_text().startswith("5 "), 10, "the first entry")
    (attempt.folder.path / "go").touch()
    record = attempt.end()
    entries = [tuple(map(int, line.split())) for line in index.read_text().splitlines()]
    assert [offset for offset, _ in entries] == [5, 11]
    assert record["started_at"] <= entries[0][1] <= entries[1][1] <= record["ended_at"]


def test_a_module_that_prints_nothing_has_an_empty_log(start: Start) -> None:
    attempt = start(["true"])
    assert attempt.end()["log_bytes"] == 0
    assert attempt.log() == b""


def test_a_log_above_its_limit_keeps_head_and_tail_and_tells_the_gap(start: Start) -> None:
    code = "for i in range(60_000): print(f'{i:099}')"
    attempt = start(python(code), max_log_bytes=1_000_000)
    record = attempt.end()
    log, gap = attempt.log(), attempt.folder.log_gap()
    assert record["exit_code"] == 0
    assert record["log_bytes"] == len(log) == 6_000_000
    assert gap is not None
    assert record["log_dropped"] == gap[1] - gap[0]
    assert 900_000 < len(log) - record["log_dropped"] < 1_100_000
    # Head and tail are what was printed, at the offsets where it was printed.
    whole = b"".join(b"%099d\n" % i for i in range(60_000))
    assert (log[: gap[0]], log[gap[1] :]) == (whole[: gap[0]], whole[gap[1] :])
    assert os.stat(attempt.folder.log_file).st_blocks * 512 < 1_200_000


def test_a_log_within_its_limit_has_no_gap(start: Start) -> None:
    attempt = start(python("print('x' * 1_000_000)"), max_log_bytes=1_000_000)
    assert attempt.end()["log_dropped"] == 0
    assert attempt.folder.log_gap() is None
