"""Ids: sortable, unique, safe in a path."""

from __future__ import annotations

from itertools import pairwise

import pytest

from runyard_actors.ids import is_id, new_id, new_ids


def test_ids_ascend_and_have_the_form_of_an_id() -> None:
    ids = [new_id(), *new_ids(20_000), new_id()]
    assert all(a < b for a, b in pairwise(ids))
    assert all(map(is_id, ids))


def test_ids_of_one_batch_differ_early_enough_to_be_typed() -> None:
    ids = new_ids(1_000)
    assert len({i[:18] for i in ids}) == len(ids)


@pytest.mark.parametrize(
    "text", ["", "x", "../../etc/passwd", "0" * 25, "8" + "0" * 25, "0" * 25 + "I", "é" * 26]
)
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert not is_id(text)
