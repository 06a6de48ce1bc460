"""A PostgreSQL behind TLS: the server's certificate is looked at as `sslmode` says, for all that connects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from runyard_actors.store.errors import StoreUnavailable
from runyard_actors.store.reader import StoreReader
from runyard_actors.store.writer import StoreWriter
from runyard_cluster.database_url import PostgresUrl
from tests.unit.store.making import specs, submitted

pytest.importorskip("psycopg", reason="psycopg is not installed: runyard[postgres]")
from tests.postgres_server import PostgresServer, postgres_server

#: The name that the certificate is for; the server listens at the address behind it, and at no other.
NAME = "localhost"


@dataclass(frozen=True)
class Secured:
    """A server with a certificate, and the authority that made it."""

    server: PostgresServer
    authority: Path

    def url(self, **options: str) -> PostgresUrl:
        """Return the database with these options of the driver."""
        given = "&".join(f"{name}={value}" for name, value in options.items())
        return PostgresUrl(f"{self.server.url}?{given}")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "root.crt"
    authority.cert_pem.write_to_path(str(path))
    with postgres_server(authority.issue_cert(NAME)) as server:
        yield Secured(server, path)


def test_all_connections_are_encrypted_to_a_server_that_is_known(secured: Secured) -> None:
    # `hostaddr` is where it is, and `host` what its certificate has to be for.
    url = secured.url(
        sslmode="verify-full", sslrootcert=str(secured.authority), host=NAME, hostaddr="127.0.0.1"
    )
    (run,) = specs(1)
    writer, reader = StoreWriter(url), StoreReader(url)
    try:
        writer.write([submitted([run])]).result()
        assert reader.run(run.run_id) is not None
        with secured.server.connect() as looking:
            ours = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name ^@ 'runyard'"
            found = [is_encrypted for (is_encrypted,) in looking.execute(ours)]
        assert len(found) >= 2
        assert all(found)
    finally:
        reader.close()
        writer.close()


@pytest.mark.parametrize(
    ("host", "is_known", "words"),
    [("127.0.0.1", True, 'does not match host name "127.0.0.1"'), (NAME, False, "certificate verify failed")],
)
def test_a_server_that_may_be_another_one_is_refused_in_words(
    secured: Secured, tmp_path: Path, host: str, is_known: bool, words: str
) -> None:
    stranger = tmp_path / "root.crt"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    authority = secured.authority if is_known else stranger
    url = secured.url(sslmode="verify-full", sslrootcert=str(authority), host=host, hostaddr="127.0.0.1")
    with pytest.raises(StoreUnavailable, match=words):
        StoreWriter(url)
