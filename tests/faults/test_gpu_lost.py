"""F40: a GPU that is lost while runs use it is no capacity any more; its run is told, and everything else goes on."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from tests.fake_gpus import GIB, fake_gpus, holder, node
from tests.in_process import in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import wait_until


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED])
def test_a_lost_gpu_costs_only_itself_and_comes_back(tmp_path: Path, error: int) -> None:
    with (
        fake_gpus(tmp_path / "gpus", [32, 24]) as gpus,
        in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server,
        server.http() as http,
    ):
        # Given a run on each of two GPUs
        on_lost = submit(http, **holder(gpu_memory="30GiB"))["run_id"]
        on_other = submit(http, **holder(gpu_memory="20GiB"))["run_id"]

        def run(run_id: str) -> dict[str, object]:
            found: dict[str, object] = http.get(f"/api/runs/{run_id}").json()
            return found

        def shown() -> dict[str, object]:
            found: dict[str, object] = http.get("/api/resources").json()["nodes"][0]
            return found

        wait_until(lambda: run(on_lost)["status"] == run(on_other)["status"] == "running", 20, "both run")
        assert (run(on_lost)["gpu_ids"], run(on_other)["gpu_ids"]) == ([0], [1])
        # When the first one is lost
        gpus.change(0, error=error)
        wait_until(lambda: run(on_lost)["warning"], 20, "its run is told")
        # Then it is no capacity any more, and what only it could hold is refused
        assert str(run(on_lost)["warning"]).startswith("GPU 0, which it was given: it ")
        assert shown()["capacity"]["num_gpus"] == 1  # type: ignore[index] # JSON
        lost, other = shown()["gpus"]  # type: ignore[misc] # JSON
        assert lost["lost"] and other["lost"] is None
        assert lost["declared_memory_bytes"] == 32 * GIB
        assert any("GPU 0 is not used" in words for words in shown()["warnings"])  # type: ignore[attr-defined] # JSON
        refused = http.post("/api/runs", json=holder(gpu_memory="30GiB"))
        assert_problem(refused, 422, "24 GiB")
        # And the runs go on, those on it too
        assert run(on_other)["warning"] is None
        assert [run(r)["status"] for r in (on_lost, on_other)] == ["running"] * 2
        # When it is back, what is queued for it starts again
        gpus.change(0, error=None)
        wait_until(lambda: shown()["capacity"]["num_gpus"] == 2, 20, "it is back")  # type: ignore[index] # JSON
        for run_id in (on_lost, on_other):
            gpus.hold(run_id, 1)
            gpus.let_go(run_id)
            assert wait_ended(http, run_id)["status"] == "completed"
        again = submit(http, **holder(gpu_memory="30GiB"))["run_id"]
        gpus.let_go(again)
        assert wait_ended(http, again)["gpu_ids"] == [0]
