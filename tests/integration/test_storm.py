"""Storms: thousands of calls at once, each sent twice, while the server dies under them. Nothing is lost or doubled.

By default on a server without Ray, with fewer calls; with `-m long` on a whole one, with all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import psutil
import pytest

from runyard.client import Client
from runyard.yard import start_embedded
from runyard_actors.store import StoreReader
from tests.integration.conftest import TestSession, embedded
from tests.lean_http import LeanHttp, from_clients, lean_http
from tests.server_process import server_process
from tests.support import lines_of, python, wait_until

CLIENTS = 50
SLOTS = 4
#: Goes before all that other tests left in the queue.
FIRST = 10
RUN = {"command": ["true"], "memory": "1MiB"}

#: The id that was answered to each key.
Answers = dict[str, str]


class Server(Protocol):
    """A server that dies and comes again."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def reader(self) -> StoreReader: ...
    def client(self) -> Client: ...
    def kill(self) -> None: ...
    def wait_for_death(self) -> None: ...
    def start(self) -> None: ...


class WholeServer:
    """An embedded server with Ray. Killed, it leaves Ray and the manager to the next one."""

    def __init__(self, session: TestSession) -> None:
        self._session = session
        self._process = psutil.Process(session.server()["pid"])
        self.reader = StoreReader(session.data_dir.database)

    @property
    def url(self) -> str:
        return str(self._session.server()["url"])

    @property
    def token(self) -> str:
        return self._session.data_dir.token()

    def client(self) -> Client:
        return self._session.client

    def kill(self) -> None:
        self._process = psutil.Process(self._session.server()["pid"])
        os.kill(self._process.pid, signal.SIGKILL)

    def wait_for_death(self) -> None:
        self._process.wait(10)

    def start(self) -> None:
        data_dir = self._session.data_dir
        start_embedded(data_dir, data_dir.path.parent / "runyard.toml")


