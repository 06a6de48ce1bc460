"""F42: where a driver does not tell what each process uses (WDDM), limits are advisory, and every run says so."""

from __future__ import annotations

from pathlib import Path

from tests.fake_gpus import GIB, fake_gpus, holder, node
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import wait_until


def test_hidden_figures_make_the_limit_advisory_and_stop_nobody(tmp_path: Path) -> None:
    with (
        fake_gpus(tmp_path / "gpus", [32]) as gpus,
        in_process(tmp_path, capacity=node(gpus), meter=gpus.meter()) as server,
        server.http() as http,
    ):
        # Given a run that is watched, and then a driver that hides what it uses
        run_id = submit(http, **holder(gpu_memory="8GiB"))["run_id"]
        gpus.hold(run_id, 4)
        wait_until(
            lambda: (http.get(f"/api/runs/{run_id}").json()["enforcement"] or {}).get("gpu_memory") == "poll",
            20,
            "it is watched",
        )
        gpus.change(0, is_blind=True)
        # When it takes far more than it declared
        gpus.hold(run_id, 20)

        def run() -> dict[str, object]:
            found: dict[str, object] = http.get(f"/api/runs/{run_id}").json()
            return found

        wait_until(lambda: run()["enforcement"]["gpu_memory"] == "advisory", 20, "it is told")  # type: ignore[index] # JSON
        wait_until(
            lambda: http.get(f"/api/runs/{run_id}/usage").json()["gpu_memory"][-3:] == [None] * 3,
            20,
            "three looks",
        )
        # Then it goes on, the GPU as a whole is still shown, and why is told once
        assert run()["status"] == "running"
        node_shown = http.get("/api/resources").json()["nodes"][0]
        assert node_shown["gpus"][0]["free_bytes"] == 12 * GIB
        assert [("WDDM" in words) for words in node_shown["warnings"]] == [True]
        gpus.let_go(run_id)
        assert wait_ended(http, run_id)["status"] == "completed"
