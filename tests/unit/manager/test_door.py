"""The direct way to a manager: a real socket between two ends, its loss, and who is not let in."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard_actors.manager import direct
from runyard_actors.manager.client import ManagerClient
from runyard_actors.manager.direct import Direct, Way, WayLostError
from runyard_actors.manager.door import Address, Door
from runyard_actors.manager.frames import SIZE_BYTES, Frames
from runyard_cluster.errors import UnavailableError
from runyard_cluster.event_loop import new_event_loop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no door on Windows")

LIMIT_SECONDS = 10.0


class Manager:
    """Answers some calls at once, and others when it is told to."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()

    async def echo(self, *args: Any) -> tuple[Any, ...]:
        """Answer with what it was given."""
        return args

    async def late(self) -> str:
        """Answer once it may."""
        self.asked.set()
        await self.may_answer.wait()
        return "late"

    async def broken(self) -> None:
        """Fail."""
        raise ZeroDivisionError


def run(story: Coroutine[Any, Any, None]) -> None:
    """Play a story on the loop that managers and servers have."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(story)


@asynccontextmanager
async def opened(folder: Path, manager: object) -> AsyncIterator[tuple[Door, Direct]]:
    """Yield a manager's door, and the direct way to it, which is open."""
    door = Door(manager, folder / "m.sock")
    way = Direct(door.open)
    try:
        await is_true(lambda: way.way() is not None)
        yield door, way
    finally:
        way.close()
        door.close()
        await asyncio.sleep(0)


async def is_true(condition: Callable[[], object]) -> None:
    """Wait until it is."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


def test_each_call_gets_its_own_answer_in_whatever_order_they_come(tmp_path: Path) -> None:
    async def work() -> None:
        manager = Manager()
        async with opened(tmp_path, manager) as (_, direct_way):
            way = direct_way.way()
            assert way is not None
            late = asyncio.create_task(way.call("late", ()))
            await manager.asked.wait()
            large = b"x" * 3_000_000
            assert await way.call("echo", (1, large)) == (1, large)
            assert not late.done()
            manager.may_answer.set()
            assert await late == "late"

    run(work())


def test_a_call_that_nobody_waits_for_any_more_disturbs_no_other(tmp_path: Path) -> None:
    async def work() -> None:
        manager = Manager()
        async with opened(tmp_path, manager) as (_, direct_way):
            way = direct_way.way()
            assert way is not None
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(way.call("late", ()), 0.05)
            manager.may_answer.set()
            assert await way.call("echo", (2,)) == (2,)

    run(work())


def test_a_method_that_fails_is_an_error_of_that_call_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with opened(tmp_path, Manager()) as (_, direct_way):
            way = direct_way.way()
            assert way is not None
            with pytest.raises(UnavailableError, match="ZeroDivisionError"):
                await way.call("broken", ())
            assert await way.call("echo", (3,)) == (3,)

    run(work())
    assert "broken failed" in caplog.text


def test_who_waits_when_the_manager_is_lost_hears_of_it_and_the_next_door_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "RETRY_SECONDS", 0.0)

    async def work() -> None:
        manager = Manager()
        first = Door(manager, tmp_path / "m.sock")
        doors = [first]
        direct_way = Direct(lambda: doors[-1].open())
        await is_true(lambda: direct_way.way())
        way = direct_way.way()
        assert way is not None
        waiting = asyncio.create_task(way.call("late", ()))
        await manager.asked.wait()
        way.frames.hang_up()
        with pytest.raises(WayLostError):
            await waiting
        first.close()
        doors.append(Door(Manager(), tmp_path / "m.sock"))
        await is_true(lambda: (found := direct_way.way()) is not None and found is not way)
        new = direct_way.way()
        assert new is not None
        assert await new.call("echo", (4,)) == (4,)
        direct_way.close()
        doors[-1].close()
        await asyncio.sleep(0)

    run(work())


@pytest.mark.parametrize("where", ["no room for the name", "nobody listens"])
def test_without_a_door_there_is_no_way_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(direct, "RETRY_SECONDS", 0.0)
    asked: list[Address | None] = []

    async def find() -> Address | None:
        nobody = Address(str(tmp_path / "nobody.sock"), b"")
        long = Door(Manager(), tmp_path / ("long" * 50) / "m.sock")
        asked.append(nobody if where == "nobody listens" else await long.open())
        return asked[-1]

    async def work() -> None:
        direct_way = Direct(find)
        ways: list[Way | None] = []
        await is_true(lambda: ways.append(direct_way.way()) or len(asked) > 2)
        assert not any(ways)
        direct_way.close()

    run(work())


class Trap:
    """Does something when it is unpickled."""

    is_sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _spring, ()


def _spring() -> None:
    Trap.is_sprung = True


def test_nothing_is_read_of_a_stranger(tmp_path: Path) -> None:
    async def work() -> None:
        async with opened(tmp_path, Manager()) as (door, _):
            address = await door.open()
            assert address is not None
            reader, writer = await asyncio.open_unix_connection(address.path)
            data = pickle.dumps((0, "echo", (Trap(),)))
            writer.write(b"not the secret !" + len(data).to_bytes(SIZE_BYTES, "big") + data)
            assert await asyncio.wait_for(reader.read(), LIMIT_SECONDS) == b""
            writer.close()
            await writer.wait_closed()

    run(work())
    assert not Trap.is_sprung


def test_the_socket_is_its_owners_alone_and_gone_with_the_door(tmp_path: Path) -> None:
    async def work() -> None:
        async with opened(tmp_path, Manager()):
            assert (tmp_path / "m.sock").stat().st_mode & 0o077 == 0

    run(work())
    assert not (tmp_path / "m.sock").exists()


@given(
    values=st.lists(st.integers() | st.binary(max_size=300) | st.text()), cuts=st.lists(st.integers(1, 40))
)
def test_values_come_whole_however_the_stream_is_cut(values: list[Any], cuts: list[int]) -> None:
    received: list[Any] = []
    secret = b"0123456789abcdef"
    end = Frames(received.append, lambda: None, expects=secret)
    pickled = [pickle.dumps(value) for value in values]
    data = secret + b"".join(len(p).to_bytes(SIZE_BYTES, "big") + p for p in pickled)
    for cut in cuts:
        end.data_received(data[:cut])
        data = data[cut:]
    end.data_received(data)
    assert received == values


def test_a_way_that_was_never_opened_is_lost_with_its_calls() -> None:
    async def work() -> None:
        way = Way()
        call = asyncio.create_task(way.call("echo", ()))
        await asyncio.sleep(0)
        way.frames.connection_lost(None)
        with pytest.raises(WayLostError):
            await call
        assert not way.is_open

    run(work())


class NeverAnswers:
    """As Ray's handle of an actor that takes calls, and answers none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return self

    def remote(self, *args: Any) -> asyncio.Future[Any]:
        """Take a call."""
        self.asked.append("call")
        return asyncio.get_running_loop().create_future()


