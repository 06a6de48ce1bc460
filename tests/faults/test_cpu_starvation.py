"""F43: on a machine whose CPUs are all taken by others, a run is slow, and never taken for lost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

#: Three for each CPU, so that nobody gets more than a quarter of one; they end by themselves.
HOG = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
WORKS = "import time\nfor n in range(5):\n    print(n, flush=True)\n    time.sleep(1)"


def test_a_starved_run_is_never_lost(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as http:
        hogs = [subprocess.Popen(python(HOG)) for _ in range(3 * (os.cpu_count() or 1))]
        try:
            runs = [submit(http, command=python(WORKS), num_cpus=0.5)["run_id"] for _ in range(4)]

            def statuses() -> list[Any]:
                return [http.get(f"/api/runs/{run_id}").json()["status"] for run_id in runs]

            wait_until(lambda: "queued" not in statuses(), 60, "all have started")
            ended = [wait_ended(http, run_id) for run_id in runs]
        finally:
            for hog in hogs:
                hog.kill()
                hog.wait()
    assert [(run["status"], run["reason"], run["attempt"]) for run in ended] == [("completed", None, 1)] * 4
