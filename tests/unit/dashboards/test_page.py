"""The built page: found below any path, and nothing outside of its folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import runyard_dashboards
from runyard_actors.store.event_kinds import EVENT_KINDS
from runyard_dashboards import page

ROOM = Path(__file__).parents[3]
ROUTER = ROOM / "dashboards" / "web" / "src" / "router.ts"


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page that was built, in small."""
    monkeypatch.setattr(page, "STATIC", tmp_path / "static")
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text('<head><base href="./" /></head>')
    (tmp_path / "static" / "assets" / "index-1a2b.js").write_text("1")
    (tmp_path / "secret.js").write_text("2")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "base"), [("/", "./"), ("/runs", "./"), ("/runs/01ABC", "../"), ("/batches/01ABC", "../")]
)
def test_the_base_is_the_root_as_seen_from_the_address(built: Path, path: str, base: str) -> None:
    html = runyard_dashboards.index(path)
    assert html is not None
    assert f'<base href="{base}" />'.encode() in html


def test_a_new_build_is_seen(built: Path) -> None:
    runyard_dashboards.index("/")
    (built / "static" / "index.html").unlink()
    assert runyard_dashboards.index("/") is None


@pytest.mark.parametrize(
    "name",
    ["../secret.js", "assets/../../secret.js", "/etc/passwd", "assets", ".hidden", "assets\\..\\x", ""],
)
def test_names_lead_nowhere_else(built: Path, name: str) -> None:
    assert runyard_dashboards.asset(name) is None


def test_files_are_found_by_name(built: Path) -> None:
    assert runyard_dashboards.asset("assets/index-1a2b.js") == built / "static" / "assets" / "index-1a2b.js"


def test_server_and_page_know_the_same_views() -> None:
    known = {
        re.sub(r":(\w+)Id", r"{\1_id}", p) for p in re.findall(r"path: '(/[^']*)'", ROUTER.read_text("utf-8"))
    }
    assert known - {"/:rest(.*)*"} == set(runyard_dashboards.VIEWS)


def test_the_page_listens_to_every_kind_of_event() -> None:
    source = (ROOM / "dashboards" / "web" / "src" / "live" / "event.ts").read_text("utf-8")
    listed = source.partition("export const CHANGES = [")[2].partition("]")[0]
    assert sorted(re.findall(r"'([a-z_]+)'", listed)) == sorted(EVENT_KINDS)
