"""Whatever is typed, read or printed: it is understood or refused in words, and takes no longer for being odd."""

from __future__ import annotations

import json
import math
import time
import unicodedata
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runyard.batch_file import read_batch_file
from runyard.cli.say import clean
from runyard.parameters import read_parameters
from runyard_cluster.durations import UNITS as TIMES
from runyard_cluster.durations import parse_duration
from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.sizes import UNITS as SIZES
from runyard_cluster.sizes import parse_size

SOME = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
#: Seconds of CPU that no input of these sizes may take; each takes a tenth of it at most.
NO_TIME = 8.0
MANY = 200_000


@SOME
@given(st.integers(0, 999), st.integers(0, 999), st.sampled_from([u for u in SIZES if SIZES[u] > 1]))
def test_a_broken_size_is_its_bytes_rounded_down(whole: int, thousandths: int, unit: str) -> None:
    exact = Fraction(whole * 1000 + thousandths, 1000) * SIZES[unit]
    assert parse_size(f"{whole}.{thousandths:03}{unit}") == math.floor(exact)


@SOME
@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from(sorted(TIMES))), min_size=1, max_size=5))
def test_parts_of_a_duration_add_up(parts: list[tuple[int, str]]) -> None:
    text = " ".join(f"{count}{unit}" for count, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(count * TIMES[unit] for count, unit in parts))


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"command": st.lists(WORDS, max_size=3)},
        optional={
            "name": WORDS,
            "memory": st.sampled_from(["1g", "64MB", "much", ""]) | st.integers(-1, 2**40),
            "timeout": st.sampled_from(["1h30m", "soon"]) | st.integers(0, 10),
            "priority": st.integers(-(2**40), 2**40),
            "env": st.dictionaries(WORDS, WORDS, max_size=2),
            "hold": st.booleans(),
            "after": st.lists(st.integers(0, 3), max_size=2),
        },
    ),
    min_size=1,
    max_size=3,
)


@SOME
@given(ROWS)
@example([{"command": ["a\u2028b", '"', "\\"]}])
def test_every_format_is_understood_alike_or_refused_alike(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    texts = {
        "a.json": json.dumps(rows),
        "b.json": json.dumps({"runs": rows}, ensure_ascii=False),
        "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "a.toml": "".join(f"[[runs]]\n{''.join(map(toml_line, row.items()))}" for row in rows),
    }
    answers = []
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
        try:
            answers.append(read_batch_file(tmp_path / name).runs)
        except InvalidRequestError as error:
            assert name in str(error)
            answers.append([{"index": d["index"], "field": d["field"]} for d in error.details])
    assert all(answer == answers[0] for answer in answers), answers


def toml_line(item: tuple[str, Any]) -> str:
    return f"{item[0]} = {toml(item[1])}\n"


def toml(value: Any) -> str:
    """Texts, numbers and lists stand in TOML as in JSON; tables do not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


@SOME
@given(name=st.sampled_from(["p.csv", "p.tsv", "p.json", "p.jsonl"]), content=st.binary(max_size=200))
@example(name="p.csv", content=b"a,b\n1,2\n3,4")
@example(name="p.json", content=b'[{"a": NaN}]')
@example(name="p.jsonl", content=b'{"a": {"b": 1}}')
def test_any_file_of_parameters_is_read_or_refused_in_words(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        axis = read_parameters(tmp_path / name)
    except InvalidRequestError as error:
        assert name in str(error)
    else:
        assert axis.points and all(set(point) == set(axis.names) for point in axis.points)


ENDLESS = {
    "dots.toml": "a." * MANY + "b = 1",
    "deep.toml": "a = " + "[" * MANY,
    "tables.toml": "".join(f"[a{i}]\n" for i in range(MANY // 50)),
    "digits.toml": "a = " + "9" * MANY,
    "quotes.toml": 'a = """' + "\\\n" * MANY,
    "deep.json": '{"a":' * MANY,
    "digits.json": '[{"num_cpus":' + "9" * MANY + "}]",
    "lines.jsonl": "\n" * MANY,
    "columns.csv": ",".join(f"c{i}" for i in range(MANY // 10)) + "\n1",
    "quote.csv": 'module\n"' + "a" * MANY,
    "braces.toml": '[grid]\na = [1]\n[[runs]]\nname = "{a}"\ncommand = ["x", "' + "{{a" * MANY + '"]',
}


@pytest.mark.parametrize("name", ENDLESS)
def test_no_batch_file_takes_for_ever(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(ENDLESS[name])
    began = time.process_time()
    with pytest.raises(InvalidRequestError, match=name.replace(".", r"\.")) as caught:
        read_batch_file(tmp_path / name)
    assert time.process_time() - began < NO_TIME
    assert len(str(caught.value)) < 1_000


def test_dots_in_a_text_are_no_key(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f'[[runs]]\ncommand = ["x", "{"a." * 999}", "{". " * 5_000}"]')
    assert len(read_batch_file(tmp_path / "a.toml").runs) == 1


PIECES = st.sampled_from(
    [
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x1b(",
        "\x9b",
        "\x07",
        "\x1b\\",
        "0;1",
        "31m",
        "2J",
        "\r",
        "\b",
        "\n",
        "\t",
    ]
) | st.text(max_size=5)
#: Characters that change how others are shown: none of them reaches a terminal.
DIRECTIONS = {
    "\u061c",
    "\u200e",
    "\u200f",
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}


@SOME
@given(st.lists(PIECES, max_size=12).map("".join))
@example("\x1b]0;owned\x07it\u061c\u2028")
@example("\x1b\x1b[31m[31mred")
def test_whatever_a_run_says_steers_no_terminal(text: str) -> None:
    shown = clean(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in DIRECTIONS for c in shown)
    assert clean(shown) == shown


@pytest.mark.parametrize(
    "piece", ["\x1b[", "\x1b]", "\x1b[0", "\x1b", "\x1bP\x1b", "0;", "\x1b[" + "0" * 100]
)
def test_no_text_takes_for_ever_to_clean(piece: str) -> None:
    began = time.process_time()
    clean(piece * (3 * MANY // len(piece)))
    assert time.process_time() - began < NO_TIME
