"""While a rule of `pause_when` holds nothing new starts, beside a pause by hand, and it ends by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from runyard_actors.manager import pause_when
from runyard_cluster.pause import PauseWatch, parse_rule
from tests.in_process import in_process
from tests.rest import submit, wait_ended
from tests.support import python, wait_until

ALWAYS = "00:00-24:00"
WORDS = "paused from 00:00 to 24:00 (pause_when)"


def test_quiet_hours_hold_starts_until_the_settings_change(tmp_path: Path) -> None:
    with in_process(tmp_path, pause_when=[ALWAYS]) as server, server.http() as http:
        run = submit(http, command=python("print('at last')"))
        assert (run["status"], run["waiting_for"]) == ("queued", WORDS)
        semaphore = http.get("/api/resources").json()["semaphore"]
        assert (semaphore["paused_while"], semaphore["is_paused"], semaphore["active"]) == (WORDS, False, 0)
        assert "runyard_is_paused 1.0" in http.get("/metrics").text
    with in_process(tmp_path) as server, server.http() as http:
        assert wait_ended(http, run["run_id"])["status"] == "completed"
        assert http.get("/api/resources").json()["semaphore"]["paused_while"] is None


def test_the_command_line_says_why_nothing_starts(tmp_path: Path) -> None:
    with in_process(tmp_path, pause_when=[ALWAYS]) as server, server.http() as http:
        environ = {**os.environ, "RUNYARD_URL": server.url, "RUNYARD_TOKEN": server.token}

        def lines(*words: str) -> list[str]:
            command = [sys.executable, "-m", "runyard", *words]
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, check=True, timeout=60
            )
            return done.stdout.splitlines()

        submit(http, command=python("pass"))
        head, table, row, *_ = lines("ps")
        assert head == WORDS and table.startswith("RUN ") and row.endswith(WORDS)
        assert lines("resources")[0].endswith(f"1 queued; {WORDS}")
        http.post("/api/pause")
        assert lines("ps")[:2] == ["paused, 'runyard resume' goes on", WORDS]


def test_what_runs_goes_on_and_the_end_of_the_hours_lets_the_queue_go(tmp_path: Path) -> None:
    clock = [datetime(2026, 6, 1, 21, 59)]
    rules = PauseWatch([parse_rule("22:00-07:00", now=lambda: clock[0])])
    with in_process(tmp_path) as server, server.http() as http:
        yard = server.manager._yard

        async def look() -> None:
            pause_when.first_look(yard, rules)

        first = submit(http, command=python("import time; time.sleep(60)"))
        wait_until(lambda: http.get(f"/api/runs/{first['run_id']}").json()["status"] == "running", 20)
        clock[0] = datetime(2026, 6, 1, 22, 0)
        server.call(look())
        second = submit(http, command=python("pass"))
        assert second["waiting_for"] == "paused from 22:00 to 07:00 (pause_when)"
        assert http.get(f"/api/runs/{first['run_id']}").json()["status"] == "running"
        # Both hold: neither ends the other.
        http.post("/api/pause")
        assert http.get(f"/api/runs/{second['run_id']}").json()["waiting_for"] == "starts are paused"
        http.post("/api/resume")
        assert http.get(f"/api/runs/{second['run_id']}").json()["waiting_for"].startswith("paused from")
        http.post("/api/pause")
        clock[0] = datetime(2026, 6, 2, 7, 0)
        server.call(look())
        assert http.get(f"/api/runs/{second['run_id']}").json()["waiting_for"] == "starts are paused"
        http.post("/api/resume")
        assert wait_ended(http, second["run_id"])["status"] == "completed"
