"""F41: without NVML, or with one that does not fit its driver, there is one warning, and runs go on as they can."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from tests.fake_gpus import fake_gpus, holder, node
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import wait_until


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, "no NVIDIA driver is installed here"),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, "its old version is still loaded"),
    ],
)
def test_an_nvml_that_does_not_answer_leaves_the_declared_gpus_and_one_warning(
    tmp_path: Path, error: int, words: str
) -> None:
    with fake_gpus(tmp_path / "gpus", [32]) as gpus:
        capacity = node(gpus)
        # Given a node whose GPUs were there when it was described, and whose NVML does not start any more
        gpus.break_nvml(error)
        with in_process(tmp_path, capacity=capacity, meter=gpus.meter()) as server, server.http() as http:
            run_id = submit(http, **holder(gpu_memory="8GiB"))["run_id"]
            wait_until(lambda: http.get(f"/api/runs/{run_id}").json()["status"] == "running", 20, "it runs")

            def warnings() -> list[str]:
                found: list[str] = http.get("/api/resources").json()["nodes"][0]["warnings"]
                return found

            wait_until(warnings, 20, "the warning")
            wait_until(
                lambda: len(http.get(f"/api/runs/{run_id}/usage").json()["at"]) >= 3, 20, "three looks"
            )
            # Then that is told once, the run's own figures go on, and what it may do is told as it is
            assert len(warnings()) == 1
            assert words in warnings()[0]
            run = http.get(f"/api/runs/{run_id}").json()
            assert (run["status"], run["enforcement"]["gpu_memory"]) == ("running", "advisory")
            columns = http.get(f"/api/runs/{run_id}/usage").json()
            assert set(columns["gpu_memory"]) == {None}
            assert max(columns["memory"]) > 0
            gpus.let_go(run_id)
            ended = wait_ended(http, run_id)
            assert (ended["status"], ended["peak_gpu_memory"]) == ("completed", None)
