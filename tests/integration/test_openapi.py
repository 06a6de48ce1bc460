"""The OpenAPI document is valid, whole and true: what it says is what the server does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.in_process import InProcess, in_process
from tests.rest import submit, wait_ended
from tests.support import python

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: Streams never end by themselves, and what resumes or stops the server is no call for random programs.
LEFT_OUT = {"/api/events", "/api/runs/{run_id}/log/stream", "/api/logs/stream", "/api/resume", "/api/leave"}
EXAMPLES = 25
#: Headers that tell a message's length.
FRAMING = {"transfer-encoding", "content-length"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    with in_process(tmp_path_factory.mktemp("server"), modules={"fixed": {"command": ["true"]}}) as found:
        with found.http() as client:
            for code in (0, 3):
                run = submit(client, command=python(f"raise SystemExit({code})"), labels={"a": "b"})
                wait_ended(client, run["run_id"])
            client.post("/api/batches", json={"runs": [{"command": ["true"]}], "name": "b"})
            # Programs with names of chance are accepted below, and must not start.
            client.post("/api/pause")
        yield found


@pytest.fixture(scope="module")
def document(server: InProcess) -> dict[str, Any]:
    with server.http() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"].startswith("3.1")


def test_every_call_has_its_own_name_words_and_answers(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert operation["description"], (path, method)
        good = [s for s in operation["responses"] if s.startswith("2")]
        assert good, (path, method)
        for status in good:
            assert status == "204" or has_schema(operation["responses"][status]), (path, method)


def has_schema(answer: dict[str, Any]) -> bool:
    return any(content.get("schema") for content in answer["content"].values())


def test_every_error_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        errors = {s: a for s, a in operation["responses"].items() if s >= "4"}
        assert {"401", "403", "421"} <= errors.keys(), (path, method)
        for answer in errors.values():
            assert answer["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_what_submits_shows_examples_that_are_accepted(server: InProcess, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    with server.http() as client:
        client.put("/api/modules/thumbnails", json=schemas["ModuleIn"]["examples"][0])
        for name, path in (("SubmitIn", "/api/runs"), ("BatchIn", "/api/batches")):
            for example in schemas[name]["examples"]:
                example = json.loads(json.dumps(example).replace('"num_cpus": 4', '"num_cpus": 1'))
                assert client.post(path, json=example).status_code == 202
        client.delete("/api/modules/thumbnails")


def test_answers_are_as_the_document_says(server: InProcess) -> None:
    schema = schemathesis.openapi.from_url(
        f"{server.url}/openapi.json", headers={"Authorization": f"Bearer {server.token}"}
    )
    seen: Counter[str] = Counter()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in LEFT_OUT:
            for mode in GenerationMode:
                explore(operation, mode, server.token, seen)
    assert seen["2"] > 100
    assert seen["4"] > 100
    assert seen["5"] == 0


def explore(operation: Any, mode: GenerationMode, token: str, seen: Counter[str]) -> None:
    """Call one operation many times with what its description allows, or with what it does not."""

    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def each(case: Any) -> None:
        # A message whose length nobody can tell is no HTTP; it never comes as far as what the document is about.
        hypothesis.assume(not any(name.lower() in FRAMING for name in case.headers or ()))
        response = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
        seen[str(response.status_code)[0]] += 1

    try:
        each()
    except hypothesis.errors.Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "a call that takes nothing cannot be given anything wrong"
