"""Logs in a page: whole, or head and tail, and never what a terminal would act on."""

from __future__ import annotations

import pytest

from runyard.export.log_part import log_part, plain


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"one\ntwo\n", "one\ntwo\n"),
        (b"\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07", "red link"),
        (b"10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        (b"bell\x07 \xff", "bell\N{REPLACEMENT CHARACTER} \N{REPLACEMENT CHARACTER}"),
        (b"tab\tkept\r", "tab\tkept"),
    ],
)
def test_what_a_terminal_would_act_on_is_gone(data: bytes, shown: str) -> None:
    assert plain(data) == shown


def test_a_small_log_is_whole_and_of_a_large_one_head_and_tail_are_kept() -> None:
    data = b"".join(b"line %d\n" % n for n in range(1_000))

    def read(start: int, end: int) -> bytes:
        return data[start:end]

    whole = log_part(read, len(data), len(data))
    assert (whole.head, whole.tail, whole.left_out) == (data.decode(), "", 0)
    part = log_part(read, len(data), 200)
    assert part.head.startswith("line 0\n") and part.head.endswith("\n")
    assert part.tail.startswith("line ") and part.tail.endswith("line 999\n")
    assert len(part.head) + len(part.tail) + part.left_out == len(data) == part.size
    line = b"x" * 1_000
    one = log_part(lambda start, end: line[start:end], len(line), 100)
    assert len(one.head) + len(one.tail) + one.left_out == 1_000, "a line without an end is cut"
