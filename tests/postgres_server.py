"""A real PostgreSQL server of the tests' own: in a temporary folder, on loopback, ended with them."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from trustme import LeafCert

from runyard_cluster.database_url import PostgresUrl
from tests.support import wait_until

#: Where Debian, and others, keep the programs of one version.
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")

START_SECONDS = 60


class PostgresServer:
    """One server; each `fresh` place in it is a schema of its own."""

    def __init__(self, programs: Path, folder: Path, tls: LeafCert | None) -> None:
        self._programs = programs
        self._folder = folder
        self._tls = tls
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        # PostgreSQL refuses to be root.
        self._user = (
            {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        )

    @property
    def url(self) -> str:
        """The database, without a schema."""
        return f"postgresql+psycopg://runyard@127.0.0.1:{self.port}/postgres"

    def fresh(self) -> PostgresUrl:
        """Return a new schema, as a database of its own."""
        name = f"t{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return PostgresUrl(f"{self.url}?options=-csearch_path%3D{name}")

    def connect(self) -> Any:
        """Return a connection that looks at anything."""
        import psycopg  # not before a test needs it: it may not be installed

        return psycopg.connect(PostgresUrl(self.url).conninfo, autocommit=True)

    def create(self) -> None:
        """Make the server's files."""
        if self._user:
            found = pwd.getpwnam("postgres")
            os.chown(self._folder, found.pw_uid, found.pw_gid)
        self._run(
            "initdb",
            "-U",
            "runyard",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "--no-sync",
            "-D",
            self._data,
        )
        if self._tls is not None:
            self._put("server.crt", self._tls.cert_chain_pems[0].bytes())
            self._put("server.key", self._tls.private_key_pem.bytes())

    def start(self) -> None:
        """Start it, and return once it answers."""
        # Without fsync a test's thousand commits take a second; what a crash of the machine loses is not tested here.
        options = ("-p", self.port, "-k", self._folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
        tls = ("-c", "ssl=on") if self._tls else ()
        command = [str(self._programs / "postgres"), "-D", str(self._data), *map(str, options), *tls]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._user)  # type: ignore[call-overload] # of a mapping
        wait_until(self._answers, START_SECONDS, f"PostgreSQL on port {self.port}")

    def stop(self, number: int = signal.SIGINT) -> None:
        """End it: SIGINT breaks off what goes on and shuts down, SIGQUIT leaves all as it is."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _put(self, name: str, content: bytes) -> None:
        """Put a file where the server looks for it; it refuses keys that others can read."""
        path = self._data / name
        path.write_bytes(content)
        path.chmod(0o600)
        owner = self._data.stat()
        os.chown(path, owner.st_uid, owner.st_gid)

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self._folder / "log").read_text()
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", timeout=120, check=False, **self._user
        )  # type: ignore[call-overload] # of a mapping
        assert done.returncode == 0, done.stderr


@contextmanager
def patience(words: str) -> Iterator[None]:
    """Have writers that connect within the block wait so long for locks, as "200ms"."""
    from runyard_actors.store.postgres import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "_WRITES", f"{session._WRITES}; SET lock_timeout = '{words}'")
        yield


@contextmanager
def postgres_server(tls: LeafCert | None = None) -> Iterator[PostgresServer]:
    """Serve for the length of the block, with a certificate if given; skips the test without PostgreSQL."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed")
    # Short, since a socket lies in it, and where another user may come.
    folder = Path(tempfile.mkdtemp(prefix="ry-pg-", dir="/tmp"))
    server = PostgresServer(programs, folder, tls)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


def _programs() -> Path | None:
    on_path = shutil.which("initdb")
    folders = [str(Path(on_path).resolve().parent)] if on_path else []
    folders += [folder for pattern in FOLDERS for folder in sorted(glob.glob(pattern), reverse=True)]
    return next((Path(f) for f in folders if Path(f, "postgres").exists()), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
