"""A yard as it looks on a working day: batches, a queue, failures, retries, modules."""

from __future__ import annotations

from typing import Any

import httpx

from tests.rest import wait_ended
from tests.support import python, wait_until
from tests.web.programs import BROKEN, WAIT, request, train

GIB = 2**30
MODULES: dict[str, Any] = {
    "train": {"name": "Train", "command": train(), "num_cpus": 1, "memory": "1GiB", "max_concurrent": 5},
    "thumbnails": {"name": "Thumbnails", "command": ["true"], "num_cpus": 0.5, "memory": "256MiB"},
}


def fill(client: httpx.Client) -> dict[str, Any]:
    """Submit all of it; return ids by name once what is to run runs, and what is to end has ended."""
    quick = [row("Thumbnails", train(epochs=3), labels={"kind": "nightly"}) for _ in range(9)]
    census = [row("Census", python(BROKEN)) for _ in range(4)]
    night = batch(client, "nightly", [*quick, *census, row("Report", python("raise SystemExit(3)"))])
    for run in night["runs"]:
        wait_ended(client, run["run_id"])
    sweep = [
        row(
            "Train",
            train(rate, 120, 8 * i, 20 + 30 * i, 0.4),
            num_cpus=0.1,
            num_gpus=0.25,
            gpu_memory="2GiB",
            labels={"rate": str(rate)},
        )
        for i, rate in enumerate((0.1, 0.03, 0.01, 0.003, 0.001, 0.0003))
    ]
    sweep_batch = batch(
        client, "sweep", [*sweep, *[row("Evaluate", python(WAIT), after=[0])]], max_concurrent=6
    )
    long = submit(client, row("Transcode", python(WAIT), labels={"film": "metropolis"}))
    big = submit(client, row("Simulate", python(WAIT), num_gpus=2))
    running = [run["run_id"] for run in sweep_batch["runs"][:5]] + [long["run_id"]]
    wait_until(
        lambda: all(client.get(f"/api/runs/{r}").json()["status"] == "running" for r in running),
        30,
        "all run",
    )
    return {"nightly": night, "sweep": sweep_batch, "long": long, "big": big}


def row(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """Return one run to submit."""
    return request(module_id=name.lower(), name=name, command=command, **more)


def batch(client: httpx.Client, name: str, runs: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Submit a batch; return it."""
    answer = client.post("/api/batches", json={"name": name, "runs": runs, **more})
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def submit(client: httpx.Client, run: dict[str, Any]) -> dict[str, Any]:
    """Submit a run; return it."""
    answer = client.post("/api/runs", json=run)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def paths(server: Any) -> dict[str, str]:
    """Return the address of each view, and of what it can show, for a server whose yard was filled."""
    ids = server.ids
    train, broken = ids["sweep"]["runs"][0]["run_id"], ids["nightly"]["runs"][9]["run_id"]
    quick = [run["run_id"] for run in ids["nightly"]["runs"][8:10]]
    return {
        "overview": "/",
        "runs": "/runs",
        "runs with a pane": f"/runs?run={broken}",
        "run": f"/runs/{train}",
        "run that failed": f"/runs/{broken}",
        "usage": f"/runs/{train}?tab=usage",
        "request": f"/runs/{broken}?tab=request",
        "attempts": f"/runs/{broken}?tab=attempts",
        "details": f"/runs/{train}?tab=details",
        "batches": "/batches",
        "batch": f"/batches/{ids['nightly']['batch_id']}",
        "monitor": f"/monitor?run={train}&run={broken}&layout=two",
        "compare": f"/compare?a={quick[0]}&b={quick[1]}",
        "modules": "/modules",
        "machine": "/machine",
    }
