"""The last line of a log is one line of plain text, whatever the module printed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runyard_actors.manager.last_line import LENGTH, TAIL_BYTES, last_line, with_last_lines
from runyard_actors.measure import RunUsage
from runyard_actors.run import RunId


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        (b"", None),
        (b"\n \n\x1b[0m\n", None),
        (b"one\ntwo\n", "two"),
        (b"one\ntwo", "two"),
        (b"one\r\ntwo\r\n\r\n", "two"),
        (b" 10%\r 20%\r 30%", "30%"),
        (b" 10%\r 20%\r", "20%"),
        (b"\x1b[32maccuracy\x1b[0m 0.9\n", "accuracy 0.9"),
        (b"\x1b]0;a title\x07epoch 3\x1b[K\n", "epoch 3"),
        (b"a\tb\x00c\x08\n", "a bc"),
        ("\u202eevil\u202c \u200bfine".encode(), "evil fine"),
        ("über 1 \N{SNOWMAN}".encode(), "über 1 \N{SNOWMAN}"),
        ("é".encode()[1:] + b" begins in the middle of a letter", "begins in the middle of a letter"),
        (b"x" * 1_000, "x" * LENGTH),
        (b"cut in a colour \x1b[3", "cut in a colour 3"),
    ],
)
def test_a_tail_has_this_last_line(tail: bytes, line: str | None) -> None:
    found = last_line(tail)
    assert (found or "").strip() == (line or "").strip()
    assert found is None or "\x1b" not in found


def test_logs_are_read_at_their_ends_only(tmp_path: Path) -> None:
    log, none = tmp_path / "output.log", tmp_path / "none.log"
    with log.open("wb") as file:
        file.truncate(2**40)  # a terabyte of nothing costs no time
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    usage = RunUsage(run_id=RunId("r"), cpu_percent=1.0, memory=2)
    assert [u.last_line for u in with_last_lines([(usage, log), (usage, none)])] == ["the end", None]


@pytest.mark.parametrize("piece", [b"\x1b[", b"\x1b]", b"\x1b", b"\r\n", b"\x1bP0", b"\x1b[0;"])
def test_a_hostile_tail_costs_no_more_than_a_plain_one(piece: bytes) -> None:
    hostile = piece * (TAIL_BYTES // len(piece))
    begin = time.process_time()
    for _ in range(20):
        last_line(hostile)
    assert time.process_time() - begin < 2.0
