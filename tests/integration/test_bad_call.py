"""A call that is wrong in its size, headers or moment is refused, and changes nothing."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import JSON, MIB, assert_problem, ended, run_count, submit, wait_ended


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def http_client(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def test_only_json_that_is_not_compressed_is_taken(http_client: httpx.Client) -> None:
    body = b'{"command":["true"]}'
    before = run_count(http_client)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = http_client.post("/api/runs", content=body, headers={"Content-Type": kind})
        assert_problem(response, 415, "application/json")
    headers = {**JSON, "Content-Encoding": "gzip"}
    assert_problem(
        http_client.post("/api/runs", content=gzip.compress(body), headers=headers), 415, "compressed"
    )
    assert run_count(http_client) == before


def blocks(size: int) -> Iterator[bytes]:
    yield b'{"command":["'
    for _ in range(size // MIB):
        yield b"a" * MIB
    yield b'"]}'


@pytest.mark.parametrize("path", ["/api/runs", "/api/batches", "/api/batches/x/retry-failed", "/api/pause"])
def test_a_body_over_the_limit_is_refused_however_it_is_sent(http_client: httpx.Client, path: str) -> None:
    before = run_count(http_client)
    whole = b"".join(blocks(17 * MIB))
    assert_problem(http_client.post(path, content=whole, headers=JSON), 413, "16 MiB")
    assert_problem(http_client.post(path, content=blocks(17 * MIB), headers=JSON), 413, "16 MiB")
    assert run_count(http_client) == before


def test_a_text_of_50_mb_gets_a_short_answer(http_client: httpx.Client) -> None:
    assert_problem(http_client.post("/api/runs", content=b"".join(blocks(50 * MIB)), headers=JSON), 413)


def test_a_million_arguments_are_refused_in_no_time(http_client: httpx.Client) -> None:
    body = json.dumps({"command": ["true"], "args": ["a"] * 1_000_000}).encode()
    best = min(timed(http_client, body) for _ in range(5))
    assert best < 0.1


def timed(client: httpx.Client, body: bytes) -> float:
    began = time.perf_counter()
    assert_problem(client.post("/api/runs", content=body, headers=JSON), 422, "100000")
    return time.perf_counter() - began


def test_others_are_answered_while_a_large_batch_is_read(
    server: InProcess, http_client: httpx.Client
) -> None:
    runs = [{"command": ["true"], "args": [str(i)], "memory": "much"} for i in range(50_000)]
    body = json.dumps({"runs": runs}).encode()
    with ThreadPoolExecutor(1) as pool, server.http() as other:
        large = pool.submit(http_client.post, "/api/batches", content=body, headers=JSON)
        waits = []
        while not large.done():
            began = time.perf_counter()
            assert other.get("/healthz").status_code == 200
            waits.append(time.perf_counter() - began)
    assert large.result().status_code == 422
    assert len(waits) > 3
    assert sorted(waits)[len(waits) // 2] < 0.3


def test_the_same_key_means_the_same_request(http_client: httpx.Client) -> None:
    body = {"command": ["true"]}
    first = http_client.post("/api/runs", json=body, headers={"Idempotency-Key": "k1"})
    again = http_client.post("/api/runs", json=body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["run_id"] == again.json()["run_id"]
    before = run_count(http_client)
    other = http_client.post("/api/runs", json={"command": ["false"]}, headers={"Idempotency-Key": "k1"})
    assert_problem(other, 409, "ConflictError")
    batch = http_client.post("/api/batches", json={"runs": [body]}, headers={"Idempotency-Key": "k1"})
    assert_problem(batch, 409, "ConflictError")
    restart = f"/api/runs/{first.json()['run_id']}/restart"
    assert_problem(
        http_client.post(restart, json={}, headers={"Idempotency-Key": "k1"}), 409, "ConflictError"
    )
    assert run_count(http_client) == before


def test_the_same_key_at_the_same_time_is_accepted_once(server: InProcess) -> None:
    def send(_: int) -> list[str]:
        with server.http() as client:
            body = {"runs": [{"command": ["true"]}, {"command": ["true"]}]}
            response = client.post("/api/batches", json=body, headers={"Idempotency-Key": "k2"})
            assert response.status_code == 202, response.text
            return [r["run_id"] for r in response.json()["runs"]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert all(a == answers[0] for a in answers)


def test_a_repeated_restart_with_a_key_makes_one_run(http_client: httpx.Client) -> None:
    run = submit(http_client, command=["true"])
    path = f"/api/runs/{run['run_id']}/restart"
    headers = {"Idempotency-Key": "k3"}
    ids = {http_client.post(path, json={}, headers=headers).json()["run_id"] for _ in range(3)}
    assert len(ids) == 1
    assert ids != {run["run_id"]}


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_is_none_is_refused(http_client: httpx.Client, key: str) -> None:
    response = http_client.post("/api/runs", json={"command": ["true"]}, headers={"Idempotency-Key": key})
    assert_problem(response, 422, "idempotency-key")


def test_cancel_may_be_repeated_and_what_ended_cannot_be_cancelled(http_client: httpx.Client) -> None:
    run = submit(http_client, command=["sleep", "1000"])
    path = f"/api/runs/{run['run_id']}/cancel"
    assert http_client.post(path).status_code == 200
    wait_ended(http_client, run["run_id"])
    assert http_client.post(path, json={"reason": "again"}).status_code == 200
    done = submit(http_client, command=["true"])
    wait_ended(http_client, done["run_id"])
    assert_problem(http_client.post(f"/api/runs/{done['run_id']}/cancel"), 409, "ended")


@pytest.mark.parametrize(
    "body", [{"reason": 5}, {"reason": "a\0"}, {"reason": "a" * 1_001}, {"why": "x"}, []]
)
def test_a_cancel_with_a_bad_reason_cancels_nothing(http_client: httpx.Client, body: Any) -> None:
    run = submit(http_client, command=["sleep", "1000"])
    assert_problem(http_client.post(f"/api/runs/{run['run_id']}/cancel", json=body), 422)
    assert ended(http_client, run["run_id"]) is None
    assert http_client.post(f"/api/runs/{run['run_id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"args": "x"},
        {"memory": "much"},
        {"command": ["x"]},
        {"env": {"RUNYARD_X": "1"}},
        {"num_cpus": 64},
        {"name": ""},
    ],
)
def test_a_restart_with_bad_edits_makes_no_run(http_client: httpx.Client, body: Any) -> None:
    run = submit(http_client, command=["true"])
    before = run_count(http_client)
    assert_problem(http_client.post(f"/api/runs/{run['run_id']}/restart", json=body), 422)
    assert run_count(http_client) == before


def test_when_full_is_reject_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with in_process(tmp_path, max_concurrent_runs=2) as server, server.http() as client:
        sleep = {"command": ["sleep", "1000"], "when_full": "reject"}
        assert [client.post("/api/runs", json=sleep).status_code for _ in range(2)] == [202, 202]
        refused = client.post("/api/runs", json=sleep)
        assert_problem(refused, 429, "Max concurrent runs (2) reached")
        assert refused.headers["retry-after"] == "1"
        assert run_count(client) == 2


def test_without_a_manager_work_is_refused_and_history_is_still_there(server: InProcess) -> None:
    manager, server.context.current_manager = server.context.current_manager, None
    try:
        with server.http() as client:
            refused = client.post("/api/runs", json={"command": ["true"]})
            assert_problem(refused, 503, "UnavailableError")
            assert refused.headers["retry-after"]
            assert_problem(client.get("/readyz"), 503)
            assert client.get("/api/runs").status_code == 200
            assert client.get("/healthz").status_code == 200
    finally:
        server.context.current_manager = manager


MODULES: list[tuple[str, dict[str, Any]]] = [
    ("nothing to run", {}),
    ("script and command", {"script": "a.py", "command": ["a"]}),
    ("an unknown field", {"script": "a.py", "num_cpu": 1}),
    ("bad memory", {"script": "a.py", "memory": "much"}),
    ("gpu 1.5", {"script": "a.py", "num_gpus": 1.5}),
    ("an empty command", {"command": []}),
    ("an empty program", {"command": [""]}),
    ("env RUNYARD_*", {"script": "a.py", "env": {"RUNYARD_X": "1"}}),
    ("max_concurrent 0", {"script": "a.py", "max_concurrent": 0}),
]


@pytest.mark.parametrize("body", [m[1] for m in MODULES], ids=[m[0] for m in MODULES])
def test_a_bad_module_is_refused(http_client: httpx.Client, body: dict[str, Any]) -> None:
    assert_problem(http_client.put("/api/modules/bad", json=body), 422)
    assert_problem(http_client.get("/api/modules/bad"), 404)


@pytest.mark.parametrize("module_id", ["%00", "a" * 201])
def test_a_module_with_a_bad_id_is_refused(server: InProcess, module_id: str) -> None:
    with server.http() as client:
        response = client.put(f"/api/modules/{module_id}", json={"command": ["true"]})
        assert_problem(response, 422)
        assert client.get("/api/modules").json() == {"modules": []}
