"""Batch files: what each kind is read into, and what is said about bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runyard.batch_file import MAX_ROWS, BatchFile, read_batch_file
from runyard.batch_format import FORMATS
from runyard_cluster.errors import InvalidRequestError

GIB = 1 << 30


def read(folder: Path, name: str, content: str | bytes) -> BatchFile:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_batch_file(path)


def refusal(folder: Path, name: str, content: str | bytes) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read(folder, name, content)
    return caught.value


def test_toml_holds_runs_and_what_is_said_of_the_batch(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "sweep.toml",
        """
        name = "sweep"
        max_concurrent = 4
        max_failures = 2
        [[runs]]
        script = "train.py"
        args = ["--lr", 0.1]
        name = "small"
        memory = "4GiB"
        timeout = "30m"
        num_gpus = 0.25
        env = { THREADS = 2 }
        [[runs]]
        command = ["true"]
        cwd = "sub"
        after = ["small"]
        """,
    )
    assert (batch.name, batch.max_concurrent, batch.max_failures) == ("sweep", 4, 2)
    assert batch.runs[0] == {
        "script": str(tmp_path / "train.py"),
        "args": ["--lr", "0.1"],
        "name": "small",
        "memory": 4 * GIB,
        "timeout": 1800.0,
        "num_gpus": 0.25,
        "env": {"THREADS": "2"},
        "cwd": str(tmp_path),
    }
    assert batch.runs[1] == {"command": ["true"], "cwd": str(tmp_path / "sub"), "after": [0]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"module": "m"}, {"module_id": "m", "priority": 3}]'),
        ("a.json", '{"runs": [{"module": "m"}, {"module": "m", "priority": 3}]}'),
        ("a.jsonl", '{"module": "m"}\n\n{"module": "m", "priority": 3}\n'),
        ("a.ndjson", '{"module": "m"}\r\n{"module": "m", "priority": 3}'),
        ("a.csv", "module,priority\nm,\nm,3\n"),
        ("a.CSV", "\ufeffmodule;priority\r\nm;\r\n;\r\nm;3\r\n"),
        ("a.tsv", "module\tpriority\nm\nm\t3\n"),
        ("a.toml", 'runs = [{module="m"}, {module="m", priority=3}]'),
    ],
)
def test_every_format_is_read_into_the_same(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, name, content) == BatchFile(runs=[{"module": "m"}, {"module": "m", "priority": 3}])


def test_a_file_in_utf_16_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", '{"module": "ü"}'.encode("utf-16")).runs == [{"module": "ü"}]


def test_csv_cells_become_the_values_of_their_columns(tmp_path: Path) -> None:
    batch = read(
        tmp_path,
        "a.csv",
        "name,command,env.A,label.team,labels,num_cpus,num_gpus,memory,timeout,after,max_retries,"
        "retry_on_out_of_memory,env\n"
        """one,"python -c 'print(1)'",1 2,red,"kind=a, size=b",0.5,1,1024,90,,2,1.5,\n"""
        "two,true,,,,auto,,512MiB,1h30m,one 0,,,\"B=x C='y z'\"\n",
    )
    one, two = batch.runs
    assert one["command"] == ["python", "-c", "print(1)"]
    assert one["env"] == {"A": "1 2"}
    assert one["labels"] == {"team": "red", "kind": "a", "size": "b"}
    assert (one["num_cpus"], one["num_gpus"], one["memory"], one["timeout"]) == (0.5, 1, 1024, 90.0)
    assert (one["max_retries"], one["retry_on_out_of_memory"]) == (2, 1.5)
    assert (two["num_cpus"], two["memory"], two["timeout"]) == ("auto", 512 << 20, 5400.0)
    assert two["after"] == [0] and two["env"] == {"B": "x", "C": "y z"}
    assert "max_retries" not in two and "labels" not in two


def test_memory_may_be_learned(tmp_path: Path) -> None:
    run = read(tmp_path, "a.csv", "module,memory,gpu_memory\nm,learn,learn\n").runs[0]
    assert (run["memory"], run["gpu_memory"]) == ("learn", "learn")
    with pytest.raises(InvalidRequestError, match="gpu_memory"):
        read(tmp_path, "b.csv", "module,gpu_memory\nm,auto\n")


def test_csv_arguments_are_split_as_a_shell_does(tmp_path: Path) -> None:
    run = read(tmp_path, "a.csv", """script,args\nx.py,"--name 'a b' --n 3"\n""").runs[0]
    assert run["args"] == ["--name", "a b", "--n", "3"]


def test_csv_lists_may_be_json(tmp_path: Path) -> None:
    one, two = read(
        tmp_path,
        "a.csv",
        'name,command,args,after\none,"[""echo"", ""a b""]","[1, ""x""]",\ntwo,[ -f x,,"[""one""]"\n',
    ).runs
    assert one["command"] == ["echo", "a b"] and one["args"] == ["1", "x"]
    assert two["command"] == ["[", "-f", "x"] and two["after"] == [0]


def test_a_row_may_ask_for_a_warm_start(tmp_path: Path) -> None:
    run = read(tmp_path, "a.csv", "module,warm,preload\nm,true,json csv\n").runs[0]
    assert (run["warm"], run["preload"]) == (True, ["json", "csv"])
    assert read(tmp_path, "a.jsonl", '{"module": "m", "warm": true}').runs[0]["warm"] is True
    with pytest.raises(InvalidRequestError, match="must be true or false"):
        read(tmp_path, "b.csv", "module,warm\nm,maybe\n")


def test_absolute_paths_stay(tmp_path: Path) -> None:
    script = (tmp_path.parent / "x.py").as_posix()
    run = read(
        tmp_path, "a.jsonl", json.dumps({"script": script, "cwd": script, "python": "python3.11"})
    ).runs[0]
    assert Path(run["script"]) == Path(script) == Path(run["cwd"])
    assert run["python"] == "python3.11"


def test_a_module_runs_where_its_settings_say(tmp_path: Path) -> None:
    assert "cwd" not in read(tmp_path, "a.jsonl", '{"module": "m"}').runs[0]


def test_a_module_may_name_what_a_script_counts_as(tmp_path: Path) -> None:
    run = read(tmp_path, "a.jsonl", '{"module": "m", "script": "x.py"}').runs[0]
    assert run["module"] == "m" and run["script"].endswith("x.py")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "one of `module`, `command` and `script`"),
        ({"script": "x", "command": ["y"]}, "not both"),
        ({"module": "m", "memroy": 1}, "did you mean `memory`?"),
        ({"module": "m", "memory": "64 gigs"}, "memory: '64 gigs' is not a size"),
        ({"module": "m", "memory": True}, "memory"),
        ({"module": "m", "timeout": 0}, "timeout: must be greater than 0"),
        ({"module": "m", "timeout": "soon"}, "timeout"),
        ({"module": "m", "num_cpus": -1}, "num_cpus: must be 0, or from 0.001"),
        ({"module": "m", "num_cpus": 10**400}, "num_cpus: must be 0, or from 0.001"),
        ({"module": "m", "num_cpus": "2"}, "num_cpus: must be a number, not the text '2'"),
        ({"module": "m", "num_gpus": 1.5}, "num_gpus: must be a fraction up to 1, or a whole number"),
        ({"module": "m", "priority": 1.5}, "priority: must be a whole number"),
        ({"module": "m", "max_retries": -1}, "max_retries: must be from 0"),
        (
            {"module": "m", "retry_on_out_of_memory": 0.5},
            "retry_on_out_of_memory: must be a number from 1 to 16",
        ),
        ({"module": "m", "args": "a b"}, "args: must be a list of texts"),
        ({"module": "m", "args": [None]}, "args: holds null"),
        ({"module": "m", "args": ["a\0b"]}, "args: holds a character"),
        ({"module": "m", "name": "\ud800"}, "name: holds a character"),
        ({"module": "m", "name": "x" * 201}, "name: may have at most 200"),
        ({"module": "m", "args": ["x" * 140_000]}, "args: one text may have at most"),
        ({"module": "m", "env": {"A=B": "1"}}, "env: 'A=B' is no name"),
        ({"module": "m", "env": {"RUNYARD_X": "1"}}, "set by runyard itself"),
        ({"module": "m", "env": {"A": True}}, "env: holds true"),
        ({"module": "m", "labels": ["a"]}, "labels: must be a table"),
        ({"module": "m", "labels": {str(i): "x" for i in range(65)}}, "at most 64"),
        ({"module": "m", "after": [0.5]}, "after: must be indexes or names"),
        ({"module": 3}, "module: must be a text, not a number"),
        ({"command": []}, "command: must name a program"),
        ({"script": ""}, "script: must be a path, as a text, not empty"),
        ("train.py", "must be a table of fields, not the text 'train.py'"),
        (None, "must be a table of fields, not null"),
    ],
)
def test_a_bad_field_is_named_with_file_row_and_what_is_allowed(tmp_path: Path, row: Any, words: str) -> None:
    error = refusal(tmp_path, "a.json", json.dumps([{"module": "good"}, row]))
    assert words in str(error)
    assert "a.json: row 2 (runs[1])" in str(error)
    assert error.details[0]["index"] == 1


def test_every_bad_row_is_told_the_first_ones_in_the_message(tmp_path: Path) -> None:
    error = refusal(tmp_path, "a.json", json.dumps([{}] * 9))
    assert [d["index"] for d in error.details] == list(range(9))
    assert len(str(error).splitlines()) == 6 and "and 4 more problems" in str(error)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "", "ends in one of .toml, .json"),
        ("a", "", "ends in one of"),
        ("a.toml", "x = [", "is not valid TOML"),
        ("a.toml", "name = 'x'", "needs `runs`"),
        ("a.toml", "runs = 3", "needs `runs`"),
        ("a.toml", "runs = []", "holds no runs"),
        ("a.toml", "max_concurent = 3\nruns = [{module='m'}]", "did you mean `max_concurrent`?"),
        ("a.toml", "max_concurrent = 0\nruns = [{module='m'}]", "max_concurrent: must be from 1"),
        ("a.toml", "runs = [{module='m', memory=nan}]", "memory"),
        ("a.toml", "runs = [{module='m', num_cpus=inf}]", "num_cpus"),
        ("a.toml", "runs = [{module='m', priority=0x" + "f" * 5_000 + "}]", "priority"),
        ("a.toml", "runs = [{module='m', args=[0x" + "f" * 5_000 + "]}]", "args"),
        ("a.toml", "runs = [{module=1979-05-27}]", "module: must be a text, not a date"),
        ("a.json", "", "is not valid JSON"),
        ("a.json", '{"module": "m"}\n{"module": "m"}', "named .jsonl"),
        ("a.json", '{"module": "m"}', "needs `runs`"),
        ("a.json", '"x"', "must be a list of runs"),
        ("a.json", '[{"module": "m", "num_cpus": NaN}]', "NaN"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.json", '[{"module": "m", "priority": ' + "9" * 5_000 + "}]", "a.json"),
        ("a.jsonl", '{"module": "m"}\n{', "line 2 is not valid JSON"),
        ("a.jsonl", '{"module": "m"}\n[]', "row 2 (line 2): must be a table of fields, not a list"),
        ("a.csv", "", "holds no runs"),
        ("a.csv", "module\n\n", "holds no runs"),
        ("a.csv", "module,\nm,x", "column 2 of the header has no name"),
        ("a.csv", "module,module\nm,x", "twice"),
        ("a.csv", "module\nm,x", "row 1 (line 2) has 2 cells, the header 1"),
        ("a.csv", 'module\n"m', "is not valid CSV"),
        ("a.csv", "module,args\nm,'open", "row 1 (line 2): args: No closing quotation"),
        ("a.csv", "module,priority\nm,high", "priority: must be a whole number"),
        ("a.csv", "module,labels\nm,red", "labels: 'red' must be KEY=VALUE"),
        ("a.csv", "module,colour\nm,red", "colour: is not a field of a run"),
        ("a.csv", "module\n" + "x" * 200_000, "a.csv"),
        ("a.json", b"\xff\xfa[]", "is not UTF-8 (byte 0)"),
    ],
)
def test_a_bad_file_is_refused_in_words(tmp_path: Path, name: str, content: str | bytes, words: str) -> None:
    error = refusal(tmp_path, name, content)
    assert words in str(error)
    assert str(tmp_path / name) in str(error)


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"gone\.toml: cannot be read: No such file"):
        read_batch_file(tmp_path / "gone.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        read_batch_file(tmp_path / "folder.toml")


def test_more_rows_than_a_batch_may_have_are_refused(tmp_path: Path) -> None:
    assert "at most 100000" in str(refusal(tmp_path, "a.csv", "module\n" + "m\n" * (MAX_ROWS + 1)))


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    assert "at most 16 MiB" in str(refusal(tmp_path, "a.jsonl", b"\n" * (16 * 2**20 + 1)))


@pytest.mark.parametrize(
    ("afters", "words"),
    [
        ([[], [5]], "there is no row with index 5; indexes go from 0 to 1"),
        ([[], [-1]], "there is no row with index -1"),
        ([[0]], "cannot come after itself"),
        ([["r0"]], "cannot come after itself"),
        ([[], ["r9"]], "no row is named 'r9'"),
        ([[1], [0]], "waits for itself: r0 after r1 after r0"),
        ([[], [0, 3], [1], [2]], "waits for itself: r1 after r3 after r2 after r1"),
    ],
)
def test_after_that_cannot_be_is_refused(tmp_path: Path, afters: list[Any], words: str) -> None:
    rows = [{"module": "m", "name": f"r{i}", "after": after} for i, after in enumerate(afters)]
    assert words in str(refusal(tmp_path, "a.json", json.dumps(rows)))


def test_after_takes_names_and_indexes_of_later_rows_too(tmp_path: Path) -> None:
    rows = [{"module": "m", "after": ["z", 2, 2]}, {"module": "m"}, {"module": "m", "name": "z"}]
    assert read(tmp_path, "a.json", json.dumps(rows)).runs[0]["after"] == [2]


def test_a_name_that_several_rows_have_cannot_be_waited_for(tmp_path: Path) -> None:
    rows = [{"module": "m", "name": "z"}, {"module": "m", "name": "z"}, {"module": "m", "after": "z"}]
    assert "2 rows are named 'z'" in str(refusal(tmp_path, "a.json", json.dumps(rows)))


def test_a_long_chain_is_no_circle(tmp_path: Path) -> None:
    rows = [{"module": "m", "after": [i - 1] if i else []} for i in range(20_000)]
    assert len(read(tmp_path, "a.json", json.dumps(rows)).runs) == 20_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "module",
        "command",
        "script",
        "args",
        "env",
        "cwd",
        "labels",
        "priority",
        "num_cpus",
        "num_gpus",
        "memory",
        "gpu_memory",
        "timeout",
        "after",
        "name",
        "max_retries",
        "retry_on_out_of_memory",
        "python",
        "max_concurrent",
    ]
)
NO_RESET = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)


@NO_RESET
@given(rows=st.lists(st.dictionaries(FIELDS | st.text(max_size=8), VALUES, max_size=5) | VALUES, max_size=4))
@example(rows=[{"module": "m", "after": [True]}])
def test_any_json_is_read_or_refused_in_words(tmp_path: Path, rows: list[Any]) -> None:
    check_any(tmp_path, "a.json", json.dumps(rows).encode())


@NO_RESET
@given(name=st.sampled_from([f"a{ending}" for ending in FORMATS]), content=st.binary(max_size=300))
@example(name="a.csv", content=b"module\r\x00")
def test_any_bytes_are_read_or_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    check_any(tmp_path, name, content)


@NO_RESET
@given(
    header=st.lists(
        FIELDS | st.sampled_from(["env.A", "label.b", "labels.c"]), min_size=1, max_size=4, unique=True
    ),
    rows=st.lists(st.lists(st.text(alphabet="ab01 ,;'\"=.-\\\n", max_size=8), max_size=4), max_size=4),
)
def test_any_csv_is_read_or_refused_in_words(
    tmp_path: Path, header: list[str], rows: list[list[str]]
) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [header, *rows]]
    check_any(tmp_path, "a.csv", "\n".join(quoted).encode())


def check_any(folder: Path, name: str, content: bytes) -> None:
    """What is read can be sent, and what is refused is refused with the file's name."""
    try:
        batch = read(folder, name, content)
    except InvalidRequestError as error:
        assert name in str(error)
        return
    json.dumps(batch.runs, allow_nan=False).encode()
    assert 1 <= len(batch.runs) <= MAX_ROWS
    assert all(0 <= i < len(batch.runs) for run in batch.runs for i in run.get("after", ()))


def test_a_row_says_when_it_counts_as_stalled_and_what_is_done_then(tmp_path: Path) -> None:
    path = tmp_path / "batch.csv"
    path.write_text("command,stall_after,on_stall\ntrue,10m,stop\ntrue,90,\ntrue,0,tell\n")
    rows = read_batch_file(path).runs
    assert [(row.get("stall_after"), row.get("on_stall")) for row in rows] == [
        (600.0, "stop"),
        (90.0, None),
        (0.0, "tell"),
    ]
