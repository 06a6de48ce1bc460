"""PgBouncer before PostgreSQL: it may pool by session, and is refused where it pools by transaction."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runyard_actors.store.errors import StoreError
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.writer import StoreWriter
from runyard_cluster.database_url import PostgresUrl
from tests.postgres_server import PostgresServer
from tests.support import wait_until
from tests.unit.store.making import specs, submitted

pytestmark = pytest.mark.skipif(not shutil.which("pgbouncer"), reason="PgBouncer is not installed")


@contextmanager
def pooled(server: PostgresServer, mode: str) -> Iterator[PostgresUrl]:
    """Have a PgBouncer before the server; lend what names its database."""
    folder = Path(tempfile.mkdtemp(prefix="ry-pgb-", dir="/tmp"))
    folder.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "users").write_text('"runyard" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = trust\nauth_file = {folder / 'users'}\n"
        f"pool_mode = {mode}\n"
    )
    # Like PostgreSQL it refuses to be root.
    user = {"user": "postgres"} if os.geteuid() == 0 else {}
    process = subprocess.Popen(["pgbouncer", "-q", str(folder / "pgbouncer.ini")], cwd="/", **user)  # type: ignore[call-overload] # of a mapping
    try:
        wait_until(lambda: _answers(port), 30, "PgBouncer listens")
        yield PostgresUrl(f"postgresql+psycopg://runyard@127.0.0.1:{port}/postgres")
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_one_that_pools_by_session_keeps_the_store_to_one_writer(postgres: PostgresServer) -> None:
    (run,) = specs(1)
    with pooled(postgres, "session") as url:
        writer, reader = StoreWriter(url, "one"), StoreReader(url)
        try:
            writer.write([submitted([run])]).result()
            assert reader.run(run.run_id) is not None
            with pytest.raises(StoreError, match="in use by another program"):
                StoreWriter(url, "another")
        finally:
            reader.close()
            writer.close()


def test_one_that_pools_by_transaction_is_refused(postgres: PostgresServer) -> None:
    with (
        pooled(postgres, "transaction") as url,
        pytest.raises(StoreError, match="pool by session \\(pool_mode = session\\)"),
    ):
        StoreWriter(url, "one")
