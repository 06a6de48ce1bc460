"""What cannot end before a batch does, through runs and batches that wait for each other."""

from __future__ import annotations

from runyard_actors.manager.circles import held_up_by
from runyard_actors.run import BatchId, RunId

#: Who waits for what: each run with the batch that it belongs to.
WAITING: dict[str, list[tuple[str, str | None]]] = {
    "b1": [("report", None), ("x", "b2")],
    "report": [("tidy", None)],
    "b2": [("y", "b3"), ("z", "b2")],
    "elsewhere": [("w", "b4")],
}


def waiting_on(run_id: RunId) -> list[tuple[RunId, BatchId | None]]:
    return [(RunId(run), BatchId(batch) if batch else None) for run, batch in WAITING.get(run_id, ())]


def test_all_that_waits_for_a_batch_is_found_with_what_holds_it_up() -> None:
    assert held_up_by(BatchId("b1"), waiting_on) == {
        "b1": None,
        "report": "b1",
        "tidy": "report",
        "x": "b1",
        "b2": "x",
        "y": "b2",
        "b3": "y",
        "z": "b2",
    }


def test_what_is_a_circle_already_does_not_take_for_ever() -> None:
    circle = {"a": [(RunId("r"), BatchId("b"))], "b": [(RunId("s"), BatchId("a"))]}
    assert set(held_up_by(BatchId("a"), lambda run_id: circle.get(run_id, []))) == {"a", "r", "b", "s"}
