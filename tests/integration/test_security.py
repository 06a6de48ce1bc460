"""Nobody gets in without the token, from another page or under another name, and secrets stay inside."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from runyard.server.security import PUBLIC
from runyard_dashboards import VIEWS
from tests.in_process import InProcess, in_process
from tests.rest import JSON, assert_problem, submit, wait_ended
from tests.support import python

#: A secret that must never be seen again.
CANARY = "canary-8f2e61c7"
#: Also without a place in the OpenAPI document, but there.
OTHER_PATHS = ("/", "/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css", "/redoc", "/api", "/nothing")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    module = {"command": python("pass"), "env": {"SECRET": CANARY}}
    with in_process(tmp_path_factory.mktemp("server"), modules={"kept": module}) as found:
        yield found


@pytest.fixture
def stranger(server: InProcess) -> Iterator[httpx.Client]:
    """A client without the token."""
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def calls(server: InProcess) -> Iterator[tuple[str, str]]:
    """Yield method and path of everything the server answers to."""
    with server.http() as client:
        document = client.get("/openapi.json").json()
    for template, item in document["paths"].items():
        path = re.sub(r"\{\w+\}", "01ARZ3NDEKTSV4RRFFQ69G5FAV", template)
        for method in item:
            yield method.upper(), path
    for path in OTHER_PATHS:
        yield "GET", path
        yield "POST", path


def test_the_document_tells_of_every_route(server: InProcess) -> None:
    with server.http() as client:
        paths = client.get("/openapi.json").json()["paths"]
    routes = [r for r in _routes(server) if r.include_in_schema]
    assert {(r.path, m.lower()) for r in routes for m in r.methods} == {
        (p, m) for p in paths for m in paths[p]
    }
    hidden = {r.path for r in _routes(server) if not r.include_in_schema}
    files = {"/assets/{name}", "/theme.js", "/favicon.svg"}
    assert hidden == {"/openapi.json", "/docs", "/docs/{name}", *files, *VIEWS}


def _routes(server: InProcess) -> list[APIRoute]:
    found: list[APIRoute] = []
    waiting: list[Any] = list(server.app.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        waiting += getattr(getattr(route, "original_router", None), "routes", [])
    return found


def test_every_route_wants_the_token(server: InProcess, stranger: httpx.Client) -> None:
    for method, path in calls(server):
        if path not in PUBLIC:
            for headers in (
                {},
                {"Authorization": "Bearer wrong"},
                {"Authorization": f"Basic {server.token}"},
            ):
                assert_problem(stranger.request(method, path, headers=headers), 401, "Bearer TOKEN")
    assert {"/healthz"} == PUBLIC
    assert stranger.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[::1"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_every_route_refuses_pages_of_others_even_with_the_token(
    server: InProcess, headers: dict[str, str]
) -> None:
    with server.http(headers=headers) as client:
        for method, path in calls(server):
            assert_problem(client.request(method, path), 403, "another origin")


NAMES_OF_OTHERS = [
    "evil.example",
    "evil.example:8300",
    "127.0.0.1.evil.example",
    "localhost.evil",
    "10.0.0.1",
    "[::2]",
    "x@127.0.0.1",
    "",
]


@pytest.mark.parametrize("host", NAMES_OF_OTHERS)
def test_every_route_refuses_names_that_are_not_ours_even_with_the_token(
    server: InProcess, host: str
) -> None:
    with server.http(headers={"Host": host}) as client:
        for method, path in calls(server):
            assert_problem(client.request(method, path), 421, "host name")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "proxy.example"])
def test_our_own_names_and_allowed_ones_are_answered(tmp_path: Path, name: str) -> None:
    with in_process(tmp_path, allowed_hosts=["proxy.example"]) as server:
        port = server.url.rpartition(":")[2]
        host = f"{name}:{port}"
        with server.http(headers={"Host": host, "Origin": f"http://{host}"}) as client:
            assert client.get("/api/runs").status_code == 200


def test_a_cookie_that_is_garbage_is_no_session(stranger: httpx.Client) -> None:
    for cookie in (
        "runyard=",
        "runyard=x",
        'runyard="',
        "runyard",
        "=",
        ";;;",
        "runyard=\xff",
        "a=b; runyard={}",
        "x" * 8_000,
    ):
        response = stranger.get("/api/runs", headers={"Cookie": cookie.encode("latin-1")})
        assert_problem(response, 401)


def test_a_login_link_works_once_and_its_cookie_goes_on(server: InProcess) -> None:
    with server.http() as client:
        path = client.post("/api/login-link").json()["path"]
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        first = browser.get(f"{path}&tab=2")
        assert (first.status_code, first.headers["location"]) == (303, "./?tab=2")
        cookie = first.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert CANARY not in cookie
        assert server.token not in cookie
        assert browser.get("/api/runs").status_code == 200
        assert browser.get("/docs").status_code == 200
        other = {"a-json-of-another-program": '{"x":"y"}', **dict(browser.cookies)}
        text = "; ".join(f"{k}={v}" for k, v in other.items())
        assert httpx.get(f"{server.url}/api/runs", headers={"Cookie": text}).status_code == 200
        again = httpx.get(f"{server.url}{path}")
        assert_problem(again, 401, "used or is old")
        assert "set-cookie" not in again.headers


def test_who_is_in_may_come_by_an_old_link_and_a_person_who_is_not_is_told_in_words(
    server: InProcess,
) -> None:
    secret = server.context.sessions.new_link_secret()
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        assert browser.get(f"/?login={secret}").status_code == 303
        again = browser.get(f"/?login={secret}&tab=2")
        assert (again.status_code, again.headers["location"]) == (303, "./?tab=2")
        browser.cookies.clear()
        for path in ("/", "/runs", f"/?login={secret}"):
            told = browser.get(path, headers={"Accept": "text/html"})
            assert (told.status_code, "runyard open" in told.text) == (401, True)
        assert_problem(browser.get("/api/runs", headers={"Accept": "text/html"}), 401)


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/", "///evil.example"])
def test_a_login_link_leads_nowhere_else(server: InProcess, path: str) -> None:
    secret = server.context.sessions.new_link_secret()
    with httpx.Client(trust_env=False) as browser:
        request = browser.build_request("GET", server.url)
        request.url = request.url.copy_with(raw_path=f"{path}?login={secret}".encode())
        answer = browser.send(request)
    location = answer.headers["location"]
    assert location.startswith("./"), location
    assert answer.url.join(location).host == request.url.host


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [("/", "/"), ("/runs?status=failed&", "/runs?status=failed"), ("/runs/01ABC%3A", "/runs/01ABC%3A")],
)
def test_a_login_link_stays_below_the_path_of_a_proxy(server: InProcess, address: str, leads_to: str) -> None:
    secret = server.context.sessions.new_link_secret()
    link = f"{address}{'' if '?' in address else '?'}login={secret}"
    answer = httpx.get(server.url + link, trust_env=False, follow_redirects=False)
    seen_by_the_browser = httpx.URL(f"https://example.org/yard{link}")
    assert str(seen_by_the_browser.join(answer.headers["location"])) == f"https://example.org/yard{leads_to}"


def test_a_login_link_is_refused_to_pages_of_others(server: InProcess) -> None:
    secret = server.context.sessions.new_link_secret()
    with httpx.Client(base_url=server.url, trust_env=False) as browser:
        assert_problem(browser.get(f"/?login={secret}", headers={"Origin": "https://evil.example"}), 403)
        assert browser.get(f"/?login={secret}").status_code == 303


def test_answers_tell_browsers_to_trust_nothing_else(server: InProcess, stranger: httpx.Client) -> None:
    with server.http() as client:
        answers = [
            client.get("/api/runs"),
            client.get("/docs"),
            client.get("/nothing"),
            client.post("/api/runs", content=b"{", headers=JSON),
            stranger.get("/api/runs"),
            stranger.get("/healthz"),
        ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in answer.headers
    assert answers[0].headers["cache-control"] == "no-store"


def test_the_docs_need_no_script_but_our_own(server: InProcess) -> None:
    with server.http() as client:
        page = client.get("/docs")
        assert page.headers["content-type"].startswith("text/html")
        assert re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.DOTALL) == [""]
        assert not re.findall(r"\son\w+=|style=|javascript:", page.text)
        sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert sources
        for source in set(sources) - {"data:,"}:
            assert source.startswith("/")
            assert client.get(source).status_code == 200
        assert client.get("/docs/docs.js").headers["content-type"].startswith("text/javascript")
        assert "innerHTML" not in client.get("/docs/docs.js").text


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX")
def test_the_token_is_its_owners_alone(server: InProcess) -> None:
    token_file, folder = server.data_dir.token_file, server.data_dir.path
    assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(server.token) >= 43


def test_values_of_an_environment_are_never_seen_again(
    server: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {"SECRET": CANARY}
    seen: list[str] = []
    with server.http() as client:
        client.event_hooks["response"] = [lambda r: (r.read(), seen.append(f"{r.headers}{r.text}"))]
        run = submit(client, command=python("import os; assert os.environ['SECRET']"), env=secret)
        assert wait_ended(client, run["run_id"])["status"] == "completed"
        assert run["env_keys"] == ["SECRET"]
        kept = submit(client, module_id="kept")
        assert wait_ended(client, kept["run_id"])["status"] == "completed"
        batch = client.post("/api/batches", json={"runs": [{"command": ["true"], "env": secret}]}).json()
        again = client.post(f"/api/runs/{run['run_id']}/restart", json={"env": {"MORE": CANARY}}).json()
        wait_ended(client, again["run_id"])
        assert client.put("/api/modules/put", json={"command": ["true"], "env": secret}).status_code == 201
        for path in ("modules", "modules/put", "modules/kept", "runs", f"runs/{run['run_id']}", "stats"):
            client.get(f"/api/{path}")
        for path in ("attempts", "log", "log/stream"):
            client.get(f"/api/runs/{run['run_id']}/{path}")
        client.get(f"/api/batches/{batch['batch_id']}")
        client.get("/openapi.json")
        client.get("/metrics")
        for env in bad_environments():
            for path, body in (
                ("runs", {"command": ["true"], "env": env}),
                ("batches", {"runs": [{"command": ["true"], "env": env}]}),
                (f"runs/{run['run_id']}/restart", {"env": env}),
            ):
                assert_problem(client.post(f"/api/{path}", json=body), 422)
            assert_problem(client.put("/api/modules/put", json={"command": ["true"], "env": env}), 422)
        assert client.put("/api/modules/kept", json={"command": ["true"], "env": secret}).status_code == 409
        broken = f'{{"command":["true"],"env":{{"A":"{CANARY}"}}'.encode()
        client.post("/api/runs", content=broken, headers=JSON)
        client.post("/api/runs", json={"command": ["no-such-program"], "env": secret})
    assert len(seen) > 30
    assert not [text for text in seen if CANARY in text]
    assert CANARY not in caplog.text
    events = [str(e) for e in server.context.reader.events(0, 10_000)]
    assert not [e for e in events if CANARY in e]


def bad_environments() -> list[Any]:
    return [
        {"SECRET": CANARY + "\0"},
        {"SECRET": CANARY * 20_000},
        {"SECRET": [CANARY]},
        {"SECRET": {"x": CANARY}},
        {"RUNYARD_TOKEN": CANARY},
        {f"SECRET={CANARY}": "x"},
        {"": CANARY},
        [f"SECRET={CANARY}"],
        f"SECRET={CANARY}",
        {"SECRET": CANARY, "OTHER": 1},
    ]


def test_what_a_module_of_another_version_holds_is_not_told(
    server: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    definition = {"command": ["true"], "env": {"A": [CANARY]}, "of_the_future": CANARY}
    server.call(server.manager.put_module("future", definition))
    server.context.registry.forget()  # As if it had been put there before this server came.
    with server.http() as client:
        assert "future" not in client.get("/api/modules").text
        assert submit(client, command=["true"])["status"]
        assert client.delete("/api/modules/future").status_code == 204
    assert "future" in caplog.text
    assert CANARY not in caplog.text


def test_an_error_of_the_servers_own_says_nothing_of_itself(
    server: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    reader, server.context.reader = server.context.reader, None  # type: ignore[assignment] # that is the fault
    try:
        with server.http() as client:
            found = assert_problem(client.get("/api/stats"), 500)
    finally:
        server.context.reader = reader
    assert found["detail"] == "the server met an error of its own; its log says more"
    assert "AttributeError" in caplog.text