@contextmanager
def whole_server() -> Iterator[WholeServer]:
    """Serve with Ray for the length of the block."""
    with embedded(f'max_concurrent_runs = {SLOTS}\ncpu_busy_percent = 0\ngrace = "2s"\n') as session:
        yield WholeServer(session)


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of server the storm goes over, and how large it is."""

    has_ray: bool
    submits: int
    cancels: int
    #: Runs that are cancelled at the moment they start; all others while these do.
    cancelled_at_start: int

    def serve(self, folder: Path) -> AbstractContextManager[Server]:
        """Serve for the length of a block."""
        return whole_server() if self.has_ray else server_process(folder, max_concurrent_runs=SLOTS)


SMALL = Kind(False, 1_000, 300, 40)
FULL = Kind(True, 2_000, 1_000, 60)
KINDS = [pytest.param(SMALL, id="small"), pytest.param(FULL, id="full", marks=pytest.mark.long)]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="module")
def server(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of these tests; the runs they leave in its queue stay there."""
    with kind.serve(tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    """A client of the server, which starts nothing."""
    client = server.client()
    client.pause()
    yield client
    client.pause()


async def submit(http: LeanHttp, key: str) -> str | None:
    """Submit the run of that key; return its id, or None when no answer came."""
    try:
        status, answer = await http.post("/api/runs", RUN | {"labels": {"key": key}}, key)
    except ConnectionError:
        return None
    if status == 503:
        return None
    assert status == 202, answer
    return str(answer["run_id"])


def keys_of_runs(reader: StoreReader, prefix: str) -> Counter[str]:
    """Return how many runs on disk each key has."""
    _, total = reader.runs(limit=1)
    pages = [reader.runs(limit=1_000, offset=offset)[0] for offset in range(0, total, 1_000)]
    keys = (run["labels"].get("key", "") for page in pages for run in page)
    return Counter(key for key in keys if key.startswith(prefix))


def test_submits_that_are_each_sent_twice_are_each_one_run(
    kind: Kind, server: Server, client: Client
) -> None:
    answers: dict[str, set[str | None]] = {f"twice {n}": set() for n in range(kind.submits)}
    # The second one of each goes out close behind the first, often before that is answered.
    sends = [key for first in range(0, kind.submits, 25) for key in [*answers][first : first + 25] * 2]

    async def send(http: LeanHttp, key: str) -> None:
        answers[key].add(await submit(http, key))

    asyncio.run(from_clients(server.url, server.token, CLIENTS, sends, send))
    ids = {run_id for found in answers.values() for run_id in found}
    assert all(len(found) == 1 for found in answers.values())
    assert len(ids) == kind.submits
    assert None not in ids
    assert len(server.reader.runs_by_id([str(i) for i in ids])) == kind.submits
    assert keys_of_runs(server.reader, "twice ") == Counter(answers.keys())


def test_a_server_killed_in_a_storm_of_submits_loses_none_and_doubles_none(
    kind: Kind, server: Server, client: Client, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    holders = hold_all_slots(client, gate)
    try:
        check_a_kill_in_a_storm(server, kind.submits)
    finally:
        gate.touch()
    # The runs that held the slots meanwhile were never touched
    ended = client.wait(holders, 60)
    assert [(run["status"], run["attempt"]) for run in ended] == [("completed", 1)] * SLOTS


def check_a_kill_in_a_storm(server: Server, submits: int) -> None:
    keys = [f"killed {n}" for n in range(submits)]
    answered: Answers = {}

    def storm(wanted: Iterable[str], kill_after: int | None) -> None:
        async def send(http: LeanHttp, key: str) -> None:
            if run_id := await submit(http, key):
                answered[key] = run_id
            if len(answered) == kill_after:
                server.kill()

        asyncio.run(from_clients(server.url, server.token, CLIENTS, wanted, send))

    # Given a storm in which the server is killed when a third of it is answered
    storm(keys, kill_after=submits // 3)
    server.wait_for_death()
    before = dict(answered)
    assert submits // 3 <= len(before) < submits
    # Then all that was answered is on disk already
    assert len(server.reader.runs_by_id([*before.values()])) == len(before)
    # When another server is there, and what was not answered is sent again
    server.start()
    storm([key for key in keys if key not in before], kill_after=None)
    # Then each key has one run, and what was answered still holds
    assert answered.keys() == set(keys)
    assert {key: answered[key] for key in before} == before
    assert keys_of_runs(server.reader, "killed ") == Counter(keys)
    assert len(server.reader.runs_by_id([*answered.values()])) == submits


def hold_all_slots(client: Client, gate: Path) -> list[str]:
    """Fill the slots with runs that wait for the gate, so that nothing else starts, before and after a crash."""
    waits = python(f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.05)")
    run = {"command": waits, "memory": "64MiB", "priority": FIRST, "module_id": "holder"}
    ids = [r["run_id"] for r in client.submit_batch({"runs": [run] * SLOTS})["runs"]]
    client.resume()
    wait_until(lambda: all(client.run(i)["status"] == "running" for i in ids), 60, "the slots are held")
    return ids


def test_runs_cancelled_while_they_start_end_once_each(
    kind: Kind, server: Server, client: Client, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    starts.mkdir()
    runs = [
        {
            "command": python(f"open({str(starts / str(n))!r}, 'a').write('{n}\\n')"),
            "memory": "64MiB",
            "num_cpus": 0.1,
            "priority": FIRST,
        }
        for n in range(kind.cancels)
    ]
    ids = [r["run_id"] for r in client.submit_batch({"runs": runs})["runs"]]
    since = server.reader.last_seq()
    statuses = asyncio.run(cancelled_while_they_start(kind, server, client, ids, since))
    ended = client.wait(ids, 60)
    # Then each has ended once, after at most one start
    assert statuses.keys() <= {200, 409}
    assert sum(statuses.values()) == kind.cancels
    kinds = {run["status"] for run in ended}
    assert kinds <= {"cancelled", "completed"}, kinds
    events = server.reader.events(since, 20 * kind.cancels)
    ends = Counter(e["run_id"] for e in events if e["kind"] == "run_ended" and e["run_id"] in ids)
    assert ends == Counter(ids)
    assert len(set(lines_of(starts))) == len(list(lines_of(starts))), "none was started twice"
    assert all(run["attempt"] <= 1 for run in ended)
    # A run that was told to stop may still have been faster; one that ended before was not cancelled
    assert statuses[409] <= sum(run["status"] == "completed" for run in ended)


async def cancelled_while_they_start(
    kind: Kind, server: Server, client: Client, ids: list[str], since: int
) -> Counter[int]:
    """Cancel all runs as they start, and return how often each status was answered."""
    statuses: Counter[int] = Counter()
    at_start: set[str] = set()

    async def cancel(http: LeanHttp, run_id: str) -> None:
        statuses[(await http.post(f"/api/runs/{run_id}/cancel"))[0]] += 1

    async def cancel_alone(run_id: str) -> None:
        async with lean_http(server.url, server.token) as http:
            await cancel(http, run_id)

    async with asyncio.TaskGroup() as group:
        # Given runs that are cancelled in the moment they start
        await asyncio.to_thread(client.resume)
        async for run_id in starting(server, since):
            at_start.add(run_id)
            group.create_task(cancel_alone(run_id))
            if len(at_start) == kind.cancelled_at_start:
                break
        # When, while that goes on, all others are cancelled in any order
        others = [run_id for run_id in ids if run_id not in at_start]
        random.Random(7).shuffle(others)
        await from_clients(server.url, server.token, CLIENTS, others, cancel)
    return statuses


async def starting(server: Server, since: int) -> AsyncIterator[str]:
    """Yield the id of each run that starts, as soon as that is known."""
    headers = {"Authorization": f"Bearer {server.token}"}
    async with (
        httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, trust_env=False) as http,
        http.stream("GET", "/api/events", params={"since": since}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: ") and (event := json.loads(line[6:]))["kind"] == "run_starting":
                yield event["run_id"]


@pytest.mark.parametrize("point", ["submit.after_commit", "submit.before_answer"])
def test_who_gets_no_answer_after_the_commit_gets_the_same_run_by_key(
    point: str, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNYARD_FAIL", f"{point}:kill")
    with kind.serve(tmp_path) as server:
        monkeypatch.delenv("RUNYARD_FAIL")

        async def send() -> str | None:
            async with lean_http(server.url, server.token) as http:
                return await submit(http, "once")

        # Given a submit that was committed, and after which manager or server is killed before it answers
        first = asyncio.run(send())
        server.start()
        # When it is sent again with its key
        second = asyncio.run(send())
        # Then the run that was committed is the answer
        (run,) = server.reader.runs()[0]
        assert second == run["run_id"]
        assert first in (None, second)
        assert server.client().wait([run["run_id"]], 60)[0]["status"] == "completed"
