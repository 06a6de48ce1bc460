"""What the page's main thread does while something goes on, in CPU time: other programs do not count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page

_CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
#: A call of a script from outside of any other.
_SCRIPT = {"FunctionCall", "EvaluateScript", "RunMicrotasks", "TimerFire", "FireAnimationFrame"}


class Frames:
    """The scripting of each frame, in milliseconds of CPU time, once it was measured."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []

    def at(self, share: float) -> float:
        """Return the frame that `share` of all frames are not longer than."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def measured(page: Page) -> Iterator[Frames]:
    """Measure the frames that are drawn within the block."""
    frames = Frames()
    session = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    ended: list[bool] = []
    session.on("Tracing.dataCollected", lambda message: events.extend(message["value"]))
    session.on("Tracing.tracingComplete", lambda _: ended.append(True))
    categories = {"includedCategories": _CATEGORIES}
    session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": categories})
    yield frames
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(20)
    session.detach()
    frames.milliseconds = _scripting(events)


def _scripting(events: list[dict[str, Any]]) -> list[float]:
    """Return the scripting between each two commits of the busiest renderer's main thread, idle frames included."""
    mains = {(e["pid"], e["tid"]) for e in events if e["args"].get("name") == "CrRendererMain"}
    of_mains = sorted(
        (e for e in events if (e["pid"], e["tid"]) in mains and "ts" in e), key=lambda e: e["ts"]
    )
    found, spent, until = [], 0.0, 0
    for event in of_mains:
        if event["name"] == "Commit":
            found.append(spent / 1000)
            spent = 0.0
        elif event["name"] in _SCRIPT and event["ts"] >= until and "tdur" in event:
            # What was called from within is in it already.
            spent += event["tdur"]
            until = event["ts"] + event["dur"]
    return found
