"""Clients that submit, look at everything, and cancel, and how long each endpoint took to answer."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.lean_http import LeanHttp, lean_http

#: Looks at the yard, at an active run, and at a batch.
YARD = (
    "/api/runs",
    "/api/runs?status=running&limit=200",
    "/api/runs?status=queued&sort=-created_at&limit=50",
    "/api/runs?q=sleep&limit=20",
    "/api/batches",
    "/api/modules",
    "/api/resources",
    "/api/usage",
    "/api/stats",
    "/metrics",
    "/healthz",
    "/readyz",
)
RUN = ("", "/attempts", "/usage", "/log", "/log/lines")
BATCH = ("", "/squares", "/failures", "/advice")
#: Looks between two submits of a client, and the seconds that a client rests then.
LOOKS, REST_SECONDS = 4, (1.0, 3.0)


@dataclass(slots=True)
class Account:
    """What all clients together did: seconds by endpoint, runs that were accepted, and what went wrong."""

    active: Sequence[str]
    batches: Sequence[str]
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    accepted: list[str] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)

    def p95(self) -> dict[str, tuple[int, float, float]]:
        """Return by endpoint how often it was called, its median and its 95th percentile in seconds."""
        found = {}
        for name, each in sorted(self.seconds.items()):
            cuts = statistics.quantiles(each, n=20) if len(each) > 1 else each * 19
            found[name] = (len(each), statistics.median(each), cuts[18])
        return found


async def clients(
    url: str, token: str, count: int, run: dict[str, Any], account: Account, until: float
) -> None:
    """Have so many clients at work until that moment of the monotonic clock."""

    async def one(number: int) -> None:
        chance = random.Random(number)
        async with lean_http(url, token) as http:
            await asyncio.sleep(chance.uniform(0.0, REST_SECONDS[1]))
            while time.monotonic() < until:
                await _turn(http, chance, run, account)
                await asyncio.sleep(chance.uniform(*REST_SECONDS))

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


async def _turn(http: LeanHttp, chance: random.Random, run: dict[str, Any], account: Account) -> None:
    key = f"{chance.random()}"
    body = await _timed(http, account, "POST", "/api/runs", "", run, key)
    mine = json.loads(body)["run_id"] if body else None
    account.accepted += [mine] if mine else []
    for _ in range(LOOKS):
        await _look(http, chance, account)
    if mine:
        for verb in ("/hold", "/release", "/cancel"):
            await _timed(http, account, "POST", "/api/runs/{run_id}", verb, name=mine)


async def _look(http: LeanHttp, chance: random.Random, account: Account) -> None:
    kind = chance.choice(("yard", "yard", "run", "batch"))
    if kind == "yard":
        path = chance.choice(YARD)
        body = await _timed(http, account, "GET", path)
        if body and "status=running" in path:
            account.active = [each["run_id"] for each in json.loads(body)["runs"]] or account.active
    elif kind == "run":
        await _timed(
            http, account, "GET", "/api/runs/{run_id}", chance.choice(RUN), name=chance.choice(account.active)
        )
    else:
        batch = chance.choice(account.batches)
        await _timed(http, account, "GET", "/api/batches/{batch_id}", chance.choice(BATCH), name=batch)


async def _timed(
    http: LeanHttp,
    account: Account,
    method: str,
    path: str,
    more: str = "",
    body: Any = None,
    key: str | None = None,
    *,
    name: str = "",
) -> bytes | None:
    """Make one call, and take note of it; None if it did not work."""
    place = path.partition("{")[0] + name if name else path
    began = time.perf_counter()
    try:
        status, answer = await http.request(method, place + more, body, key)
    except ConnectionError as error:
        account.wrong[f"{method} {path}{more}: {error}"] += 1
        return None
    account.seconds[f"{method} {path}{more}"].append(time.perf_counter() - began)
    if status >= 400 and not (more == "/hold" and status == 409):
        account.wrong[f"{method} {path}{more}: {status} {answer[:200]!r}"] += 1
        return None
    return answer
