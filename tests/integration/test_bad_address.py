"""An address that means nothing gets the exact refusal it should."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.in_process import InProcess, in_process
from tests.rest import SMALL, assert_problem, submit, wait_ended


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def http_client(server: InProcess) -> Iterator[httpx.Client]:
    with server.http() as client:
        yield client


def raw(server: InProcess, method: str, target: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send a request line as it stands: a client would tidy the path up."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=10)
    try:
        connection.putrequest(method, target)
        for name, value in {"Authorization": f"Bearer {server.token}", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        assert answer.getheader("content-type") == "application/problem+json", (answer.status, body[:300])
        assert len(body) < SMALL
        return answer.status, json.loads(body)
    finally:
        connection.close()


IDS = [
    "unknown",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "01arz3ndektsv4rrffq69g5fav",
    "8" * 26,
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "../../etc/passwd",
    "..",
    "%00",
    "01ARZ3NDEKTSV4RRFFQ69G5FA%00",
    "%ff%fe",
    "%ED%A0%80",
    "01ARZ3NDEKTSV4RRFFQ69G5FA%E2%80%AE",
    "%25%30%30",
    "0" * 10_240,
    "'%20OR%201=1--",
]


@pytest.mark.parametrize("run_id", IDS, ids=lambda i: i[:40])
@pytest.mark.parametrize(
    ("method", "template"),
    [
        ("GET", "/api/runs/{}"),
        ("GET", "/api/runs/{}/attempts"),
        ("GET", "/api/runs/{}/log"),
        ("GET", "/api/runs/{}/log/stream"),
        ("POST", "/api/runs/{}/cancel"),
        ("POST", "/api/runs/{}/restart"),
        ("GET", "/api/batches/{}"),
        ("POST", "/api/batches/{}/cancel"),
        ("POST", "/api/batches/{}/retry-failed"),
        ("GET", "/api/modules/{}"),
        ("DELETE", "/api/modules/{}"),
    ],
)
def test_what_is_no_id_is_not_found(server: InProcess, method: str, template: str, run_id: str) -> None:
    status, found = raw(
        server, method, template.format(run_id), **({"Content-Length": "0"} if method == "POST" else {})
    )
    assert (status, found["type"]) == (404, "urn:runyard:NotFoundError")


@pytest.mark.parametrize(
    "target",
    [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/runs/",
        "/nothing",
        "//evil.example/api/runs",
        "/docs/..%2fapp.py",
        "/redoc",
    ],
)
def test_an_unknown_path_is_not_found(server: InProcess, target: str) -> None:
    status, found = raw(server, "GET", target)
    assert (status, found["type"]) == (404, "urn:runyard:NotFoundError")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/runs", "GET"),
        ("PATCH", "/api/batches", "POST"),
        ("POST", "/api/stats", "GET"),
        ("GET", "/api/pause", "POST"),
        ("POST", "/healthz", "GET"),
        ("BREW", "/api/runs", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(
    http_client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    response = http_client.request(method, path)
    assert_problem(response, 405)
    assert allowed in response.headers["allow"]


QUERIES = [
    "limit=0",
    "limit=1001",
    "limit=1000000000",
    "limit=abc",
    "limit=-1",
    "limit=1.5",
    "limit=",
    "limit=1&limit=2000",
    "offset=-1",
    "offset=99999999999999999999999",
    "offset=abc",
    "status=RUNNING",
    "status=",
    "sort=name",
    "sort=created_at;drop",
    "since=yesterday",
    "until=2026-13-01",
    "since=0001-01-01T00:00:00%2B14:00x",
    "since=" + "9" * 200,
    "q=" + "a" * 501,
    "lim=5",
    "module_id=" + "a" * 501,
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda q: q[:40])
def test_a_bad_query_is_refused(http_client: httpx.Client, query: str) -> None:
    assert_problem(http_client.get(f"/api/runs?{query}"), 422)


def test_a_wrong_name_in_a_query_is_told_the_right_one(http_client: httpx.Client) -> None:
    assert_problem(http_client.get("/api/runs?statuss=queued"), 422, "did you mean status?")


@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01T00:00:00",
        "until=9999-12-31T23:59:59-23:59",
        "since=2026-01-01T00:00:00+01:00",
        "since=1e3",
        "q=%00",
        "q=%25_%5C'",
        "label=%3D",
        "label=a%3Db%3Dc",
        "offset=1000000000",
        "since=31709y",
    ],
)
def test_an_odd_query_is_no_error_of_the_server(http_client: httpx.Client, query: str) -> None:
    assert http_client.get(f"/api/runs?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    "query", ["offset=-1", "limit=-1", "offset=abc", "attempt=0", "tail=-1", "offset=9999999999999999999999"]
)
def test_a_bad_query_of_a_log_is_refused(http_client: httpx.Client, query: str) -> None:
    run = submit(http_client, command=["true"])
    assert_problem(http_client.get(f"/api/runs/{run['run_id']}/log?{query}"), 422)


def test_a_log_past_its_end_is_empty(http_client: httpx.Client) -> None:
    run = submit(http_client, command=["echo", "hello"])
    wait_ended(http_client, run["run_id"])
    response = http_client.get(f"/api/runs/{run['run_id']}/log?offset=1000000")
    assert (response.status_code, response.content, response.headers["x-log-size"]) == (200, b"", "6")


def test_a_parameter_that_may_not_repeat_stands_once(http_client: httpx.Client) -> None:
    assert_problem(http_client.get("/api/runs?label=a&label=b"), 422, "label: it stands more than once")
    assert http_client.get("/api/runs?status=failed&status=queued&run_id=1&run_id=2").status_code == 200
    assert http_client.get("/api/runs?exit_code=1&exit_code=2").status_code == 200
