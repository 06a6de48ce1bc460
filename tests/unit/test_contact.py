"""Contact: only an answer that surely arrived is noted, and only what is noted keeps a run going."""

from __future__ import annotations

from pathlib import Path

import pytest

from runyard_actors import contact
from runyard_actors.nodes.contact_keeper import ContactKeeper
from runyard_actors.shim import limit
from runyard_actors.shim.spec import ShimSpec

SECOND = 10**9


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seconds since the start of the machine, to be set."""
    now = [1_000]
    monkeypatch.setattr(contact, "now_ns", lambda: now[0] * SECOND)
    return now


def noted(keeper: ContactKeeper) -> float:
    return Path(keeper.file).stat().st_mtime


def test_an_answer_counts_from_when_it_was_given_and_only_once_more_is_asked(
    tmp_path: Path, clock: list[int]
) -> None:
    keeper = ContactKeeper(tmp_path / "contact")
    keeper.told_facts()
    clock[0] = 1_001
    assert not keeper.is_lost(5.0)
    assert noted(keeper) == 1_000
    keeper.told_news()
    clock[0] = 1_003
    assert noted(keeper) == 1_000
    keeper.is_asked_for_news()
    assert noted(keeper) == 1_001
    # When the node is asked what it is, again and again, and no answer of it arrives
    for clock[0] in range(1_004, 1_010):
        keeper.told_facts()
    assert noted(keeper) == 1_001


def test_what_comes_too_late_to_be_started_is_known(tmp_path: Path, clock: list[int]) -> None:
    keeper = ContactKeeper(tmp_path / "contact")
    keeper.told_facts()
    clock[0] = 1_005
    assert not keeper.is_lost(5.0)
    clock[0] = 1_006
    assert keeper.is_lost(5.0)


def test_nothing_is_written_where_nobody_wants_to_know(tmp_path: Path, clock: list[int]) -> None:
    keeper = ContactKeeper(tmp_path / "contact")
    keeper.told_facts()
    keeper.is_asked_for_news()
    assert not Path(keeper.file).exists()


def test_a_disk_that_cannot_be_written_is_told_and_ends_nothing_of_the_agent(
    tmp_path: Path, clock: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    keeper = ContactKeeper(tmp_path / "missing" / "contact")
    keeper.told_facts()
    assert keeper.is_lost(5.0)
    assert "cannot be told" in caplog.text


def spec(file: Path | None, seconds: float) -> ShimSpec:
    return ShimSpec(
        run_id="r",
        attempt=1,
        nonce="n",
        command=["x"],
        cwd="/",
        env={},
        grace_seconds=30.0,
        contact_file=str(file or ""),
        contact_seconds=seconds,
    )


def test_a_run_is_ended_by_its_supervisor_once_the_contact_is_too_old(
    tmp_path: Path, clock: list[int]
) -> None:
    file = tmp_path / "contact"
    contact.note(str(file), 990 * SECOND)
    assert limit.out_of_contact(spec(file, 10.0)) is None
    clock[0] = 1_001
    stop = limit.out_of_contact(spec(file, 10.0))
    assert stop is not None
    assert (stop.reason, stop.ended_by, stop.grace_seconds) == ("node_lost", "node", 5.0)
    file.unlink()
    assert limit.out_of_contact(spec(file, 1e9)) is not None
    assert limit.out_of_contact(spec(None, 0.0)) is None


@pytest.mark.parametrize("node_timeout", [10.0, 60.0, 3600.0])
@pytest.mark.parametrize("grace", [0.0, 10.0, 7200.0])
def test_runs_have_ended_well_before_their_node_is_given_up(node_timeout: float, grace: float) -> None:
    seconds = contact.contact_seconds(node_timeout)
    assert seconds + contact.contact_grace(seconds, grace) <= 0.75 * node_timeout
