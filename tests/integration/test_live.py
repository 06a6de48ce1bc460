"""The live stream: whoever listens hears each event once, in order and soon, whatever other listeners do."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from runyard.server import hub, listen
from tests.in_process import InProcess, in_process
from tests.support import python, wait_until

LISTENERS = 200
RUNS = 50
#: No step of these tests takes longer, even on a busy machine.
LIMIT = 60
#: So long a listener of these tests may leave unread what it was sent.
UNREAD_SECONDS = 1
#: A listener that is made to fall behind gets this small a window, in bytes.
SMALL_BUFFER = 2**15


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path, max_concurrent_runs=10) as found:
        yield found


@dataclass(slots=True)
class Heard:
    """What one listener heard: the numbers of events, and how late each came, in seconds."""

    numbers: list[int] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    @property
    def last(self) -> int:
        return self.numbers[-1] if self.numbers else 0

    def take(self, event: dict[str, Any]) -> None:
        if event["kind"] != "usage":
            self.numbers.append(event["seq"])
            self.delays.append(time.time() - datetime.fromisoformat(event["at"]).timestamp())


class Ear:
    """One listener, on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what comes, until the server ends the stream."""
        rest = b""
        while block := await self.block():
            *messages, rest = (rest + block).split(b"\n\n")
            for message in messages:
                if data := [line[6:] for line in message.split(b"\n") if line.startswith(b"data: ")]:
                    yield json.loads(data[0])

    async def block(self) -> bytes:
        """Return the next piece of the answer's body, empty at its end."""
        size = int(await self._reader.readline() or b"0", 16)
        return (await self._reader.readexactly(size + 2))[:-2] if size else b""

    def die(self) -> None:
        """Be gone as a killed program is, with a reset."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.close()


@asynccontextmanager
async def listening(
    server: InProcess, last: int | None = None, *, buffer: int | None = None, query: str = ""
) -> AsyncIterator[Ear]:
    """Open a stream, and lend it once the server has said that it is open."""
    connection = socket.socket()
    if buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.setblocking(False)
    host, _, port = server.url.removeprefix("http://").partition(":")
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=connection, limit=buffer or 2**16)
    resume = f"Last-Event-ID: {last}\r\n" if last is not None else ""
    writer.write(
        f"GET /api/events{query} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {server.token}\r\n{resume}\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT)
    assert b" 200 OK" in head
    ear = Ear(reader, writer)
    async with asyncio.timeout(LIMIT):
        assert b"event: open" in await ear.block()
    try:
        yield ear
    finally:
        writer.close()


async def hear(
    server: InProcess,
    heard: Heard,
    until: Callable[[], bool],
    last: int | None = None,
    query: str = "",
) -> None:
    """Listen until the condition holds after an event, or the server hangs up."""
    async with listening(server, last, query=query) as ear, asyncio.timeout(LIMIT):
        async for event in ear.events():
            heard.take(event)
            if until():
                return


def stored(server: InProcess, after: int = 0) -> list[int]:
    """Return the numbers of all events in the store."""
    return [e["seq"] for e in server.context.reader.events(after, 1_000_000)]


def ended_runs(server: InProcess) -> int:
    """Return how many runs have ended."""
    counts = server.context.reader.counts()
    return sum(n for status, n in counts.items() if status not in ("queued", "running"))


def submit(server: InProcess, count: int) -> None:
    """Submit quick runs as one batch."""
    with server.client() as client:
        client.submit_batch({"runs": [{"command": python("pass"), "memory": "64MiB"}] * count})


def has_all(server: InProcess, heard: Heard, runs: int) -> Callable[[], bool]:
    """Return whether so many runs have ended and `heard` goes up to the store's last event."""

    def is_complete() -> bool:
        return ended_runs(server) == runs and heard.last == server.context.reader.last_seq()

    return is_complete


def test_two_hundred_listeners_hear_each_event_once_and_in_order(server: InProcess) -> None:
    all_heard = [Heard() for _ in range(LISTENERS)]

    async def listen_all() -> None:
        async with asyncio.TaskGroup() as group:
            for heard in all_heard:
                group.create_task(hear(server, heard, until=has_all(server, heard, RUNS)))
            async with asyncio.timeout(LIMIT):
                while server.context.hub.listeners < LISTENERS:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(submit, server, RUNS)

    asyncio.run(listen_all())
    expected = stored(server)
    # A batch, and of each run: submitted, starting, ended, and started if it was seen before it ended
    assert len(expected) > 3 * RUNS
    assert [h.numbers for h in all_heard] == [expected] * LISTENERS


