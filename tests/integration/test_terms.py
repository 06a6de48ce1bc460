"""When runs may start and when they are tried again: over REST, from Python, over a restart of the server."""

from __future__ import annotations

from pathlib import Path

from runyard.module import Module, body_of
from tests.in_process import in_process
from tests.rest import assert_problem, submit, wait_ended
from tests.support import python, wait_until


def test_after_any_and_after_failed_of_runs_that_ended(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        bad = submit(client, command=python("raise SystemExit(3)"))["run_id"]
        wait_ended(client, bad)
        tidy = submit(client, command=python("pass"), after_any=[bad])
        alarm = submit(client, command=python("pass"), after_failed=[bad, tidy["run_id"]])
        never = submit(client, command=python("pass"), after_failed=[tidy["run_id"]])
        assert tidy["terms"]["after_any"] == [bad]
        assert wait_ended(client, tidy["run_id"])["status"] == "completed"
        assert wait_ended(client, alarm["run_id"])["status"] == "completed"
        dropped = wait_ended(client, never["run_id"])
        assert (dropped["status"], dropped["reason"]) == ("cancelled", "dependency_failed")
        assert "after_failed" in dropped["reason_detail"]


def test_what_cannot_be_is_refused_with_its_field(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        run = {"command": ["true"]}
        circle = [{**run, "after_any": [1]}, {**run, "after_failed": [0]}]
        assert_problem(client.post("/api/batches", json={"runs": circle}), 422, "in a circle")
        both = [run, {**run, "after": [0], "after_failed": [0]}]
        assert_problem(client.post("/api/batches", json={"runs": both}), 422, "never could start")
        answer = client.post("/api/runs", json={**run, "delay_until": "2026-01-31T08:00:00"})
        assert_problem(answer, 422, "a date with a zone")
        answer = client.post("/api/batches", json={"runs": [run], "after_batch": "nobody"})
        assert_problem(answer, 422, "no batch 'nobody' is known")


def test_a_batch_follows_another_one_by_one(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.session() as session:
        bodies = [body_of(Module(f"m{n}", command=python(f"raise SystemExit({n})"))) for n in range(2)]
        first = session.submit_batch({"runs": bodies, "name": "first"}, None)
        then = [body_of(Module("then", command=python("pass"))) for _ in range(2)]
        second = session.submit_batch({"runs": then, "after_batch": "first"}, None)
        by_id = session.submit_batch({"runs": then, "after_batch": first.batch_id}, None)
        for batch in (second, by_id):
            batch.wait(30)
            assert [run.status for run in batch.runs] == ["completed", "cancelled"]
            assert batch.runs[1].reason == "dependency_failed"
        with server.http() as client:
            three = {"runs": [*then, *then], "after_batch": "first"}
            assert_problem(client.post("/api/batches", json=three), 422, "has 2 runs and this one 4")


def test_hold_and_release_survive_a_restart(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.session() as session, server.http() as client:
        held = session.submit({"command": python("pass"), "hold": True}, None)
        batch = session.submit_batch(
            {
                "runs": [
                    {"command": python("pass"), "delay_until": "+1h"},
                    {"command": python("pass"), "hold": True},
                ]
            },
            None,
        )
        session.client.hold_batch(batch.batch_id)
        assert "runyard release" in client.get(f"/api/runs/{held.run_id}").json()["waiting_for"]
        run_id, batch_id = held.run_id, batch.batch_id
    with in_process(tmp_path) as server, server.http() as client:
        shown = client.get(f"/api/runs/{run_id}").json()
        assert shown["status"] == "queued"
        assert shown["terms"]["held"] is True
        assert client.post(f"/api/runs/{run_id}/release").json()["terms"] is None
        assert wait_ended(client, run_id)["status"] == "completed"
        assert_problem(client.post(f"/api/runs/{run_id}/hold"), 409, "has ended already")
        client.post(f"/api/batches/{batch_id}/release")
        delayed, second = batch.runs[0].run_id, batch.runs[1].run_id
        assert wait_ended(client, second)["status"] == "completed"
        assert "at the earliest" in client.get(f"/api/runs/{delayed}").json()["waiting_for"]


def test_a_delayed_run_starts_when_its_moment_comes(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        run = submit(client, command=python("pass"), delay_until="+700ms")
        ended = wait_ended(client, run["run_id"])
        assert ended["status"] == "completed"
        assert ended["queued_seconds"] >= 0.7


def test_a_run_that_does_not_start_in_time_fails(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        run = submit(client, command=python("pass"), hold=True, queue_timeout="300ms")
        ended = wait_ended(client, run["run_id"])
        assert (ended["status"], ended["reason"]) == ("failed", "queue_timeout")
        assert ended["reason_detail"].startswith(
            "it had not started 0.3 s after it was submitted; it was waiting: held"
        )


def test_a_retry_backs_off_and_goes_by_exit_code(tmp_path: Path) -> None:
    code = "import os; raise SystemExit(75 if os.environ['RUNYARD_ATTEMPT'] < '3' else 4)"
    terms = {"max_retries": 5, "retry_delay": 0.2, "retry_backoff": 2, "retry_exit_codes": [75]}
    with in_process(tmp_path) as server, server.http() as client:
        run = submit(client, command=python(code), **terms)
        ended = wait_ended(client, run["run_id"])
        assert (ended["attempt"], ended["exit_code"]) == (3, 4)
        attempts = client.get(f"/api/runs/{run['run_id']}/attempts").json()
        assert [a["reason_detail"].partition("; ")[2] for a in attempts] == [
            "retrying in 0.2 s",
            "retrying in 0.4 s",
            "",
        ]


def test_a_retry_waits_out_its_pause_over_a_restart(tmp_path: Path) -> None:
    terms = {"max_retries": 1, "retry_delay": "1h"}
    with in_process(tmp_path) as server, server.http() as client:
        run_id = submit(client, command=python("raise SystemExit(1)"), **terms)["run_id"]
        shown = f"/api/runs/{run_id}"
        wait_until(lambda: client.get(shown).json()["terms"]["delay_until"], 20, "the run is queued again")
    with in_process(tmp_path) as server, server.http() as client:
        shown_again = client.get(f"/api/runs/{run_id}").json()
        assert (shown_again["status"], shown_again["attempt"]) == ("queued", 1)
        assert "at the earliest" in shown_again["waiting_for"]


def test_priority_and_limit_are_edited_live_and_survive_a_restart(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        held = {"command": python("pass"), "hold": True}
        answer = client.post("/api/batches", json={"runs": [held, held], "max_concurrent": 1}).json()
        batch, (first, second) = answer["batch_id"], [run["run_id"] for run in answer["runs"]]
        edited = client.patch(f"/api/batches/{batch}", json={"max_concurrent": 2, "priority": 3})
        assert edited.json()["max_concurrent"] == 2
        assert client.patch(f"/api/runs/{second}", json={"priority": 9}).json()["priority"] == 9
        assert_problem(client.patch(f"/api/batches/{batch}", json={}), 422, "give `max_concurrent`")
        assert_problem(client.patch(f"/api/runs/{second}", json={"max_concurrent": 1}), 422, "max_concurrent")
        assert_problem(client.patch(f"/api/runs/{batch}", json={"priority": 1}), 404)
    with in_process(tmp_path) as server, server.http() as client:
        shown = [client.get(f"/api/runs/{run_id}").json()["priority"] for run_id in (first, second)]
        assert shown == [3, 9]
        assert (
            client.patch(f"/api/batches/{batch}", json={"max_concurrent": None}).json()["max_concurrent"]
            is None
        )
        client.post(f"/api/batches/{batch}/release")
        wait_ended(client, first)
        assert_problem(client.patch(f"/api/runs/{first}", json={"priority": 1}), 409, "has ended already")


def test_a_run_near_its_timeout_is_warned_of(tmp_path: Path) -> None:
    with in_process(tmp_path) as server, server.http() as client:
        run_id = submit(client, command=python("import time; time.sleep(30)"), timeout=6)["run_id"]
        ended = wait_ended(client, run_id)
        assert ended["reason"] == "timeout"
        assert "of its timeout of 6.0 s" in ended["warning"]
