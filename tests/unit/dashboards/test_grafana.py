"""The dashboards for Grafana hold what Grafana needs, overlap nowhere, and ask for nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # Ray brings it, and no types for it

from tests.grafana import BOARDS, FOLDER, board, expressions, metrics_in, panels

OPERATIONS = (Path(__file__).parents[3] / "docs" / "OPERATIONS.md").read_text("utf-8")
#: Panels that every Grafana from version 10 on brings.
KINDS = {"row", "stat", "gauge", "timeseries", "state-timeline", "table"}
COLUMNS = 24


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_has_what_grafana_needs_to_take_it(name: str) -> None:
    found = board(name)
    assert found["id"] is None, "an id belongs to one Grafana's database"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", found["uid"])
    assert found["title"] and found["schemaVersion"] >= 36
    assert set(found["time"]) == {"from", "to"}
    assert found["refresh"] and isinstance(found["annotations"]["list"], list)
    for panel in found["panels"]:
        assert panel["type"] in KINDS and panel["title"], panel["id"]
        if panel["type"] == "row":
            assert panel["collapsed"] is False and panel["panels"] == []


def test_no_two_dashboards_have_one_uid() -> None:
    assert len({board(name)["uid"] for name in BOARDS}) == len(BOARDS)


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_says_what_it_shows_and_asks_the_chosen_prometheus(name: str) -> None:
    for panel in panels(name):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        ids = [target["refId"] for target in panel["targets"]]
        assert ids and len(ids) == len(set(ids)), panel["title"]
        for asked in (panel, *panel["targets"]):
            assert asked["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]


@pytest.mark.parametrize("name", BOARDS)
def test_ids_and_titles_are_unique_and_panels_do_not_overlap(name: str) -> None:
    all_panels = board(name)["panels"]
    for key in ("id", "title"):
        values = [panel[key] for panel in all_panels]
        assert len(values) == len(set(values)), key
    for panel in all_panels:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= COLUMNS and at["w"] > 0 and at["h"] > 0, panel["title"]
    for one, other in combinations(all_panels, 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


@pytest.mark.parametrize("name", BOARDS)
def test_each_variable_that_is_used_is_there_and_used_if_there(name: str) -> None:
    found = board(name)
    variables = {variable["name"] for variable in found["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", str(found["panels"])))
    assert {name for name in used if not name.startswith("__")} == variables


def test_the_dashboard_shows_every_metric_that_is_worth_an_alert_or_says_so_of_runs() -> None:
    shown = {metric for _, text in expressions("runyard.json") for metric in metrics_in(text)}
    assert shown <= _documented(), shown - _documented()
    for table in ("Runs", "Queue and slots", "Machine"):
        missing = set(_rows(table)) - shown
        assert not missing, (table, missing)


def test_the_panels_for_rays_grafana_ask_for_what_the_manager_tells_ray() -> None:
    shown = {metric for _, text in expressions("runyard-ray.json") for metric in metrics_in(text)}
    told = set(re.findall(r"`(ray_runyard_\w+)", OPERATIONS))
    assert shown == told


def _rows(heading: str) -> Iterator[str]:
    (part,) = re.findall(rf"^### {heading}\n(.*?)^### ", OPERATIONS, re.MULTILINE | re.DOTALL)
    yield from re.findall(r"^\| `(runyard_\w+)", part, re.MULTILINE)


def _documented() -> set[str]:
    return set(re.findall(r"^\| `(runyard_\w+)", OPERATIONS, re.MULTILINE))


def _provisioned(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (FOLDER / "provisioning" / kind / "runyard.yml").read_text("utf-8")
    )
    assert found["apiVersion"] == 1
    return found


def test_the_examples_of_provisioning_are_complete() -> None:
    (source,) = _provisioned("datasources")["datasources"]
    assert source["type"] == "prometheus" and source["access"] == "proxy" and source["isDefault"] is True
    (provider,) = _provisioned("dashboards")["providers"]
    assert provider["type"] == "file" and provider["options"]["path"].startswith("/")
    assert provider["options"]["path"] in OPERATIONS