def test_who_names_kinds_hears_those_and_no_others(server: InProcess) -> None:
    only, late, everything = Heard(), Heard(), Heard()
    kinds = {"run_ended", "batch_submitted"}
    query = "?kind=run_ended&kind=batch_submitted"

    def wanted() -> list[int]:
        return [e["seq"] for e in server.context.reader.events(0, 1_000_000) if e["kind"] in kinds]

    async def listen_all() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(server, only, lambda: len(only.numbers) == RUNS + 1, query=query))
            group.create_task(hear(server, everything, has_all(server, everything, RUNS)))
            async with asyncio.timeout(LIMIT):
                while server.context.hub.listeners < 2:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(submit, server, RUNS)
        await hear(server, late, lambda: len(late.numbers) == RUNS + 1, last=0, query=query)

    asyncio.run(listen_all())
    assert only.numbers == late.numbers == wanted()
    assert everything.numbers == stored(server)


def test_nothing_is_read_of_runs_that_nobody_wants_to_hear_of(
    server: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list[str]()
    reader = server.context.reader
    monkeypatch.setattr(
        reader, "runs_by_id", lambda ids, read=reader.runs_by_id: shown.extend(ids) or read(ids)
    )
    server.call(server.context.manager.pause())
    with server.client() as client:
        batch = client.submit_batch({"runs": [{"command": python("pass"), "memory": "64MiB"}] * RUNS})
        wait_until(lambda: server.context.hub.last_seq >= RUNS + 1, LIMIT, "the hub went on")
        assert not shown
        assert len(batch["runs"]) == RUNS


def test_a_kind_that_is_none_is_refused_with_those_that_are(server: InProcess) -> None:
    with server.http() as http:
        answer = http.get("/api/events", params={"kind": "run_finished"})
    assert answer.status_code == 422
    assert "run_ended" in answer.text


def test_changes_are_heard_within_a_second(server: InProcess) -> None:
    heard = Heard()

    async def listen_to_single_runs() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(server, heard, until=has_all(server, heard, 10)))
            for count in range(1, 11):
                await asyncio.to_thread(submit, server, 1)
                async with asyncio.timeout(LIMIT):
                    while ended_runs(server) < count:
                        await asyncio.sleep(0.01)

    asyncio.run(listen_to_single_runs())
    assert len(heard.delays) >= 4 * 10
    assert max(heard.delays) < 1, sorted(heard.delays)[-5:]


def test_a_dropped_connection_is_resumed_without_gap_or_repeat(server: InProcess) -> None:
    heard = Heard()
    connections = 0

    async def listen_in_pieces() -> None:
        nonlocal connections
        is_complete = has_all(server, heard, RUNS)
        while not is_complete():
            connections += 1
            enough = len(heard.numbers) + 7
            await hear(
                server, heard, lambda enough=enough: len(heard.numbers) >= enough or is_complete(), heard.last
            )

    async def listen_meanwhile() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(submit, server, RUNS))
            group.create_task(listen_in_pieces())

    asyncio.run(listen_meanwhile())
    assert connections > 20
    assert heard.numbers == stored(server)


def test_a_number_that_was_never_given_out_begins_with_what_is_there(server: InProcess) -> None:
    heard = Heard()
    submit(server, 1)
    wait_until(lambda: ended_runs(server) == 1, LIMIT, "the run ended")

    async def listen_with_a_number_of_another_store() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(hear(server, heard, has_all(server, heard, 2), last=10**9))
            await asyncio.to_thread(submit, server, 1)

    before = stored(server)
    asyncio.run(listen_with_a_number_of_another_store())
    assert heard.numbers == stored(server, before[-1])


def test_one_who_asks_before_the_server_has_read_its_last_event_misses_none(server: InProcess) -> None:
    submit(server, 1)
    wait_until(lambda: ended_runs(server) == 1, LIMIT, "the run ended")
    expected = stored(server)
    # Given a server that has just started, and somebody who lost the connection to the one before it
    fresh = hub.Hub(server.context.reader, lambda: server.context.manager)

    async def resumed() -> list[bytes]:
        stream = fresh.stream(expected[1])
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        working = asyncio.ensure_future(fresh.run())
        found = [await first, await anext(stream)]
        working.cancel()
        await stream.aclose()
        return found

    _, rest = server.call(resumed())
    assert [int(m[4:].partition(b"\n")[0]) for m in rest.split(b"\n\n")[:-1]] == expected[2:]


