"""How long a run takes and still takes, by the runs of its module that completed."""

from __future__ import annotations

from runyard_actors.learning.duration import seconds_left, usual_seconds
from runyard_actors.learning.past import PastRun
from runyard_actors.request import Request
from runyard_actors.run import Reason

PAST = [PastRun(request=Request(), seconds=s) for s in (10.0, 20.0, 30.0, 40.0, 9_000.0)]
FAILED = PastRun(request=Request(), seconds=1.0, reason=Reason.EXIT_CODE)


def test_the_usual_duration_is_the_median_of_what_completed() -> None:
    assert usual_seconds([*PAST, FAILED, FAILED]) == 30.0
    assert usual_seconds([FAILED]) is None


def test_what_is_left_goes_by_the_runs_that_took_longer() -> None:
    assert seconds_left(PAST, 0.0) == 30.0
    assert seconds_left(PAST, 25.0) == 15.0
    assert seconds_left(PAST[:4], 40.0) == 0.0
    assert seconds_left(PAST[:4], 100.0) == 60.0
    assert seconds_left([], 5.0) is None
