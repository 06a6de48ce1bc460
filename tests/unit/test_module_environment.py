"""What a module finds in its environment: threads by its CPUs, unless whoever submitted it says otherwise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runyard_actors.module_environment import THREAD_COUNTS, module_environment, node_environment


def built(cpu_milli: int, env: dict[str, str], worker: dict[str, str] | None = None) -> dict[str, str]:
    attempt: Any = SimpleNamespace(
        run_id="r", attempt=2, batch_id=None, nonce="n", env=env, cpu_milli=cpu_milli, gpu_ids=()
    )
    return module_environment(node_environment(worker or {}), attempt, report_file="/report")


@pytest.mark.parametrize(("cpu_milli", "threads"), [(10, "1"), (1000, "1"), (1999, "1"), (4000, "4")])
def test_every_library_is_told_the_cpus_of_the_request(cpu_milli: int, threads: str) -> None:
    found = built(cpu_milli, {})
    assert {found[name] for name in THREAD_COUNTS} == {threads}
    assert {"OMP_NUM_THREADS", "RAYON_NUM_THREADS", "POLARS_MAX_THREADS"} <= set(THREAD_COUNTS)


@pytest.mark.parametrize("name", THREAD_COUNTS)
def test_what_the_run_says_of_its_threads_holds(name: str) -> None:
    found = built(1000, {name: "7"})
    assert found[name] == "7"
    assert {found[other] for other in THREAD_COUNTS if other != name} == {"1"}


def test_what_ray_says_of_threads_does_not_hold() -> None:
    assert built(2000, {}, {"OMP_NUM_THREADS": "1"})["OMP_NUM_THREADS"] == "2"
