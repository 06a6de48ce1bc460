"""Rows 20 to 46, and 90: bodies, headers, addresses and moments of a call that are wrong.

The Python client and the command line write bodies and headers themselves, so many rows have one form only.
"""

from __future__ import annotations

from typing import Any

import httpx

from runyard.client import Client
from runyard.yard import connect
from tests.bad_input.row import NO_CALL, Answers, Batch, Call, HeldBy, NoForm, Refused, Row
from tests.rest import JSON

WRITES = NoForm("it writes the body itself, from values")
SENDS = NoForm("it sends method and headers itself")
KEYS = NoForm("it makes a key of its own for each submit")
PAGES = NoForm("it asks for pages itself, and has no option for bytes")
NOT_FOUND: dict[str, Any] = {"status": 404, "error": "NotFoundError"}


def body(content: bytes, **headers: str) -> Call:
    """Return a body that only a caller of REST can send."""
    return Call(
        rest=lambda http, _: http.post("/api/runs", content=content, headers={**JSON, **headers}),
        python=WRITES,
        words=WRITES,
    )


def shows(name: str, address: str | None = None) -> Call:
    """Return the question for a run of that id; `address` is how it stands in one."""
    return Call(
        rest=lambda http, _: http.get(f"/api/runs/{name if address is None else address}"),
        python=lambda client, _: client.run(name),
        words=["show", name],
    )


def lists(query: str, option: list[str], **filters: Any) -> Call:
    """Return the question for a page."""
    return Call(
        rest=lambda http, _: http.get(f"/api/runs?{query}"),
        python=lambda client, _: client.runs(**filters),
        words=["history", *option] if option else PAGES,
    )


def keyed(first: dict[str, Any], second: dict[str, Any]) -> Call:
    """Return a submit whose key was used for another one."""

    def rest(http: httpx.Client, run_id: str) -> httpx.Response:
        headers = {"Idempotency-Key": f"rest {run_id}"}
        assert http.post("/api/runs", json=first, headers=headers).status_code == 202
        return http.post("/api/runs", json=second, headers=headers)

    def python(client: Client, run_id: str) -> object:
        client.submit(first, f"python {run_id}")
        return client.submit(second, f"python {run_id}")

    return Call(rest=rest, python=python, words=KEYS)


def with_key(key: str) -> Call:
    """Return a submit with a key that is none."""
    run = {"command": ["true"]}
    return Call(
        rest=lambda http, _: http.post("/api/runs", json=run, headers={"Idempotency-Key": key}),
        python=lambda client, _: client.submit(run, key),
        words=KEYS,
    )


def stranger(token: str) -> Call:
    """Return the list of runs as whoever has another token would ask for it."""
    return Call(
        rest=lambda http, _: httpx.get(
            f"{http.base_url}/api/runs", headers={"Cookie": f"runyard_session={token}"}, trust_env=False
        ),
        python=lambda client, _: _as_stranger(client.url, token),
        words=["TOKEN", token, "ps"],
    )


def _as_stranger(url: str, token: str) -> object:
    with connect(url, token) as client:
        return client.runs()