def test_calls_that_ray_carries_are_given_up_when_the_manager_is_left() -> None:
    async def work() -> None:
        handle = NeverAnswers()
        client = ManagerClient(handle)
        calls = [asyncio.create_task(client.view()), asyncio.create_task(client.cancel(["01A"], None))]
        given_up = asyncio.create_task(client.pause())
        # The direct way is being looked for by a call of its own.
        await is_true(lambda: len(handle.asked) == 4)
        given_up.cancel()
        await asyncio.wait([given_up], timeout=LIMIT_SECONDS)
        assert given_up.cancelled()
        client.leave()
        for call in calls:
            with pytest.raises(UnavailableError, match="left for another one"):
                await asyncio.wait_for(call, LIMIT_SECONDS)
        with pytest.raises(UnavailableError, match="left for another one"):
            await client.resume()
        assert len(handle.asked) == 4

    run(work())


def test_a_manager_that_was_left_can_still_be_closed() -> None:
    async def work() -> None:
        handle = NeverAnswers()
        client = ManagerClient(handle)
        client.leave()
        closing = asyncio.create_task(client.close())
        await is_true(lambda: handle.asked == ["call"])
        closing.cancel()
        await asyncio.wait([closing], timeout=LIMIT_SECONDS)

    run(work())


def test_a_caller_that_is_cancelled_just_as_its_answer_comes_does_not_go_on() -> None:
    async def work() -> None:
        answers: list[asyncio.Future[int]] = []

        class Client(ManagerClient):
            async def _ask(self, method: str, args: Sequence[Any]) -> Any:
                answers.append(asyncio.get_running_loop().create_future())
                return await answers[-1]

        async def call_for_ever() -> None:
            while True:
                await Client(None).ping()

        calling = asyncio.create_task(call_for_ever())
        await is_true(lambda: answers)
        answers[0].set_result(0)
        await asyncio.sleep(0)
        calling.cancel()
        await asyncio.wait([calling], timeout=LIMIT_SECONDS)
        assert calling.cancelled()

    run(work())
