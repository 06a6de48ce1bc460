"""The stream of many logs: one connection, nothing lost or repeated in any of them."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runyard_actors.ids import new_id
from tests.integration.test_log_routes import TEXT, Logged, running, server
from tests.store_server import StoreServer
from tests.unit.store import making

__all__ = ["server"]

URL = "/api/logs/stream"


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield kind, id and data of Server-Sent Events."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], fields["id"], json.loads(fields["data"])
            fields = {}


def asked(runs: list[Logged], **more: str) -> dict[str, Any]:
    return {"run_id": [run.spec.run_id for run in runs], **more}


def log_bytes(data: dict[str, Any]) -> bytes:
    return base64.b64decode(data["base64"]) if "base64" in data else str(data["text"]).encode()


def test_all_logs_come_in_one_stream_and_each_tells_its_end(server: StoreServer) -> None:
    runs = running(server, 3)
    for number, run in enumerate(runs):
        run.append(b"log %d\n" % number)
        run.end()
    with server.client.stream("GET", URL, params=asked(runs)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        found = list(events(response.iter_lines()))
    for number, run in enumerate(runs):
        mine = [(kind, data) for kind, _, data in found if data["run_id"] == run.spec.run_id]
        assert [kind for kind, _ in mine] == ["log", "end"]
        assert mine[0][1]["text"] == f"log {number}\n"
        assert mine[1][1]["run"]["status"] == "completed"
    assert found[-1][1] == "1:6,1:6,1:6"


def test_a_quiet_log_delays_no_other(server: StoreServer) -> None:
    quiet, loud = running(server, 2)
    with server.client.stream("GET", URL, params=asked([quiet, loud])) as response:
        found = events(response.iter_lines())
        for number in range(5):
            loud.append(b"%d" % number)
            kind, _, data = next(found)
            assert (kind, data["run_id"], data["text"]) == ("log", loud.spec.run_id, str(number))


def test_a_run_that_is_not_known_is_told_and_the_others_go_on(server: StoreServer) -> None:
    (run,) = running(server)
    run.append(TEXT)
    run.end()
    params = {"run_id": [new_id(), run.spec.run_id, "no-id"]}
    with server.client.stream("GET", URL, params=params) as response:
        kinds = sorted(kind for kind, _, _ in events(response.iter_lines()))
    assert kinds == ["end", "log", "missing", "missing"]


def test_an_attempt_goes_on_where_it_was_though_another_began(server: StoreServer) -> None:
    (run,) = running(server)
    run.append(b"first")
    run.append(b"second", attempt=2)
    server.write([making.ended(run.spec, code=1, will_retry=True), making.starting(run.spec, 2, nonce="n2")])
    with server.client.stream("GET", URL, params=asked([run], since="1:2")) as response:
        found = list(events(response.iter_lines()))
    assert [(kind, data["attempt"]) for kind, _, data in found] == [("log", 1), ("end", 1)]
    assert found[0][2]["text"] == "rst"
    with server.client.stream("GET", URL, params=asked([run])) as response:
        assert next(events(response.iter_lines()))[2]["text"] == "second"


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_repeated_however_often_the_connection_breaks(
    server: StoreServer, seed: int
) -> None:
    chance = random.Random(seed)
    runs = running(server, 4)
    written = {run.spec.run_id: _text(chance) for run in runs}
    writers = [threading.Thread(target=_write, args=(run, written[run.spec.run_id])) for run in runs]
    for writer in writers:
        writer.start()
    got = dict.fromkeys(written, b"")
    last, ended = "", set[str]()
    while len(ended) < len(runs):
        headers = {"Last-Event-ID": last} if last else {}
        with server.client.stream("GET", URL, params=asked(runs), headers=headers) as response:
            last = _read_some(response, got, ended, last, chance.randrange(1, 9))
    for writer in writers:
        writer.join()
    assert got == written


def _text(chance: random.Random) -> bytes:
    pieces = [b"line\n", b"\xff\xfe", "é\U0001f680".encode(), b"x" * 5_000]
    return b"".join(chance.choice(pieces) for _ in range(200))


def _write(run: Logged, data: bytes) -> None:
    for at in range(0, len(data), 4_999):
        run.append(data[at : at + 4_999])
        time.sleep(0.003)  # The pace of a module, so that the stream is cut at many places.
    run.end()


def _read_some(
    response: httpx.Response, got: dict[str, bytes], ended: set[str], last: str, count: int
) -> str:
    for kind, number, data in events(response.iter_lines()):
        last = number
        if kind == "end":
            ended.add(data["run_id"])
            continue
        assert data["offset"] == len(got[data["run_id"]])
        got[data["run_id"]] += log_bytes(data)
        count -= 1
        if count == 0:
            break
    return last


@pytest.mark.parametrize("since", ["x", "1", "1:2,", "1:-2", "1:2;1:3", "\u0661:2"])
def test_a_place_that_is_none_is_422(run: Logged, since: str) -> None:
    answer = run.server.client.get(URL, params=asked([run], since=since))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "since"


@pytest.mark.parametrize("count", [0, 101])
def test_no_run_and_too_many_are_422(server: StoreServer, count: int) -> None:
    answer = server.client.get(URL, params={"run_id": ["x"] * count})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "run_id"


@pytest.fixture
def run(server: StoreServer) -> Logged:
    (found,) = running(server)
    return found
