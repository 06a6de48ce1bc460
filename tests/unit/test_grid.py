"""Grids: parameters multiplied and zipped, placeholders, and what is said about wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard import InvalidRequestError, Module, expand
from runyard.batch_file import read_batch_file
from runyard.for_each import read_for_each


def read(folder: Path, content: str, name: str = "grid.toml") -> list[dict[str, Any]]:
    path = folder / name
    path.write_text(content)
    return read_batch_file(path).runs


def test_lists_are_multiplied_and_tables_of_lists_change_together() -> None:
    assert expand({"lr": [0.1, 0.2], "size": {"model": ["s", "l"], "batch": [64, 16]}}) == [
        {"lr": 0.1, "model": "s", "batch": 64},
        {"lr": 0.1, "model": "l", "batch": 16},
        {"lr": 0.2, "model": "s", "batch": 64},
        {"lr": 0.2, "model": "l", "batch": 16},
    ]


def test_a_module_becomes_a_run_for_each_point_with_values_in_place() -> None:
    module = Module(
        "train",
        script="train.py",
        args=["--lr={lr}", "{{lr}}"],
        env={"SEED": "{seed}"},
        num_cpus="{cpus}",
        labels={"lr": "{lr}"},
    )
    runs = expand({"lr": [0.1], "seed": [7], "cpus": [1, 2.5]}, module)
    assert [run["num_cpus"] for run in runs] == [1, 2.5]
    assert runs[0]["args"] == ["--lr=0.1", "{lr}"]
    assert runs[0]["env"] == {"SEED": "7"}
    assert runs[0]["labels"] == {"lr": "0.1"}


def test_a_row_is_multiplied_by_what_it_uses_and_indexes_stand_for_all_it_became(tmp_path: Path) -> None:
    runs = read(
        tmp_path,
        """
        [grid]
        lr = [0.1, 0.2]
        seed = [1, 2]
        [[runs]]
        command = ["fetch"]
        [[runs]]
        command = ["train", "{lr}", "{seed}"]
        name = "train {lr} {seed}"
        after = [0]
        [[runs]]
        command = ["report", "{lr}"]
        after = ["train {lr} 1", "train {lr} 2"]
        [[runs]]
        command = ["tidy"]
        after_any = [1]
        """,
    )
    assert [run["command"] for run in runs] == [
        ["fetch"],
        *(["train", lr, seed] for lr in ("0.1", "0.2") for seed in ("1", "2")),
        ["report", "0.1"],
        ["report", "0.2"],
        ["tidy"],
    ]
    assert runs[1]["after"] == [0]
    assert [run["after"] for run in runs[5:7]] == [[1, 2], [3, 4]]
    assert runs[7]["after_any"] == [1, 2, 3, 4]


def test_a_file_of_parameters_is_multiplied_with_the_grid(tmp_path: Path) -> None:
    (tmp_path / "photos.csv").write_text("photo,side\na b.png,10\nc.png,20\n")
    runs = read(
        tmp_path,
        json.dumps(
            {
                "grid": {"kind": ["webp", "jpeg"]},
                "for_each": "photos.csv",
                "runs": [{"command": ["convert", "{photo}", "{side}", "{kind}"]}],
            }
        ),
        "grid.json",
    )
    assert [run["command"][1:] for run in runs] == [
        ["a b.png", "10", "webp"],
        ["c.png", "20", "webp"],
        ["a b.png", "10", "jpeg"],
        ["c.png", "20", "jpeg"],
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", "photo;side\nx.png;10\n"),
        ("p.jsonl", '{"photo": "x.png", "side": 10}\n'),
        ("p.json", '[{"photo": "x.png", "side": 10}]'),
    ],
)
def test_a_command_for_each_row_of_a_file(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    batch = read_for_each(tmp_path / name, ["convert", "{photo}", "-s", "{side}"])
    assert [run["command"] for run in batch.runs] == [["convert", "x.png", "-s", "10"]]
    assert batch.runs[0]["cwd"] == str(Path.cwd())


@pytest.mark.parametrize(
    ("grid", "args", "words"),
    [
        ({"lr": [1]}, ["{lrs}"], "{lrs} stands for no parameter; did you mean {lr}? Write {{lrs}} for"),
        ({"lr": [1], "seed": [1]}, ["{lr}"], "no row uses parameter 'seed'"),
        ({"lr": 1}, ["{lr}"], "grid.lr must be a list of values"),
        ({"lr": []}, ["{lr}"], "grid.lr must be a list of values"),
        ({"lr": [[1]]}, ["{lr}"], "grid.lr holds list"),
        ({"a b": [1]}, ["{lr}"], "'a b' is no name for a parameter"),
        ({"g": {"a": [1], "b": [1, 2]}}, ["{a}"], "the lists of grid.g change together"),
        ({"a": [1], "g": {"a": [1]}}, ["{a}"], "parameter 'a' is there twice"),
        ({"a": list(range(400)), "b": list(range(400))}, ["{a}{b}"], "the grid makes 160000 runs"),
    ],
)
def test_a_wrong_grid_is_refused_in_words(grid: dict[str, Any], args: list[str], words: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        expand(grid, {"command": ["x"], "args": args})
    assert words in str(caught.value)


def test_a_wrong_file_of_parameters_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"a": 1}\n{"b": 1}\n')
    with pytest.raises(InvalidRequestError, match=r"p\.jsonl: row 2 and the first one differ"):
        read_for_each(tmp_path / "p.jsonl", ["{a}"])
    with pytest.raises(InvalidRequestError, match=r"missing\.csv: cannot be read"):
        read_for_each(tmp_path / "missing.csv", ["{a}"])
    with pytest.raises(InvalidRequestError, match=r"p\.txt: a file of parameters is CSV"):
        read_for_each(tmp_path / "p.txt", ["{a}"])


def test_braces_that_are_no_placeholders_stay(tmp_path: Path) -> None:
    command = ["find", "-exec", "{}", '{"a": 1}', "${HOME}", "{a}"]
    with pytest.raises(InvalidRequestError, match="HOME"):
        expand({"a": [1]}, {"command": command})
    command[4] = "$HOME"
    assert expand({"a": [1]}, {"command": command})[0]["command"] == [*command[:5], "1"]


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,4}", fullmatch=True),
        st.lists(st.integers(), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_every_combination_is_there_once_and_in_order(grid: dict[str, list[int]]) -> None:
    points = expand(grid)
    runs = expand(grid, {"command": ["x", *(f"{{{name}}}" for name in grid)]})
    count = 1
    for values in grid.values():
        count *= len(values)
    assert len(points) == len(runs) == count
    assert [run["command"][1:] for run in runs] == [[str(p[name]) for name in grid] for p in points]
