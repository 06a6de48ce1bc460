"""A submission that is wrong gets the exact refusal it should, and nothing of it is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import JSON, MIB, assert_problem, run_count, wait_ended
from tests.support import python


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def http_client(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def nested(depth: int) -> bytes:
    return b'{"labels":' * depth + b"1" + b"}" * depth


RAW_BODIES = [
    ("20 empty body", b"", 422, ""),
    ("21 an open brace", b"{", 400, "not valid JSON"),
    ("22 null", b"null", 422, ""),
    ("23 a list", b"[]", 422, ""),
    ("a number", b"1", 422, ""),
    ("a text", b'"true"', 422, ""),
    ("two documents", b'{"command":["true"]} {}', 400, "not valid JSON"),
    ("a trailing comma", b'{"command":["true"],}', 400, "not valid JSON"),
    ("a byte order mark", b'\xef\xbb\xbf{"command":["true"]}', 400, "not valid JSON"),
    ("25 invalid UTF-8", b'{"command":["\xff"]}', 400, "not valid UTF-8"),
    ("UTF-16", '{"command":["true"]}'.encode("utf-16"), 400, "not valid UTF-8"),
    ("nested deeply", nested(100_000), 400, "nested too deeply"),
    ("nested", nested(500), 422, ""),
    ("1 NaN", b'{"command":["true"],"num_cpus":NaN}', 422, "NaN"),
    ("2 Infinity", b'{"command":["true"],"num_cpus":Infinity}', 422, "Infinity"),
    ("2 -Infinity", b'{"command":["true"],"timeout":-Infinity}', 422, "-Infinity"),
    ("3 1e999", b'{"command":["true"],"num_cpus":1e999}', 422, "out of range"),
    ("3 -1e999", b'{"command":["true"],"num_gpus":-1e999}', 422, "out of range"),
    ("a number of 5,000 digits", b'{"command":["true"],"memory":' + b"9" * 5_000 + b"}", 422, "out of range"),
    ("a key twice", b'{"command":["true"],"command":["false"]}', 422, "stands twice"),
    ("a key twice below", b'{"command":["true"],"labels":{"a":"1","a":"2"}}', 422, "stands twice"),
    ("half a character", b'{"command":["true"],"name":"\\ud800"}', 422, "unpaired surrogate"),
    ("half a character as a key", b'{"command":["true"],"\\udc00":1}', 422, "unpaired surrogate"),
    ("half a character in an argument", b'{"command":["true","\\uDBFF"]}', 422, "unpaired surrogate"),
    ("NUL in a key", b'{"command":["true"],"\\u0000":1}', 422, "unknown field"),
]


@pytest.mark.parametrize(
    ("body", "status", "words"), [r[1:] for r in RAW_BODIES], ids=[r[0] for r in RAW_BODIES]
)
def test_a_body_that_is_no_submission_is_refused(
    http_client: httpx.Client, body: bytes, status: int, words: str
) -> None:
    before = run_count(http_client)
    for path in ("/api/runs", "/api/batches"):
        sent = (
            body if path == "/api/runs" or not body.startswith(b'{"command"') else b'{"runs":[' + body + b"]}"
        )
        assert_problem(
            http_client.post(path, content=sent, headers=JSON), status, words if sent is body else ""
        )
    assert run_count(http_client) == before


LONG_NAME = "n" * 201
FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("4 -1 cpu", {"num_cpus": -1}, "at least 0.001"),
    ("6 true cpu", {"num_cpus": True}, "must be a number"),
    ("7 text cpu", {"num_cpus": "1"}, "must be a number"),
    ("8 nan as text", {"num_cpus": "nan"}, "must be a number"),
    ("9 1e-9 cpu", {"num_cpus": 1e-9}, "at least 0.001"),
    ("10^40 cpu", {"num_cpus": 10**40}, "at most"),
    ("a list as cpu", {"num_cpus": [1]}, "must be a number"),
    ("10 10^40 memory", {"memory": 10**40}, "out of range"),
    ("-1 memory", {"memory": -1}, "out of range"),
    ("12 1.5 bytes", {"memory": 1.5}, "not a size"),
    ("12 1.5 bytes as text", {"memory": "1.5"}, "whole number of bytes"),
    ("13 64 gigs", {"memory": "64 gigs"}, "not a size"),
    ("true memory", {"memory": True}, "not a size"),
    ("empty memory", {"memory": ""}, "not a size"),
    ("gpu_memory auto", {"gpu_memory": "auto"}, "not a size"),
    ("memory of 10 kB", {"memory": "9" * 10_000}, "not a size"),
    ("a large list as memory", {"memory": ["x" * 100_000]}, "not a size"),
    ("14 more CPUs than there are", {"num_cpus": 64}, "ResourceLimitError"),
    ("14 more memory than there is", {"memory": "1TiB"}, "ResourceLimitError"),
    ("14 more GPUs than there are", {"num_gpus": 3}, "ResourceLimitError"),
    ("14 more GPU memory than one has", {"gpu_memory": "9GiB"}, "ResourceLimitError"),
    ("16 gpu 1.5", {"num_gpus": 1.5}, "fraction up to 1"),
    ("gpu -0.5", {"num_gpus": -0.5}, "at least 0.001"),
    ("17 gpu index", {"gpu_index": 99}, "unknown field"),
    ("18 unknown field", {"num_cpu": 1}, "did you mean num_cpus?"),
    ("48 name with NUL", {"name": "a\0b"}, "NUL"),
    ("54 name of 201", {"name": LONG_NAME}, "200"),
    ("empty name", {"name": ""}, ""),
    ("name is a number", {"name": 5}, ""),
    ("64 empty argv", {"command": []}, ""),
    ("64 argv with an empty program", {"command": [""]}, "begin with a program"),
    ("argv is a text", {"command": "true"}, ""),
    ("argv with a number", {"command": ["true", 1]}, ""),
    ("66 NUL in an argument", {"args": ["a\0b"]}, "NUL"),
    ("67 an argument of 131,072 bytes", {"args": ["a" * 131_072]}, "131071"),
    ("67 an argument of 131,072 bytes in UTF-8", {"args": ["é" * 65_536]}, "131071"),
    ("68 arguments of 3 MB", {"args": ["a" * 100_000] * 30}, "2000000"),
    (
        "68 arguments and variables of 3 MB",
        {"args": ["a" * 100_000] * 15, "env": {f"V{i}": "a" * 100_000 for i in range(15)}},
        "2000000",
    ),
    ("70 env with a number", {"env": {"A": 1}}, ""),
    ("71 env sets RUNYARD_*", {"env": {"RUNYARD_RUN_ID": "x"}}, "RUNYARD_"),
    ("71 env sets runyard_*", {"env": {"runyard_token": "x"}}, "RUNYARD_"),
    ("env without a name", {"env": {"": "x"}}, "must not be empty"),
    ("env name with =", {"env": {"A=B": "x"}}, "="),
    ("env value with NUL", {"env": {"A": "\0"}}, "NUL"),
    ("env value of 131,072 bytes", {"env": {"A": "x" * 131_072}}, "131071"),
    ("1,001 variables", {"env": {f"A{i}": "" for i in range(1_001)}}, "1000"),
    ("env is a list", {"env": ["A=B"]}, ""),
    ("65 labels", {"labels": {f"l{i}": "" for i in range(65)}}, "64"),
    ("label with a number", {"labels": {"a": 1}}, ""),
    ("73 cwd of 5,000", {"cwd": "/" + "a" * 5_000}, "4096"),
    ("73 script of 5,000", {"command": None, "script": "/" + "a" * 5_000}, "4096"),
    ("cwd with NUL", {"cwd": "/\0"}, "NUL"),
    ("script and command", {"script": "a.py"}, "not both"),
    ("nothing to run", {"command": None}, "give one of"),
    ("87 timeout 0", {"timeout": 0}, "greater than 0"),
    ("87 timeout 0s", {"timeout": "0s"}, "greater than 0"),
    ("87 timeout -1", {"timeout": -1}, "out of range"),
    ("timeout 1e13", {"timeout": 1e13}, "out of range"),
    ("timeout soon", {"timeout": "soon"}, "not a duration"),
    ("timeout true", {"timeout": True}, "not a duration"),
    ("88 priority 2^40", {"priority": 2**40}, ""),
    ("priority 1.5", {"priority": 1.5}, ""),
    ("priority true", {"priority": True}, ""),
    ("retries -1", {"max_retries": -1}, ""),
    ("factor 0.5", {"retry_on_out_of_memory": 0.5}, ""),
    ("factor 17", {"retry_on_out_of_memory": 17}, ""),
    ("factor true", {"retry_on_out_of_memory": True}, ""),
    ("factor text", {"retry_on_out_of_memory": "1.5"}, ""),
    ("retries 10^9", {"max_retries": 10**9}, ""),
    ("max_concurrent 0", {"max_concurrent": 0}, ""),
    ("max_concurrent 10^40", {"max_concurrent": 10**40}, ""),
    ("when_full later", {"when_full": "later"}, "queue"),
    ("89 after no id", {"after": ["nothing"]}, "no run id"),
    ("89 after an unknown id", {"after": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"]}, "is known"),
    ("89 after an index, alone", {"after": [0]}, "no run 0"),
    ("89 after -1", {"after": [-1]}, ""),
    ("89 after true", {"after": [True]}, ""),
    ("89 after 10^40", {"after": [10**40]}, ""),
    ("101 unknown fields", {f"x{i}": 1 for i in range(101)}, "100"),
    ("a field of 1 MB", {"x" * MIB: 1}, "unknown field"),
]


@pytest.mark.parametrize(("fields", "words"), [r[1:] for r in FIELDS], ids=[r[0] for r in FIELDS])
def test_a_bad_field_is_refused_alone_and_in_a_batch(
    http_client: httpx.Client, fields: dict[str, Any], words: str
) -> None:
    before = run_count(http_client)
    run = {"command": ["true"], **fields}
    run = {k: v for k, v in run.items() if v is not None}
    assert_problem(http_client.post("/api/runs", json=run), 422, words)
    if "when_full" not in fields and fields.get("after") != [0]:
        batch = {"runs": [{"command": ["true"]}, run, {"command": ["true"]}]}
        found = assert_problem(http_client.post("/api/batches", json=batch), 422, words)
        assert {e["index"] for e in found["errors"]} == {1}
    assert run_count(http_client) == before


GOOD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("5 -0.0 cpu", {"num_cpus": -0.0}, {"num_cpus": 0.0}),
    ("a whole number with a point", {"priority": 5.0, "max_retries": 1e0}, {"priority": 5, "max_retries": 1}),
    ("13 64 MB", {"memory": "64MB"}, {"memory": 64_000_000}),
    ("13 64 MiB", {"memory": "64MiB"}, {"memory": 64 * MIB}),
    ("15 gpu 0.3333", {"num_gpus": 0.3333}, {"num_gpus": 0.333}),
    ("50 right-to-left and zero width", {"name": "a\u202eb\u200bc"}, {"module_name": "a\u202eb\u200bc"}),
    ("52 CON", {"name": "CON", "module_id": "nul.txt"}, {"module_name": "CON", "module_id": "nul.txt"}),
    ("52 trailing dot and blank", {"module_id": "a. "}, {"module_id": "a. "}),
    ("53 emoji", {"name": "🦄🏳️‍🌈", "labels": {"🗝": "🔒"}}, {"module_name": "🦄🏳️‍🌈", "labels": {"🗝": "🔒"}}),
    ("200 characters", {"name": "n" * 200}, {"module_name": "n" * 200}),
    ("55 a script tag", {"name": "<script>alert(1)</script>"}, {"module_name": "<script>alert(1)</script>"}),
    ("a path as an id", {"module_id": "../../etc/passwd"}, {"module_id": "../../etc/passwd"}),
    ("72 no PATH", {"env": {"PATH": ""}}, {"env_keys": ["PATH"]}),
    ("87 timeout 1e12", {"timeout": 1e12}, {"timeout_seconds": 1e12}),
    ("an argument of 131,071 bytes", {"args": ["a" * 131_071]}, {}),
]


@pytest.mark.parametrize(("fields", "shown"), [r[1:] for r in GOOD], ids=[r[0] for r in GOOD])
def test_what_only_looks_bad_is_accepted_and_runs(
    http_client: httpx.Client, fields: dict[str, Any], shown: dict[str, Any]
) -> None:
    response = http_client.post("/api/runs", json={"command": python("pass"), **fields})
    assert response.status_code == 202, response.text
    run = response.json()
    assert {k: run[k] for k in shown} == shown
    ended = wait_ended(http_client, run["run_id"])
    assert (ended["status"], ended["reason_detail"]) == ("completed", None)


START_ERRORS = [
    ("57 no program", {"command": ["no-such-program"]}, "program not found: no-such-program"),
    ("58 no cwd", {"command": ["true"], "cwd": "/no/such/folder"}, "cwd not found: /no/such/folder"),
    ("59 no script", {"script": "/no/such/script.py"}, "script not found: /no/such/script.py"),
    ("60 not executable", {"command": ["/etc/hostname"]}, "not executable"),
    ("63 a folder", {"command": ["/tmp"]}, "/tmp"),
    ("cwd is a file", {"command": ["true"], "cwd": "/etc/hostname"}, "not a folder"),
]


@pytest.mark.parametrize(("run", "words"), [r[1:] for r in START_ERRORS], ids=[r[0] for r in START_ERRORS])
def test_what_cannot_be_started_is_a_start_error(
    http_client: httpx.Client, run: dict[str, Any], words: str
) -> None:
    response = http_client.post("/api/runs", json=run)
    assert response.status_code == 202
    ended = wait_ended(http_client, response.json()["run_id"])
    assert (ended["status"], ended["reason"]) == ("failed", "start_error")
    assert words in ended["reason_detail"]


def test_with_check_files_what_is_missing_here_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "there.py").write_text("")
    with in_process(tmp_path, check_files=True) as server, server.http() as client:
        missing = client.post("/api/runs", json={"script": "/no/such/script.py"})
        assert_problem(missing, 422, "script not found: /no/such/script.py")
        assert_problem(
            client.post("/api/runs", json={"command": ["true"], "cwd": "/no/such"}), 422, "cwd not found"
        )
        batch = {
            "runs": [
                {"script": "there.py", "cwd": str(tmp_path)},
                {"script": "gone.py", "cwd": str(tmp_path)},
            ]
        }
        found = assert_problem(client.post("/api/batches", json=batch), 422, "gone.py")
        assert [e["index"] for e in found["errors"]] == [1]
        assert run_count(client) == 0
        assert client.post("/api/runs", json={"script": "there.py", "cwd": str(tmp_path)}).status_code == 202


def test_a_batch_is_refused_whole_and_every_bad_index_is_told(http_client: httpx.Client) -> None:
    before = run_count(http_client)
    runs: list[dict[str, Any]] = [{"command": ["true"]} for _ in range(1_000)]
    for index in range(0, 1_000, 2):
        runs[index] = {"command": ["true"], "memory": "much"}
    runs[1] = {"module_id": "unknown"}
    runs[3] = {"command": ["true"], "after": [3]}
    runs[5] = {"command": ["true"], "after": [1_000]}
    response = http_client.post("/api/batches", json={"runs": runs})
    assert response.status_code == 422
    assert {e["index"] for e in response.json()["errors"]} == {*range(0, 1_000, 2), 1, 3, 5}
    assert len(response.json()["detail"]) < 500
    assert run_count(http_client) == before


BATCHES: list[tuple[str, dict[str, Any], int, str]] = [
    ("32 no runs", {"runs": []}, 422, ""),
    ("no list of runs", {}, 422, "runs"),
    ("33 100,001 runs", {"runs": [{}] * 100_001}, 413, "100000"),
    (
        "an unknown field",
        {"runs": [{"command": ["true"]}], "max_concurent": 1},
        422,
        "did you mean max_concurrent?",
    ),
    ("a run that is null", {"runs": [None]}, 422, ""),
    ("max_failures 0", {"runs": [{"command": ["true"]}], "max_failures": 0}, 422, ""),
    ("max_failures 10^40", {"runs": [{"command": ["true"]}], "max_failures": 10**40}, 422, ""),
    ("89 after itself", {"runs": [{"command": ["true"], "after": [0]}]}, 422, "after itself"),
    (
        "89 a circle of two",
        {"runs": [{"command": ["true"], "after": [1]}, {"command": ["true"], "after": [0]}]},
        422,
        "circle",
    ),
    (
        "89 a circle of three",
        {"runs": [{"command": ["true"], "after": [(i + 1) % 3]} for i in range(3)]},
        422,
        "circle",
    ),
    ("89 after what is not there", {"runs": [{"command": ["true"], "after": [7]}]}, 422, "no run 7"),
]


@pytest.mark.parametrize(("body", "status", "words"), [r[1:] for r in BATCHES], ids=[r[0] for r in BATCHES])
def test_a_batch_that_makes_no_sense_is_refused(
    http_client: httpx.Client, body: dict[str, Any], status: int, words: str
) -> None:
    before = run_count(http_client)
    assert_problem(http_client.post("/api/batches", json=body), status, words)
    assert run_count(http_client) == before
