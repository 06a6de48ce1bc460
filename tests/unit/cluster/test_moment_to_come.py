"""Moments to come, as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runyard_cluster.errors import InvalidRequestError
from runyard_cluster.moment_to_come import parse_moment

NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+10m", "2026-01-31T08:10:00+00:00"),
        ("+1.5", "2026-01-31T08:00:01.500000+00:00"),
        ("2026-01-31T10:00:00+02:00", "2026-01-31T08:00:00+00:00"),
        ("2026-01-31t08:00:00.123456789z", "2026-01-31T08:00:00.123456+00:00"),
    ],
)
def test_a_date_with_a_zone_and_a_time_from_now_are_moments(text: str, moment: str) -> None:
    assert parse_moment(text, NOW) == round(datetime.fromisoformat(moment).timestamp() * 1e6)


@pytest.mark.parametrize(
    "bad",
    ["", "+", "10m", "2026-01-31", "2026-01-31T08:00:00", "2026-13-31T08:00:00Z", "+1e9", "+900000000000", 5],
)
def test_anything_else_is_none(bad: object) -> None:
    with pytest.raises(InvalidRequestError):
        parse_moment(bad, NOW)


def test_a_moment_that_has_passed_is_a_mistake_unless_it_did_so_just_now() -> None:
    assert parse_moment("2026-01-31T07:59:30Z", NOW) < NOW.timestamp() * 1e6
    for past in ("2026-01-31T07:58:00Z", "0001-01-02T00:00:00Z", "2026-01-31T08:00:00+14:00"):
        with pytest.raises(InvalidRequestError, match="lies in the past"):
            parse_moment(past, NOW)
