"""The dashboards for Grafana as they lie in the repository, and their queries as Grafana would send them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "dashboards" / "grafana"
BOARDS = ("runyard.json", "runyard-ray.json")

#: What Grafana puts in for its own variables, and for ours while "All" is chosen.
VALUES = {"__rate_interval": "5m", "module": ".*", "node": ".*", "job": ".*", "SessionName": ".*"}


def board(name: str) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return found


def panels(name: str) -> list[dict[str, Any]]:
    """Return its panels that show something: rows are headings."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def expressions(name: str) -> Iterator[tuple[str, str]]:
    """Yield (panel's title, expression with its variables filled in)."""
    for panel in panels(name):
        for target in panel["targets"]:
            yield panel["title"], filled(target["expr"])


def filled(expression: str) -> str:
    """Fill in what Grafana would. Raises KeyError for a variable that the dashboard has not."""
    return re.sub(r"\$(\w+)", lambda found: VALUES[found[1]], expression)


def metrics_in(expression: str) -> set[str]:
    """Return the metrics of ours that an expression reads, without what a histogram adds to its name."""
    names = re.findall(r"\b(?:ray_)?runyard_\w+", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
