"""The web page as the server hands it out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runyard_dashboards import VIEWS, page
from tests.in_process import in_process


@pytest.fixture
def http_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of a server whose page was built, in small."""
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text('<head><base href="./" /></head>')
    (static / "theme.js").write_text("1")
    (static / "assets" / "index-1a2b.js").write_text("2")
    (static / "assets" / "notes.txt").write_text("3")
    monkeypatch.setattr(page, "STATIC", static)
    with in_process(tmp_path) as server, server.http() as client:
        yield client


def test_each_view_is_the_page(http_client: httpx.Client) -> None:
    for view in VIEWS:
        answer = http_client.get(view.format(run_id="01ABC", batch_id="01ABC"))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert answer.headers["cache-control"] == "no-cache"
        assert "'unsafe-inline'" not in answer.headers["content-security-policy"].split("style-src")[0]


def test_hashed_files_are_kept_for_ever_and_others_are_asked_for_anew(http_client: httpx.Client) -> None:
    hashed, plain = http_client.get("/assets/index-1a2b.js"), http_client.get("/theme.js")
    assert (hashed.text, hashed.headers["cache-control"]) == ("2", "public, max-age=31536000, immutable")
    assert (plain.text, plain.headers["cache-control"]) == ("1", "no-cache")
    assert hashed.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/api/nothing",
        "/nothing",
        "/assets/none.js",
        "/assets/notes.txt",
        "/assets/..%2findex.html",
        "/runs/a/b",
    ],
)
def test_what_is_not_there_is_a_problem(http_client: httpx.Client, path: str) -> None:
    answer = http_client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_the_page_takes_no_other_method(http_client: httpx.Client) -> None:
    answer = http_client.post("/runs", json={})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_without_a_token_there_is_no_page(http_client: httpx.Client) -> None:
    del http_client.headers["Authorization"]
    assert http_client.get("/").status_code == 401
    assert http_client.get("/assets/index-1a2b.js").status_code == 401


def test_a_page_that_was_not_built_says_how(
    http_client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "STATIC", Path("nowhere"))
    answer = http_client.get("/")
    assert answer.status_code == 503
    assert "pip install" in answer.json()["detail"]
