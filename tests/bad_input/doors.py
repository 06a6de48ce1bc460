"""The three front doors of one server, each taking what a row gives and answering in the same words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx

import runyard
from runyard.client import Client
from runyard_cluster.errors import RunyardError
from tests.bad_input.row import Batch, Call, NoForm, Submit
from tests.rest import assert_problem
from tests.unit.cli.playing import Answer

#: What a command line may say of a mistake, whatever was given.
SHORT = 2_000


@dataclass
class RefusalError(Exception):
    """It was refused: the class of the error if it was told, status or exit code, and all words."""

    error: str | None
    code: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Taken:
    """It was taken: the runs that were made, or the bytes that came back, and the exit code."""

    run_ids: Sequence[str] = ()
    body: bytes | None = None
    code: int | None = field(default=None)


class Door(Protocol):
    """A front door. All raise RefusalError."""

    def submit(self, run: Submit) -> Taken:
        """Submit a run."""
        ...

    def batch(self, batch: Batch) -> Taken:
        """Submit a batch."""
        ...

    def call(self, call: Call, run_id: str) -> Taken:
        """Call something else."""
        ...


class Rest:
    """`POST /api/runs` and all below `/api`."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def submit(self, run: Submit) -> Taken:
        """Submit it alone; within a batch it must be refused or taken all the same."""
        text = run.json or json.dumps(run.fields)
        alone = self._post("/api/runs", text)
        self._post("/api/batches", f'{{"runs": [{text}]}}')
        return alone

    def batch(self, batch: Batch) -> Taken:
        """Submit a batch."""
        return self._post("/api/batches", json.dumps({"runs": list(batch.runs), **batch.more}))

    def call(self, call: Call, run_id: str) -> Taken:
        """Send a request."""
        assert not isinstance(call.rest, NoForm)
        return self._answered(call.rest(self._http, run_id))

    def _post(self, path: str, text: str) -> Taken:
        content = text.encode(errors="surrogatepass")
        return self._answered(
            self._http.post(path, content=content, headers={"Content-Type": "application/json"})
        )

    def _answered(self, response: httpx.Response) -> Taken:
        if response.status_code >= 400:
            problem = assert_problem(response, response.status_code)
            assert response.status_code < 500, response.text
            words = json.dumps(problem, ensure_ascii=False)
            raise RefusalError(problem["type"].rpartition(":")[2], response.status_code, words)
        if response.status_code != 202:
            return Taken(body=response.content)
        found = response.json()
        return Taken([run["run_id"] for run in found.get("runs", [found])])


class Python:
    """`runyard.submit`, `runyard.submit_batch`, and the client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(self, run: Submit) -> Taken:
        """Submit it alone, and as one of a batch."""
        fields = dict(run.fields)
        alone = self._tried(lambda: [runyard.submit(fields).run_id])
        self._tried(lambda: [r.run_id for r in runyard.submit_batch([fields]).runs])
        return alone

    def batch(self, batch: Batch) -> Taken:
        """Submit a batch; what `submit_batch` takes no argument for goes through the client."""
        if batch.more:
            return self._tried(
                lambda: [
                    r["run_id"] for r in self._client.submit_batch({"runs": batch.runs, **batch.more})["runs"]
                ]
            )
        return self._tried(lambda: [r.run_id for r in runyard.submit_batch(list(batch.runs)).runs])

    def call(self, call: Call, run_id: str) -> Taken:
        """Call a method of the client."""
        assert not isinstance(call.python, NoForm)
        ask = call.python
        try:
            found = ask(self._client, run_id)
        except RunyardError as error:
            raise _refusal(error) from error
        return Taken(body=found if isinstance(found, bytes) else None)

    def _tried(self, submit: Callable[[], Sequence[str]]) -> Taken:
        try:
            return Taken(submit())
        except RunyardError as error:
            raise _refusal(error) from error


class CommandLine:
    """`runyard run`, `runyard batch FILE`, and the other verbs, in this process."""

    def __init__(self, runyard: Callable[..., Answer], folder: Path, environ: Callable[[str], Any]) -> None:
        self._runyard = runyard
        self._file = folder / "batch.json"
        self._with_token = environ

    def submit(self, run: Submit) -> Taken:
        """Submit it as the only row of a batch file, and by options if there are some for it."""
        self._file.write_bytes(_text_of_batch([run.json or json.dumps(run.fields)]))
        refusal: RefusalError | None = None
        try:
            taken = self._run("--json", "batch", str(self._file), "--detach")
        except RefusalError as error:
            refusal = error
        if run.options is not None:
            words = [*run.fields.get("command", ()), *run.fields.get("args", ())]
            try:
                taken = self._run("--json", "run", *run.options, "--detach", "--", *words)
            except RefusalError as error:
                # Not every word of the system's command line is one of a batch file; both must be understood.
                assert refusal is not None, error
                raise RefusalError(error.error, error.code, f"{refusal.text}\n{error.text}") from error
        if refusal is not None:
            assert run.options is None, f"an option says what a file may not: {refusal}"
            raise refusal
        return taken

    def batch(self, batch: Batch) -> Taken:
        """Submit a batch file."""
        more = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in batch.more.items()]
        self._file.write_bytes(_text_of_batch([json.dumps(run) for run in batch.runs], more))
        return self._run("--json", "batch", str(self._file), "--detach")

    def call(self, call: Call, run_id: str) -> Taken:
        """Give a command line."""
        assert not isinstance(call.words, NoForm)
        words = [word.replace("{run}", run_id) for word in call.words]
        if words[0] != "TOKEN":
            return self._run(*words)
        with self._with_token(words[1]):
            return self._run(*words[2:])

    def followed(self, words: Sequence[str]) -> Answer:
        """Give a command line that ends with its run."""
        return self._runyard(*words)

    def _run(self, *words: str) -> Taken:
        answer = self._runyard(*words)
        if answer.code:
            assert answer.out == b"", "what is said of a mistake is no data"
            assert answer.err.startswith("runyard: "), answer.err
            assert "Traceback" not in answer.err and "internal error" not in answer.err, answer.err
            assert len(answer.err) < SHORT and answer.err.replace("\n", "").isprintable(), answer.err
            raise RefusalError(None, answer.code, answer.err)
        return Taken(_run_ids(answer), answer.out, answer.code)


def placed(value: Any, token: str, folder: Path) -> Any:
    """Return a value with a folder's path in place of its token, however deep it stands."""
    if isinstance(value, str):
        return value.replace(token, str(folder))
    if isinstance(value, Mapping):
        return {k: placed(v, token, folder) for k, v in value.items()}
    return [placed(v, token, folder) for v in value] if isinstance(value, list | tuple) else value


@contextmanager
def no_error_of_another_kind() -> Iterator[None]:
    """Within, a call that fails with anything but an error of ours fails the test in these words."""
    try:
        yield
    except (RefusalError, AssertionError):
        raise
    except Exception as error:
        raise AssertionError(f"a caller sees {type(error).__name__}: {error}") from error


def _refusal(error: RunyardError) -> RefusalError:
    return RefusalError(type(error).__name__, None, f"{error} {error.details or ''}")


def _text_of_batch(runs: Sequence[str], more: Sequence[str] = ()) -> bytes:
    text = "{" + ", ".join([*more, f'"runs": [{", ".join(runs)}]']) + "}"
    return text.encode(errors="surrogatepass")


def _run_ids(answer: Answer) -> list[str]:
    try:
        found = answer.json
    except ValueError:
        return []
    if not isinstance(found, dict):
        return []
    return [run["run_id"] for run in found.get("runs", [found]) if "run_id" in run]