ROWS = [
    Row(20, "no body", body(b""), Refused()),
    Row(21, "an open brace", body(b"{"), Refused(status=400, words=["not valid JSON"])),
    Row(22, "null", body(b"null"), Refused()),
    Row(23, "a list", body(b"[]"), Refused()),
    Row(25, "no UTF-8", body(b'{"command":["\xff"]}'), Refused(status=400, words=["not valid UTF-8"])),
    *(
        Row(
            27,
            kind or "no type",
            body(b'{"command":["true"]}', **{"Content-Type": kind}),
            Refused(status=415, words=["application/json"]),
        )
        for kind in ("text/plain", "application/x-www-form-urlencoded", "")
    ),
    Row(
        28,
        "compressed",
        body(b"\x1f\x8b", **{"Content-Encoding": "gzip"}),
        Refused(status=415, words=["compressed"]),
    ),
    *(
        Row(
            number,
            what,
            NO_CALL,
            HeldBy(f"integration/test_bad_call.py::{test}", "it takes tens of megabytes"),
        )
        for number, what, test in (
            (29, "over 16 MiB", "test_a_body_over_the_limit_is_refused_however_it_is_sent"),
            (30, "over 16 MiB, chunked", "test_a_body_over_the_limit_is_refused_however_it_is_sent"),
            (31, "a text of 50 MB", "test_a_text_of_50_mb_gets_a_short_answer"),
            (35, "a million arguments", "test_a_million_arguments_are_refused_in_no_time"),
        )
    ),
    Row(
        32,
        "no runs",
        Batch(runs=[]),
        Refused(rest=["runs"], python=["at least one"], command_line=["holds no runs"]),
    ),
    Row(33, "100,001 runs", Batch(runs=[{}] * 100_001), Refused(status=413, words=["100000"])),
    Row(
        34,
        "one bad run",
        Batch(runs=[{"command": ["true"]}, {"command": ["true"], "memory": "much"}, {"command": ["true"]}]),
        Refused(
            words=["'much' is not a size"],
            rest=['"index": 1'],
            python=["'index': 1"],
            command_line=["runs[1]"],
        ),
    ),
    Row(
        36,
        "another method",
        Call(rest=lambda http, _: http.delete("/api/runs"), python=SENDS, words=SENDS),
        Refused(status=405, words=["DELETE", "GET, POST"]),
    ),
    Row(
        37,
        "an id that is not known",
        shows("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        Refused(**NOT_FOUND, words=["01ARZ3NDEKTSV4RRFFQ69G5FAV"]),
    ),
    Row(38, "a path as an id", shows("../../etc/passwd", "..%2f..%2fetc%2fpasswd"), Refused(**NOT_FOUND)),
    Row(38, "another call as an id", shows("../stats", "%2e%2e%2fstats"), Refused(**NOT_FOUND)),
    Row(38, "dots", shows("..", "%2e%2e"), Refused(**NOT_FOUND)),
    Row(38, "a NUL as an id", shows("\0", "%00"), Refused(**NOT_FOUND)),
    Row(38, "half a character as an id", shows("\ud800", "%ED%A0%80"), Refused(**NOT_FOUND)),
    Row(38, "a question as an id", shows("x?limit=1#y", "x%3Flimit=1%23y"), Refused(**NOT_FOUND)),
    Row(38, "no id", shows(""), Refused(**NOT_FOUND)),
    Row(39, "an id of 10 kB", shows("0" * 10_240), Refused(**NOT_FOUND)),
    Row(40, "offset -1", lists("offset=-1", [], offset=-1), Refused(words=["offset"])),
    Row(40, "limit 10^9", lists("limit=1000000000", [], limit=10**9), Refused(words=["limit"])),
    Row(40, "limit 0", lists("limit=0", ["--limit", "0"], limit=0), Refused(words=["limit"])),
    Row(40, "limit abc", lists("limit=abc", ["--limit", "abc"], limit="abc"), Refused(words=["limit"])),
    Row(
        40,
        "an unknown status",
        lists("status=done", ["--status", "done"], status="done"),
        Refused(words=["status"]),
    ),
    Row(40, "since soon", lists("since=soon", ["--since", "soon"], since="soon"), Refused(words=["since"])),
    Row(
        41,
        "a log from past its end",
        Call(
            rest=lambda http, run_id: http.get(f"/api/runs/{run_id}/log?offset=1000000"),
            python=lambda client, run_id: client.log(run_id, offset=1_000_000),
            words=PAGES,
        ),
        Answers(body=b""),
    ),
    Row(
        42,
        "a range from 2^63",
        Call(
            rest=lambda http, run_id: http.get(
                f"/api/runs/{run_id}/log", headers={"Range": f"bytes={2**63}-"}
            ),
            python=SENDS,
            words=SENDS,
        ),
        Refused(status=416, error="InvalidRequestError"),
    ),
    Row(
        44,
        "another host",
        Call(
            rest=lambda http, _: http.get("/api/runs", headers={"Host": "evil.example"}),
            python=SENDS,
            words=SENDS,
        ),
        Refused(status=421, words=["host name"]),
    ),
    Row(
        45,
        "a cookie or token that is garbage",
        stranger("garbage"),
        Refused(status=401, error="AuthenticationError", exit_code=3),
    ),
    Row(
        45,
        "a token that cannot be sent",
        Call(rest=SENDS, python=stranger("é\n").python, words=stranger("é\n").words),
        Refused(words=["characters that no token has"], error="AuthenticationError", exit_code=3),
    ),
    Row(
        45,
        "an address that is none",
        Call(rest=SENDS, python=lambda *_: connect("nonsense", "x"), words=["--url", "nonsense", "ps"]),
        Refused(words=["'nonsense' is no address"]),
    ),
    Row(
        45,
        "a port that is none",
        Call(
            rest=SENDS,
            python=lambda *_: connect("http://127.0.0.1:99999", "x"),
            words=["--url", "http://127.0.0.1:99999", "ps"],
        ),
        Refused(words=["is no address"]),
    ),
    Row(
        46,
        "the same key for something else",
        keyed({"command": ["true"]}, {"command": ["false"]}),
        Refused(status=409, error="ConflictError"),
    ),
    Row(46, "no key", with_key(""), Refused(words=["key"])),
    Row(46, "a key of 256", with_key("k" * 256), Refused(words=["key"])),
    Row(
        46,
        "a key in two lines",
        Call(rest=SENDS, python=with_key("a\nb").python, words=KEYS),
        Refused(words=["idempotency_key"]),
    ),
    Row(
        90,
        "cancelled though it has ended",
        Call(
            rest=lambda http, run_id: http.post(f"/api/runs/{run_id}/cancel"),
            python=lambda client, run_id: client.cancel(run_id),
            words=["cancel", "{run}"],
        ),
        Refused(status=409, error="ConflictError", exit_code=1, words=["ended"]),
    ),
    Row(
        90,
        "a restart of a run that is not known",
        Call(
            rest=lambda http, _: http.post("/api/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV/restart"),
            python=lambda client, _: client.restart("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
            words=["restart", "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
        ),
        Refused(**NOT_FOUND),
    ),
    *(
        Row(90, what, NO_CALL, HeldBy(f"integration/{test}", "it takes more than one call"))
        for what, test in (
            (
                "cancelled twice",
                "test_bad_call.py::test_cancel_may_be_repeated_and_what_ended_cannot_be_cancelled",
            ),
            (
                "restarted after its module was deleted",
                "test_bad_input_table.py::test_a_run_is_restarted_though_its_module_is_gone",
            ),
        )
    ),
]
