"""Storms: thousands of calls at once, each sent twice, while the server dies under them. Nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import pytest

from runyard.yard import start_embedded
from runyard_actors.store import StoreReader
from tests.integration.conftest import TestSession, embedded
from tests.support import lines_of, python, wait_until

CLIENTS = 50
#: Each sent twice; a quarter as many in the storm that the server dies in.
SUBMITS = 2_000
CANCELS = 1_000
#: Runs that are cancelled at the moment they start; all others while these do.
CANCELLED_AT_START = 60
SLOTS = 4
CALL_SECONDS = 60.0
SETTINGS = f'max_concurrent_runs = {SLOTS}\ncpu_busy_percent = 0\ngrace = "2s"\n'
#: Goes before all that other tests left in the queue.
FIRST = 10

T = TypeVar("T")
#: The id that was answered to each key.
Answers = dict[str, str]


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def served() -> Iterator[TestSession]:
    with embedded(SETTINGS) as found:
        yield found


@pytest.fixture
def session(served: TestSession) -> Iterator[TestSession]:
    """The server of these tests; the thousands of runs they leave in its queue stay there."""
    yield served
    served.client.pause()


def stored(session: TestSession) -> StoreReader:
    """Return a reader of what is on disk, whatever the server says."""
    return StoreReader(session.data_dir.database)


def connection(session: TestSession) -> httpx.AsyncClient:
    """Return a client that tries nothing again by itself."""
    return httpx.AsyncClient(
        base_url=session.server()["url"],
        headers={"Authorization": f"Bearer {session.data_dir.token()}"},
        limits=httpx.Limits(max_connections=CLIENTS),
        timeout=CALL_SECONDS,
        trust_env=False,
    )


async def from_clients(items: Iterable[T], call: Callable[[T], Awaitable[None]]) -> None:
    """Make a call for each item, CLIENTS of them at any time."""
    waiting = iter(items)

    async def one_client() -> None:
        for item in waiting:
            await call(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(one_client())


async def submit(http: httpx.AsyncClient, key: str) -> str | None:
    """Submit the run of that key; return its id, or None when no answer came."""
    run = {"command": ["true"], "memory": "1MiB", "labels": {"key": key}}
    try:
        response = await http.post("/api/runs", json=run, headers={"Idempotency-Key": key})
    except httpx.TransportError:
        return None
    if response.status_code == 503:
        return None
    assert response.status_code == 202, response.text
    return str(response.json()["run_id"])


def keys_of_runs(session: TestSession, prefix: str) -> Counter[str]:
    """Return how many runs on disk each key has."""
    reader = stored(session)
    pages = [reader.runs(limit=1_000, offset=offset)[0] for offset in range(0, 3 * SUBMITS, 1_000)]
    keys = (run["labels"].get("key", "") for page in pages for run in page)
    return Counter(key for key in keys if key.startswith(prefix))


def test_submits_that_are_each_sent_twice_are_each_one_run(session: TestSession) -> None:
    session.client.pause()
    answers: dict[str, set[str | None]] = {f"twice {n}": set() for n in range(SUBMITS)}

    async def storm() -> None:
        # The second one of each goes out close behind the first, often before that is answered.
        sends = [key for first in range(0, SUBMITS, 25) for key in [*answers][first : first + 25] * 2]
        async with connection(session) as http:

            async def send(key: str) -> None:
                answers[key].add(await submit(http, key))

            await from_clients(sends, send)

    asyncio.run(storm())
    ids = {run_id for found in answers.values() for run_id in found}
    assert all(len(found) == 1 for found in answers.values())
    assert len(ids) == SUBMITS
    assert None not in ids
    assert len(stored(session).runs_by_id([str(i) for i in ids])) == SUBMITS
    assert keys_of_runs(session, "twice ") == Counter(answers.keys())


def test_a_server_killed_in_a_storm_of_submits_loses_none_and_doubles_none(
    session: TestSession, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    holders = hold_all_slots(session, gate)
    try:
        check_a_kill_in_a_storm(session)
    finally:
        gate.touch()
    # The runs that held the slots meanwhile were never touched
    ended = session.client.wait(holders, 60)
    assert [(run["status"], run["attempt"]) for run in ended] == [("completed", 1)] * SLOTS


def check_a_kill_in_a_storm(session: TestSession) -> None:
    keys = [f"killed {n}" for n in range(SUBMITS // 4)]
    answered: Answers = {}

    async def storm(wanted: Iterable[str], kill_after: int | None) -> None:
        async with connection(session) as http:

            async def send(key: str) -> None:
                if run_id := await submit(http, key):
                    answered[key] = run_id
                if len(answered) == kill_after:
                    os.kill(session.server()["pid"], signal.SIGKILL)

            await from_clients(wanted, send)

    # Given a storm in which the server is killed when a third of it is answered
    server = psutil.Process(session.server()["pid"])
    asyncio.run(storm(keys, kill_after=len(keys) // 3))
    server.wait(10)
    before = dict(answered)
    assert len(keys) // 3 <= len(before) < len(keys)
    # Then all that was answered is on disk already
    assert len(stored(session).runs_by_id([*before.values()])) == len(before)
    # When another server is there, and what was not answered is sent again
    start_again(session)
    assert session.server()["pid"] != server.pid
    asyncio.run(storm([key for key in keys if key not in before], kill_after=None))
    # Then each key has one run, and what was answered still holds
    assert answered.keys() == set(keys)
    assert {key: answered[key] for key in before} == before
    assert keys_of_runs(session, "killed ") == Counter(keys)
    assert len(stored(session).runs_by_id([*answered.values()])) == len(keys)


def start_again(session: TestSession) -> None:
    """Start another server on the data folder, as the next command would, and wait until it is ready."""
    start_embedded(session.data_dir, session.data_dir.path.parent / "runyard.toml")


def hold_all_slots(session: TestSession, gate: Path) -> list[str]:
    """Fill the slots with runs that wait for the gate, so that nothing else starts, before and after a crash."""
    waits = python(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)")
    run = {"command": waits, "memory": "64MiB", "priority": FIRST, "module_id": "holder"}
    holders = session.submit_batch({"runs": [run] * SLOTS}, None)
    session.client.resume()
    wait_until(lambda: all(r.status == "running" for r in holders.runs), 60, "the slots are held")
    return [run.run_id for run in holders.runs]


def test_runs_cancelled_while_they_start_end_once_each(session: TestSession, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    starts.mkdir()
    session.client.pause()
    runs = [
        {
            "command": python(f"open({str(starts / str(n))!r}, 'a').write('{n}\\n')"),
            "memory": "64MiB",
            "num_cpus": 0.1,
            "priority": FIRST,
        }
        for n in range(CANCELS)
    ]
    batch = session.submit_batch({"runs": runs}, None)
    ids = [run.run_id for run in batch.runs]
    since = stored(session).last_seq()
    statuses: Counter[int] = Counter()

    async def storm() -> None:
        at_start: set[str] = set()
        async with connection(session) as http:

            async def cancel(run_id: str) -> None:
                statuses[(await http.post(f"/api/runs/{run_id}/cancel")).status_code] += 1

            async with asyncio.TaskGroup() as group:
                # Given runs that are cancelled in the moment they start
                await asyncio.to_thread(session.client.resume)
                async for run_id in starting(http, since):
                    at_start.add(run_id)
                    group.create_task(cancel(run_id))
                    if len(at_start) == CANCELLED_AT_START:
                        break
                # When, while that goes on, all others are cancelled in any order
                others = [run_id for run_id in ids if run_id not in at_start]
                random.Random(7).shuffle(others)
                await from_clients(others, cancel)

    asyncio.run(storm())
    ended = session.client.wait(ids, 60)
    # Then each has ended once, after at most one start
    assert statuses.keys() <= {200, 409}
    assert sum(statuses.values()) == CANCELS
    kinds = {run["status"] for run in ended}
    assert kinds <= {"cancelled", "completed"}, kinds
    events = stored(session).events(since, 20 * CANCELS)
    assert Counter(e["run_id"] for e in events if e["kind"] == "run_ended" and e["run_id"] in ids) == Counter(
        ids
    )
    assert len(set(lines_of(starts))) == len(list(lines_of(starts))), "none was started twice"
    assert all(run["attempt"] <= 1 for run in ended)
    # A run that was told to stop may still have been faster; one that ended before was not cancelled
    assert statuses[409] <= sum(run["status"] == "completed" for run in ended)


async def starting(http: httpx.AsyncClient, since: int) -> AsyncIterator[str]:
    """Yield the id of each run that starts, as soon as that is known."""
    async with http.stream("GET", "/api/events", params={"since": since}) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: ") and (event := json.loads(line[6:]))["kind"] == "run_starting":
                yield event["run_id"]


@pytest.mark.parametrize("point", ["submit.after_commit", "submit.before_answer"])
def test_who_gets_no_answer_after_the_commit_gets_the_same_run_by_key(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_FAIL", f"{point}:kill")
    with embedded(SETTINGS) as session:
        monkeypatch.delenv("RUNYARD_FAIL")

        async def send() -> str | None:
            async with connection(session) as http:
                return await submit(http, "once")

        # Given a submit that was committed, and after which manager or server is killed before it answers
        first = asyncio.run(send())
        start_again(session)
        # When it is sent again with its key
        second = asyncio.run(send())
        # Then the run that was committed is the answer
        (run,) = stored(session).runs()[0]
        assert second == run["run_id"]
        assert first in (None, second)
        assert session.client.wait([run["run_id"]], 60)[0]["status"] == "completed"
