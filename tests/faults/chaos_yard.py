"""A real server that is started again whenever it was killed, and calls that are repeated until they are answered."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from runyard.yard import find, start_server
from runyard_cluster.data_dir import DataDir
from runyard_cluster.errors import RunyardError
from runyard_cluster.process import is_locked
from runyard_cluster.server_record import Endpoint, running_server, server_record
from tests.server_process import ServerProcess
from tests.support import processes_naming, wait_until

SLOTS = 6
SETTINGS = {
    "max_concurrent_runs": SLOTS,
    "cpu_busy_percent": 0,
    "reserve_memory": "64MiB",
    "grace": "1s",
}
#: Ray starts again within this, also on a machine that is busy with something else.
BACK_SECONDS = 120.0
CALL_SECONDS = 35.0
PAUSE_SECONDS = 0.2
#: Characters of the server's log that tell of minutes.
LAST_WORDS = 20_000


class Service(Protocol):
    """How the server is started, and found."""

    def start(self) -> None:
        """Start the server, unless it is there."""
        ...

    def pid(self) -> int | None:
        """Return the server's process."""
        ...

    def endpoint(self) -> Endpoint | None:
        """Return where it listens, if it does."""
        ...

    def leave(self) -> None:
        """Have it end, with all its runs."""
        ...


class WithRay:
    """`runyard up`, as anyone has it."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "runyard.toml"
        self._data_dir = DataDir(folder / "data")
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in SETTINGS.items())
        self._config.write_text(f'data_dir = "{(folder / "data").as_posix()}"\n{text}')

    def start(self) -> None:
        start_server(self._data_dir, self._config, ["--up", "127.0.0.1", "0"])

    def pid(self) -> int | None:
        record = server_record(self._data_dir)
        return int(record["pid"]) if record else None

    def endpoint(self) -> Endpoint | None:
        return running_server(self._data_dir)

    def leave(self) -> None:
        client = find(self._config, None)
        if client is not None:
            client.leave()
            client.close()
        wait_until(lambda: not is_locked(self._data_dir.server_lock), 60, "the server left")
        wait_until(lambda: not processes_naming(str(self._data_dir.ray_temp)), 60, "Ray ended")


class WithoutRay:
    """Server and manager in one process, back within a second: many more kills in the same time."""

    def __init__(self, folder: Path) -> None:
        self._server = ServerProcess(folder, **SETTINGS)

    def start(self) -> None:
        if not self._server.is_alive:
            self._server.start()

    def pid(self) -> int | None:
        return self._server.pid

    def endpoint(self) -> Endpoint | None:
        return Endpoint(self._server.url, self._server.token) if self._server.url else None

    def leave(self) -> None:
        self._server.leave()


class ChaosYard:
    """The service under attack."""

    def __init__(self, folder: Path, service: Service) -> None:
        self.folder = folder
        self.data_dir = DataDir(folder / "data")
        self.temp = folder / "tmp"
        self.service = service
        self.slowest_recovery = 0.0

    def wait_until_it_answers(self, stop: Callable[[], bool]) -> bool:
        """Return once the manager answers through the server; the server is started again if it is gone."""
        began = time.monotonic()
        while time.monotonic() - began < BACK_SECONDS:
            if stop():
                return True
            try:
                self.service.start()
                if self._once("GET", "/readyz", None, None).status_code == 200:
                    self.slowest_recovery = max(self.slowest_recovery, time.monotonic() - began)
                    return True
            except (RunyardError, httpx.HTTPError, OSError, AssertionError):
                pass  # It is on its way.
            time.sleep(PAUSE_SECONDS)
        return False

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> httpx.Response:
        """Return the answer; repeated for as long as nobody, or only an excuse, answers."""
        end = time.monotonic() + 2 * BACK_SECONDS
        while True:
            try:
                answer = self._once(method, path, body, key)
                if answer.status_code < 500:
                    return answer
                last = answer.text[:300]
            except (httpx.HTTPError, OSError) as error:
                last = repr(error)
            assert time.monotonic() < end, f"{method} {path} was never answered; last: {last}"
            time.sleep(PAUSE_SECONDS)

    def last_words(self) -> str:
        """Return the end of the server's log, as nothing of the folder is left afterwards."""
        file = self.data_dir.server_log
        return file.read_text("utf-8", "replace")[-LAST_WORDS:] if file.exists() else "there is none"

    def _once(self, method: str, path: str, body: Any, key: str | None) -> httpx.Response:
        endpoint = self.service.endpoint()
        if endpoint is None:
            raise httpx.ConnectError("no server is ready")
        headers = {"Authorization": f"Bearer {endpoint.token}"} | ({"Idempotency-Key": key} if key else {})
        return httpx.request(
            method, endpoint.url + path, json=body, headers=headers, timeout=CALL_SECONDS, trust_env=False
        )


@contextmanager
def chaos_yard(*, has_ray: bool) -> Iterator[ChaosYard]:
    """Serve a fresh folder for the length of the block; nothing of it is left afterwards.

    All that the server starts has the folder's `tmp` as TMPDIR, by which it can be known.
    """
    folder = Path(tempfile.mkdtemp(prefix="ry-chaos-", dir="/tmp"))
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder / "tmp")
    (folder / "tmp").mkdir()
    yard = ChaosYard(folder, WithRay(folder) if has_ray else WithoutRay(folder))
    try:
        yard.service.start()
        yield yard
    finally:
        yard.service.leave()
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        wait_until(lambda: not processes_naming(str(folder)), 60, "nothing is left")
        shutil.rmtree(folder, ignore_errors=True)
