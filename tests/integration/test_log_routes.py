"""Logs over REST: bytes, lines, search, and streams that lose and repeat nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from runyard.async_client import AsyncClient
from runyard.client import Client
from runyard_actors.ids import new_id
from runyard_actors.run import RunSpec
from runyard_actors.run_folder import RunFolder
from runyard_cluster.errors import InvalidRequestError, NotFoundError
from runyard_cluster.server_record import Endpoint
from tests.store_server import StoreServer, serving
from tests.unit.store import making

TEXT = b"one\ntwo \xc3\xa9\nthree\r\n\xff\nlast"


class Logged:
    """A run with a log that the test writes."""

    def __init__(self, server: StoreServer, spec: RunSpec) -> None:
        self.server = server
        self.spec = spec
        self.url = f"/api/runs/{spec.run_id}/log"

    def folder(self, attempt: int = 1) -> RunFolder:
        return RunFolder.of(self.server.context.data_dir.runs, self.spec.run_id, attempt)

    def append(self, data: bytes, attempt: int = 1) -> None:
        self.folder(attempt).create()
        with self.folder(attempt).log_file.open("ab") as file:
            file.write(data)

    def drop(self, start: int, end: int) -> None:
        """Drop a part of the log, as a shim does with one above its limit."""
        gap = self.folder().log_file.with_suffix(".gap")
        gap.write_text(json.dumps({"start": start, "end": end}))
        with self.folder().log_file.open("r+b") as file:
            file.seek(start)
            file.write(b"\0" * (end - start))

    def end(self) -> None:
        self.server.write([making.ended(self.spec)])

    def get(self, end: str = "", headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.server.client.get(self.url + end, params=params, headers=headers)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with serving(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture
def client(server: StoreServer) -> Iterator[Client]:
    with Client(locate=lambda: endpoint(server)) as found:
        yield found


def endpoint(server: StoreServer) -> Endpoint:
    return Endpoint(f"http://127.0.0.1:{server.port}", server.context.data_dir.token())


def running(server: StoreServer, count: int = 1) -> list[Logged]:
    specs = making.specs(count)
    server.write([making.submitted(specs)])
    server.write([change for spec in specs for change in (making.starting(spec), making.started(spec))])
    return [Logged(server, spec) for spec in specs]


@pytest.fixture
def run(server: StoreServer) -> Logged:
    (found,) = running(server)
    return found


# Bytes


def test_the_log_comes_as_it_was_written_with_its_size(run: Logged) -> None:
    run.append(TEXT)
    answer = run.get()
    assert answer.content == TEXT
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == answer.headers["x-log-size"] == str(len(TEXT))
    assert answer.headers["x-log-offset"] == "0"


@pytest.mark.parametrize(
    ("params", "start", "end"),
    [
        ({"offset": 4}, 4, None),
        ({"offset": 4, "limit": 3}, 4, 7),
        ({"limit": 0}, 0, 0),
        ({"limit": 10**18}, 0, None),
        ({"tail": 1}, 20, None),
        ({"tail": 2, "limit": 1}, 18, 19),
        ({"tail": 100}, 0, None),
        ({"tail": 4, "offset": 6}, 6, None),
        ({"tail": 0}, 24, None),
    ],
)
def test_a_part_is_given_by_bytes_or_by_last_lines(
    run: Logged, params: dict[str, int], start: int, end: int | None
) -> None:
    run.append(TEXT)
    answer = run.get(**params)
    assert answer.content == TEXT[start:end]
    assert answer.headers["x-log-offset"] == str(start)
    assert answer.headers["content-length"] == str(len(TEXT[start:end]))


@pytest.mark.parametrize("offset", [25, 2**62])
@pytest.mark.parametrize("params", [{}, {"limit": 5}, {"tail": 5}, {"timestamps": True}])
def test_past_the_end_there_is_nothing_yet(run: Logged, offset: int, params: dict[str, Any]) -> None:
    run.append(TEXT)
    answer = run.get(offset=offset, **params)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (answer.headers["x-log-size"], answer.headers["x-log-offset"]) == (str(len(TEXT)), str(offset))


@pytest.mark.parametrize("offset", [25, 2**62])
def test_a_stream_from_past_the_end_tells_only_the_end(run: Logged, offset: int) -> None:
    run.append(TEXT)
    run.end()
    with run.server.client.stream("GET", run.url + "/stream", params={"offset": offset}) as response:
        assert [(kind, number) for kind, number, _ in events(response.iter_lines())] == [("end", offset)]


def test_a_run_that_wrote_nothing_has_an_empty_log(run: Logged) -> None:
    answer = run.get()
    assert (answer.status_code, answer.content, answer.headers["x-log-size"]) == (200, b"", "0")


def test_times_stand_before_the_lines(run: Logged) -> None:
    run.append(TEXT)
    run.folder().time_index_file.write_text("7 1000000\n100 2000000\n")
    first = b"1970-01-01T00:00:01.000000Z "
    assert run.get(timestamps=True, limit=8).content == first + b"one\n" + first + b"two "
    assert run.get(timestamps=True, tail=1).content == b"1970-01-01T00:00:02.000000Z last"


def test_each_attempt_has_its_log_and_the_newest_is_meant(server: StoreServer, run: Logged) -> None:
    run.append(b"first")
    run.append(b"second", attempt=2)
    server.write([making.ended(run.spec, code=1, will_retry=True), making.starting(run.spec, 2, nonce="n2")])
    assert run.get().content == b"second"
    assert run.get(attempt=1).content == b"first"
    assert run.get(attempt=3).status_code == 404


@pytest.mark.parametrize("end", ["", "/lines", "/search?q=x", "/stream"])
@pytest.mark.parametrize("run_id", [new_id(), "no-id", "..", "%2e%2e"])
def test_a_run_that_is_not_known_is_404(server: StoreServer, end: str, run_id: str) -> None:
    answer = server.client.get(f"/api/runs/{run_id}/log{end}")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "query",
    ["offset=-1", "limit=-1", "tail=x", "tail=-1", "attempt=0", "offset=99999999999999999999", "tial=3"],
)
def test_what_makes_no_sense_is_422(run: Logged, query: str) -> None:
    answer = run.server.client.get(f"{run.url}?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-3", slice(0, 4)),
        ("bytes=5-", slice(5, None)),
        ("bytes=-4", slice(-4, None)),
        ("bytes=-1000", slice(0, None)),
        ("bytes=4-100000", slice(4, None)),
        ("bytes=23-23", slice(23, 24)),
    ],
)
def test_a_range_of_bytes_is_206(run: Logged, asked: str, part: slice) -> None:
    run.append(TEXT)
    answer = run.get(headers={"Range": asked})
    start, end, size = part.indices(len(TEXT))[0], part.indices(len(TEXT))[1], len(TEXT)
    assert (answer.status_code, answer.content) == (206, TEXT[part])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
    assert answer.headers["content-length"] == str(len(TEXT[part]))


@pytest.mark.parametrize(
    "asked", ["bytes=24-", "bytes=1000-2000", "bytes=-0", f"bytes={2**63}-", f"bytes={10**300}-{10**301}"]
)
def test_a_range_of_which_nothing_is_there_is_416(run: Logged, asked: str) -> None:
    run.append(TEXT)
    answer = run.get(headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(TEXT)}"
    assert answer.json()["status"] == 416


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=a-b", "bytes", "٣-"]
)
def test_a_range_that_is_none_does_not_count(run: Logged, asked: str) -> None:
    run.append(TEXT)
    answer = run.get(headers={"Range": asked.encode()})  # type: ignore[dict-item] # as it is on the wire
    assert (answer.status_code, answer.content) == (200, TEXT)


def test_a_range_does_not_count_where_a_part_or_a_state_is_named_otherwise(run: Logged) -> None:
    run.append(TEXT)
    asked = {"Range": "bytes=0-1"}
    assert run.get(headers=asked, offset=4).content == TEXT[4:]
    assert run.get(headers=asked, timestamps=True).status_code == 200
    assert run.get(headers=asked | {"If-Range": '"x"'}).content == TEXT


def test_dropped_bytes_are_words_in_the_whole_and_zeros_in_a_part(run: Logged) -> None:
    run.append(b"begin " + b"x" * 100 + b" end\n")
    run.drop(6, 106)
    words = b"\n[runyard: 100 bytes are left out here: the log passed its limit]\n"
    assert run.get().content == b"begin " + words + b" end\n"
    assert run.get(offset=100, limit=8).content == b"\0" * 6 + b" e"
    assert run.get(headers={"Range": "bytes=4-7"}).content == b"n \0\0"


# Lines


def test_lines_come_by_their_numbers(run: Logged) -> None:
    run.append(TEXT)
    whole = {"is_cut": False, "update": None, "at": None}
    assert run.get("/lines", first=2, last=3).json() == {
        "first": 2,
        "lines": [
            {**whole, "number": 2, "offset": 4, "length": 6, "text": "two é"},
            {**whole, "number": 3, "offset": 11, "length": 6, "text": "three"},
        ],
        "total": 5,
        "size": len(TEXT),
        "gap": None,
    }
    assert [line["text"] for line in run.get("/lines").json()["lines"]] == [
        "one",
        "two é",
        "three",
        "\ufffd",
        "last",
    ]


def test_lines_come_with_their_times(run: Logged) -> None:
    run.append(TEXT)
    run.folder().time_index_file.write_text("7 1000000\n100 2000000\n")
    answer = run.get("/lines", first=2, last=3, timestamps=True).json()
    assert [line["at"] for line in answer["lines"]] == [
        "1970-01-01T00:00:01.000000Z",
        "1970-01-01T00:00:02.000000Z",
    ]


def test_the_newest_line_of_a_moment_is_told_with_its_time(run: Logged) -> None:
    run.append(TEXT)
    run.folder().time_index_file.write_text("4 1000000\n7 2000000\n100 3000000\n")
    asked = [run.get("/moment", at=at).json() for at in (0.9, 1, 2.5, 4_000_000_000)]
    assert [answer["line"] for answer in asked] == [None, 1, 2, 5]
    assert [answer["seen_at"] and answer["seen_at"][17:20] for answer in asked] == [None, "01.", "02.", "03."]
    assert run.get("/moment", at=-1).status_code == 422
    assert run.get("/moment").status_code == 422
    assert run.get("/moment", at=1, attempt=7).status_code == 404


def test_a_log_that_is_empty_has_no_newest_line(run: Logged) -> None:
    run.append(b"")
    assert run.get("/moment", at=4_000_000_000).json() == {"line": None, "seen_at": None}


def test_a_long_progress_bar_tells_its_last_update(run: Logged) -> None:
    run.append(b"".join(b"%6d of 9000\r" % n for n in range(9_001)) + b"\nnext\n")
    bar, after = run.get("/lines").json()["lines"]
    assert (bar["is_cut"], bar["update"], bar["length"]) == (True, "  9000 of 9000", 9_001 * 15)
    assert (after["is_cut"], after["update"], after["length"]) == (False, None, 4)


def test_lines_tell_what_was_dropped(run: Logged) -> None:
    run.append(b"begin " + b"x" * 100 + b" end\n")
    run.drop(6, 106)
    answer = run.get("/lines").json()
    assert answer["gap"] == {"offset": 6, "end": 106}
    assert [(line["text"], line["length"]) for line in answer["lines"]] == [("begin ", 110)]


def test_a_growing_log_has_more_lines_each_time(run: Logged) -> None:
    for number in range(1, 50):
        run.append(b"line %d\n" % number)
        answer = run.get("/lines", first=number).json()
        assert answer["total"] == number
        assert [line["text"] for line in answer["lines"]] == [f"line {number}"]


def test_past_the_last_line_there_is_nothing_yet(run: Logged) -> None:
    run.append(TEXT)
    answer = run.get("/lines", first=6).json()
    assert (answer["lines"], answer["total"]) == ([], 5)


@pytest.mark.parametrize("params", [{"first": 0}, {"first": 5, "last": 4}, {"first": 1, "last": 5_001}])
def test_a_window_that_is_none_or_too_large_is_422(run: Logged, params: dict[str, int]) -> None:
    assert run.get("/lines", **params).status_code == 422


def test_the_lines_of_an_ended_run_are_indexed_on_disk_if_there_are_many(run: Logged) -> None:
    run.append(b"0123456789\n" * 500_000)
    run.end()
    answer = run.get("/lines", first=499_999, last=500_005).json()
    assert [line["number"] for line in answer["lines"]] == [499_999, 500_000]
    assert run.folder().log_file.with_suffix(".lines").exists()


# Search


def test_a_search_counts_all_and_lists_some(run: Logged) -> None:
    run.append(b"".join(b"step %d\n" % n for n in range(1_000)))
    answer = run.get("/search", q="step 9", limit=2, offset=100).json()
    assert answer == {
        "count": 111,
        "before": 1,
        "hits": [
            {"offset": 710, "length": 6, "line": 91, "before": "", "match": "step 9", "after": "0"},
            {"offset": 718, "length": 6, "line": 92, "before": "", "match": "step 9", "after": "1"},
        ],
        "complete": True,
        "searched_bytes": len(run.get().content),
        "size": len(run.get().content),
    }


@pytest.mark.parametrize("how", [{}, {"regex": True}])
def test_a_search_lists_what_comes_after_the_first_hits(run: Logged, how: dict[str, Any]) -> None:
    run.append(b"".join(b"step %d\n" % n for n in range(1_000)))
    answer = run.get("/search", q="step 9", limit=2, skip=109, **how).json()
    assert (answer["count"], answer["before"]) == (111, 109)
    assert [hit["line"] for hit in answer["hits"]] == [999, 1_000]
    assert run.get("/search", q="step 9", skip=111, **how).json()["hits"] == []


def test_a_search_takes_patterns_and_other_cases(run: Logged) -> None:
    run.append(TEXT)
    assert [h["match"] for h in run.get("/search", q="t[hw]", regex=True).json()["hits"]] == ["tw", "th"]
    assert run.get("/search", q="TWO É", ignore_case=True).json()["count"] == 1
    assert run.get("/search", q="TWO").json()["count"] == 0
    assert run.get("/search", q="o", limit=0).json()["hits"] == []


@pytest.mark.parametrize(
    "params", [{"q": ""}, {"q": "a\nb"}, {"q": "x" * 1_001}, {}, {"q": "(a", "regex": True}]
)
def test_a_search_that_makes_no_sense_is_422_and_names_q(run: Logged, params: dict[str, Any]) -> None:
    run.append(TEXT)
    answer = run.get("/search", **params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "q"


def test_others_are_served_while_a_pattern_is_stuck(run: Logged) -> None:
    run.append(b"a" * 50 + b"\n")
    answers: list[int] = []
    stuck = [
        threading.Thread(
            target=lambda: answers.append(run.get("/search", q="(a+)+b", regex=True).status_code)
        )
        for _ in range(2)
    ]
    run.server.client.timeout = httpx.Timeout(60)
    for thread in stuck:
        thread.start()
    start = time.monotonic()
    for _ in range(20):
        assert run.get("/lines").status_code == 200
    assert time.monotonic() - start < 4
    for thread in stuck:
        thread.join()
    assert answers == [422, 422]


def test_the_python_client_searches_and_reads_lines(client: Client, run: Logged) -> None:
    run.append(TEXT)
    run_id = run.spec.run_id
    assert client.search_log(run_id, "T.O", regex=True, ignore_case=True)["count"] == 1
    assert client.log_lines(run_id, 5)["lines"][0]["text"] == "last"
    assert client.log_lines(run_id, last=2, attempt=1)["total"] == 5
    assert client.log(run_id, tail=1) == b"last"
    with pytest.raises(InvalidRequestError, match="position 0"):
        client.search_log(run_id, "(", regex=True)
    with pytest.raises(NotFoundError):
        client.log_lines(new_id())


# Streams


def events(lines: Iterator[str]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield kind, id and data of Server-Sent Events."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield fields["event"], int(fields["id"]), json.loads(fields["data"])
            fields = {}


def test_a_stream_tells_all_then_the_end_with_the_run(run: Logged) -> None:
    run.append(TEXT)
    run.end()
    with run.server.client.stream("GET", run.url + "/stream") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        found = list(events(response.iter_lines()))
    assert [(kind, number) for kind, number, _ in found] == [("log", 24), ("end", 24)]
    assert found[-1][2]["status"] == "completed"


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_repeated_however_often_the_connection_breaks(run: Logged, seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        chance.choice([b"line\n", b"\xff\xfe", "é\U0001f680".encode(), b"x" * 5_000]) for _ in range(300)
    ]
    written = b"".join(pieces)

    def write() -> None:
        for at in range(0, len(written), 997):
            run.append(written[at : at + 997])
            if at % 5 == 0:
                time.sleep(0.01)  # The pace of a module, so that the stream is cut at many places.
        run.end()

    writer = threading.Thread(target=write)
    writer.start()
    got = b""
    while True:
        headers = {"Last-Event-ID": str(len(got))}
        with run.server.client.stream("GET", run.url + "/stream", headers=headers) as response:
            kind, got = _read_some(response, got, chance.randrange(1, 6))
        if kind == "end":
            break
    writer.join()
    assert got == written


def _read_some(response: httpx.Response, got: bytes, count: int) -> tuple[str, bytes]:
    for kind, number, data in events(response.iter_lines()):
        if kind == "end":
            return kind, got
        assert data["offset"] == len(got)
        got += base64.b64decode(data["base64"]) if "base64" in data else data["text"].encode()
        assert number == len(got)
        count -= 1
        if count == 0:
            break
    return "more", got


def test_lines_arrive_within_a_blink(client: Client, run: Logged) -> None:
    late = []
    stream = client.follow_log(run.spec.run_id)
    run.append(b"start\n")
    assert next(stream) == b"start\n"
    for number in range(30):
        time.sleep(0.007 * (number % 7))  # Writes at all phases of the look.
        sent = time.perf_counter()
        run.append(b"%d\n" % number)
        assert next(stream) == b"%d\n" % number
        late.append(time.perf_counter() - sent)
    run.end()
    assert list(stream) == []
    assert sorted(late)[len(late) // 2] < 0.1


def test_a_stream_of_an_earlier_attempt_ends_when_another_begins(run: Logged, client: Client) -> None:
    run.append(b"first")
    stream = client.follow_log(run.spec.run_id, attempt=1)
    assert next(stream) == b"first"
    run.server.write([making.ended(run.spec, code=1, will_retry=True)])
    run.server.write([making.starting(run.spec, 2, nonce="n2")])
    assert list(stream) == []


def test_a_gap_is_told_and_skipped(run: Logged) -> None:
    run.append(b"begin " + b"x" * 100 + b" end\n")
    run.drop(6, 106)
    run.end()
    with run.server.client.stream("GET", run.url + "/stream", params={"offset": 2}) as response:
        found = list(events(response.iter_lines()))
    assert [(kind, number) for kind, number, _ in found[:3]] == [("log", 6), ("gap", 106), ("log", 111)]
    assert found[1][2] == {"offset": 6, "end": 106}
    assert found[2][2] == {"offset": 106, "text": " end\n"}


@pytest.mark.parametrize("last", ["9" * 5_000, "-1", "x", "٣"])
def test_a_last_event_id_that_is_none_does_not_count(run: Logged, last: str) -> None:
    run.append(TEXT)
    run.end()
    headers = {"Last-Event-ID": last.encode()}
    with run.server.client.stream("GET", run.url + "/stream", headers=headers) as response:
        assert next(events(response.iter_lines()))[2]["offset"] == 0


def test_a_reader_that_reads_nothing_delays_nobody(client: Client, run: Logged) -> None:
    run.append(b"x" * 20_000_000 + b"\n")
    request = (
        f"GET {run.url}/stream HTTP/1.1\r\nHost: 127.0.0.1:{run.server.port}\r\n"
        f"Authorization: Bearer {run.server.context.data_dir.token()}\r\n\r\n"
    )
    with closing(socket.create_connection(("127.0.0.1", run.server.port))) as idle:
        idle.sendall(request.encode())
        stream = client.follow_log(run.spec.run_id)
        got = 0
        while got < 20_000_001:
            got += len(next(stream))
        start = time.perf_counter()
        run.append(b"news\n")
        assert next(stream) == b"news\n"
        assert time.perf_counter() - start < 1
        run.end()
        assert list(stream) == []


def test_two_hundred_streams_all_get_all(server: StoreServer) -> None:
    runs = running(server, 20)
    for run in runs:
        run.append(b"start\n")

    async def follow(client: AsyncClient, run: Logged, ready: asyncio.Semaphore) -> bytes:
        got = b""
        async for block in client.follow_log(run.spec.run_id):
            got += block
            if got == b"start\n":
                ready.release()
        return got

    async def all_of_them() -> Sequence[bytes]:
        client = AsyncClient(locate=lambda: endpoint(server))
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(follow(client, runs[n % 20], ready)) for n in range(200)]
        for _ in tasks:
            await ready.acquire()
        await asyncio.to_thread(_write_and_end, server, runs)
        got = await asyncio.gather(*tasks)
        await client.close()
        return got

    got = asyncio.run(all_of_them())
    assert got == [b"start\nmore %d\n" % (n % 20) for n in range(200)]


def _write_and_end(server: StoreServer, runs: Sequence[Logged]) -> None:
    for number, run in enumerate(runs):
        run.append(b"more %d\n" % number)
    server.write([making.ended(run.spec) for run in runs])


def test_streams_end_when_the_server_leaves(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        (run,) = running(server)
        run.append(b"start\n")
        with server.client.stream("GET", run.url + "/stream") as response:
            found = events(response.iter_lines())
            assert next(found)[2]["text"] == "start\n"
            server.context.hub.close()
            start = time.monotonic()
            assert list(found) == []
            assert time.monotonic() - start < 5


# The document


def test_the_document_describes_the_answers(server: StoreServer) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    for end, model in {"lines": "LogLines", "search": "LogSearch"}.items():
        answer = paths[f"/api/runs/{{run_id}}/log/{end}"]["get"]["responses"]["200"]
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith(f"/{model}")
    assert {"200", "206", "416"} <= paths["/api/runs/{run_id}/log"]["get"]["responses"].keys()