def test_one_that_does_not_read_is_let_go_and_costs_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "UNREAD_SECONDS", UNREAD_SECONDS)
    with in_process(tmp_path) as server:
        asyncio.run(check_that_the_deaf_are_let_go(server))


async def check_that_the_deaf_are_let_go(server: InProcess) -> None:
    heard, last = Heard(), 2**63
    await asyncio.to_thread(server.call, server.manager.pause())
    tasks = task_count(server)
    # Given ten that never read and one that reads, when more happens than fits into any buffer
    async with asyncio.TaskGroup() as group:
        deaf = [listening(server, buffer=SMALL_BUFFER) for _ in range(10)]
        ears = [await each.__aenter__() for each in deaf]
        group.create_task(hear(server, heard, lambda: heard.last >= last))
        await until(lambda: server.context.hub.listeners == 11)
        async with asyncio.timeout(LIMIT):
            while server.context.hub.listeners > 1:
                await asyncio.to_thread(submit, server, 1_000)
        assert server.context.hub.listeners == 1
        last = server.context.reader.last_seq() + 1
        await asyncio.to_thread(submit, server, 1)
    # Then only they are let go, the other one heard all of it soon, and their connections do not stay
    assert heard.numbers == stored(server)[: len(heard.numbers)]
    assert max(heard.delays) < 5
    await until(lambda: task_count(server) == tasks)
    for ear in ears:
        ear.die()
    await until(lambda: not connections(server))


def test_a_slow_one_is_let_go_and_resumes_without_a_gap(server: InProcess) -> None:
    asyncio.run(check_that_the_slow_lose_nothing(server))


async def check_that_the_slow_lose_nothing(server: InProcess) -> None:
    await asyncio.to_thread(server.call, server.manager.pause())
    first, second = Heard(), Heard()
    # Given one that reads only after it was let go
    async with listening(server, buffer=SMALL_BUFFER) as ear, asyncio.timeout(LIMIT):
        while server.context.hub.listeners:
            await asyncio.to_thread(submit, server, 1_000)
        async for event in ear.events():
            first.take(event)
    # When it resumes where that stream ended
    expected = stored(server)
    assert first.numbers, "some of it had been sent"
    assert len(first.numbers) < len(expected)
    await hear(server, second, lambda: second.last == expected[-1], last=first.last)
    # Then both together are everything, once
    assert first.numbers + second.numbers == expected


def test_what_waits_for_one_listener_is_bounded(server: InProcess) -> None:
    async def overrun() -> tuple[int, int]:
        fresh = hub.Hub(server.context.reader, lambda: server.context.manager)
        working = asyncio.ensure_future(fresh.run())
        stream = fresh.stream(None)
        await anext(stream)
        (queue,) = fresh._listeners
        sizes = []
        for number in range(hub.QUEUE_LENGTH + 1):
            fresh.send("usage", {"number": number})
            sizes.append(queue.qsize())
        rest = [message async for message in stream]
        working.cancel()
        return max(sizes), len(rest)

    assert server.call(overrun()) == (hub.QUEUE_LENGTH, 0)


def test_five_hundred_listeners_that_die_leave_nothing(server: InProcess) -> None:
    asyncio.run(check_that_the_dead_leave_nothing(server))


async def check_that_the_dead_leave_nothing(server: InProcess) -> None:
    tasks = task_count(server)
    for wave in range(5):
        opened = [listening(server) for _ in range(100)]
        ears = [await each.__aenter__() for each in opened]
        # Given a hundred that hear something just now
        await asyncio.to_thread(submit, server, 2)
        # When they die, half of them with a reset
        for ear in ears[::2]:
            ear.die()
        for each in opened:
            await each.__aexit__(None, None, None)
        await until(lambda: server.context.hub.listeners == 0)
        await until(lambda wave=wave: ended_runs(server) == 2 * (wave + 1))
    # Then all is as before
    await until(lambda: task_count(server) == tasks)
    await until(lambda: not connections(server))


def task_count(server: InProcess) -> int:
    """Return how many tasks the server's loop has, less those of runs."""
    return sum("run " not in t.get_name() for t in asyncio.all_tasks(server._loop))


def connections(server: InProcess) -> list[str]:
    """Return the server's side of each connection that it has.

    Other descriptors come and go with what is opened once and kept: the client's loop, the store's readers.
    """
    port = int(server.url.rpartition(":")[2])
    found = psutil.Process().net_connections("tcp")
    return [str(each) for each in found if each.laddr[1] == port and each.status != psutil.CONN_LISTEN]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition without holding up the listeners of this loop."""
    await asyncio.to_thread(wait_until, condition, LIMIT)
