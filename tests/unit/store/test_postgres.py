"""PostgreSQL as the store: a server that goes and comes back, answers that are lost, other writers, other versions."""

from __future__ import annotations

import math
import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest

from runyard_actors.store import StoreError, StoreReader, StoreUnavailable, StoreWriter, load_state
from runyard_actors.store.changes import Idempotency, ProgressReported, RunsSubmitted
from runyard_actors.store.migrate import known_scripts
from runyard_cluster.database_url import PostgresUrl
from tests.postgres_server import PostgresServer, patience
from tests.support import wait_until
from tests.unit.store.cutting import cutter
from tests.unit.store.making import AT, life, specs, started, starting, submitted
from tests.unit.store.mortal_writer import acknowledged_before_a_kill


@pytest.fixture
def there(postgres: PostgresServer) -> PostgresUrl:
    return postgres.fresh()


@contextmanager
def raw(there: PostgresUrl) -> Iterator[Any]:
    import psycopg

    with psycopg.connect(there.conninfo, autocommit=True) as connection:
        yield connection


def test_a_server_that_is_gone_refuses_calls_and_serves_again_once_it_is_back(
    postgres: PostgresServer, there: PostgresUrl
) -> None:
    # Given a writer and a reader at work
    with closing(StoreWriter(there)) as writer, closing(StoreReader(there)) as reader:
        first, lost, last = specs(1), specs(1), specs(1)
        writer.write([submitted(first)]).result()
        assert reader.runs()[1] == 1
        # When the server is gone, as after a power cut
        postgres.stop(signal.SIGQUIT)
        with pytest.raises(StoreUnavailable, match="cannot be used right now"):
            writer.write([submitted(lost)]).result()
        with pytest.raises(StoreUnavailable):
            reader.runs()
        with pytest.raises(StoreUnavailable):
            load_state(there)
        # Then, once it is back, the same two go on
        postgres.start()
        writer.write([submitted(last)]).result()
        assert {run["run_id"] for run in reader.runs()[0]} == {first[0].run_id, last[0].run_id}


def test_a_restart_while_nobody_asks_costs_no_call(postgres: PostgresServer, there: PostgresUrl) -> None:
    with closing(StoreWriter(there)) as writer, closing(StoreReader(there)) as reader:
        writer.write([submitted(specs(1))]).result()
        assert reader.runs()[1] == 1
        postgres.stop()
        postgres.start()
        writer.write([submitted(specs(1))]).result()
        assert reader.runs()[1] == 2


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_commit_whose_answer_is_lost_is_told_as_what_it_was(
    postgres: PostgresServer, there: PostgresUrl, how: str
) -> None:
    with cutter(postgres.port) as way:
        cut_off = PostgresUrl(there.url.replace(f":{postgres.port}/", f":{way.port}/"))
        with closing(StoreWriter(cut_off)) as writer, closing(StoreReader(there)) as reader:
            writer.write([submitted(specs(1))]).result()
            way.cut = how
            error = writer.write([submitted(specs(2))]).exception()
            assert (error is None) is (how == "after"), error
            assert reader.runs()[1] == (3 if how == "after" else 1)
            seq = reader.last_seq()
            writer.write([submitted(specs(1))]).result()
            assert reader.last_seq() == seq + 1


def test_another_server_is_refused_while_one_writes_and_its_own_next_manager_is_not(
    there: PostgresUrl,
) -> None:
    first = StoreWriter(there, owner="ws1:/srv/data")
    with patience("200ms"), pytest.raises(StoreError, match=r"in use by another program .*ws1:/srv/data"):
        StoreWriter(there, owner="ws2:/srv/data")
    with closing(StoreWriter(there, owner="ws1:/srv/data")) as second:
        with pytest.raises(StoreError, match="took over"):
            first.write([submitted(specs(1))]).result()
        second.write([submitted(specs(1))]).result()
        first.close()
    with closing(StoreWriter(there, owner="ws2:/srv/data")) as other:
        other.write([]).result()


def test_a_lock_that_is_given_back_a_moment_later_is_waited_for(there: PostgresUrl) -> None:
    # Given another server's connection that lasts a moment longer than the server, as after a kill
    gone = StoreWriter(there, owner="ws1:/srv/data")
    gone.write([]).result()
    with patience("60s"), raw(there) as other, ThreadPoolExecutor(1) as pool:
        late = pool.submit(StoreWriter, there, "ws2:/srv/data")
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: other.execute(waits).fetchone()[0] == 1, 30, "the next one waits")
        gone.close()
        late.result().close()


def test_a_writer_held_still_in_a_transaction_does_not_keep_out_the_next(there: PostgresUrl) -> None:
    # Given a manager that was stopped between two statements
    hung = StoreWriter(there)
    hung.write([submitted(specs(1))]).result()
    assert hung._connection is not None
    cursor = hung._begin(math.inf)
    # When the next one starts
    with closing(StoreWriter(there)) as second:
        second.write([submitted(specs(1))]).result()
        # Then the first finds its transaction gone
        with pytest.raises(Exception, match="undone"):
            cursor.execute("COMMIT")
    hung.close()


def test_rows_that_somebody_holds_refuse_calls_and_then_serve_again(there: PostgresUrl) -> None:
    with closing(StoreWriter(there)) as writer, raw(there) as other:
        writer.write([]).result()
        writer._connection.raw.execute("SET lock_timeout = '200ms'")  # type: ignore[union-attr] # shorter than 5 s
        other.execute("BEGIN; SELECT * FROM meta FOR UPDATE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            writer.write([submitted(specs(1))]).result()
        other.execute("ROLLBACK")
        writer.write([submitted(specs(1))]).result()


def test_every_write_acknowledged_before_a_kill_is_there_and_no_call_is_half_there(
    there: PostgresUrl,
) -> None:
    calls = acknowledged_before_a_kill(there.url, at_least=60)
    # The next writer is let in although the server may not have noticed yet that the first is dead.
    StoreWriter(there).close()
    with closing(StoreReader(there)) as reader:
        statuses = [list(reader.statuses(ids).values()) for ids in calls]
        total = reader.runs()[1]
    assert [sorted(s) for s in statuses] == [["completed", "queued", "queued"]] * len(calls)
    assert total % 3 == 0


def test_what_sqlite_holds_and_postgresql_does_not_is_recorded_in_its_stead(there: PostgresUrl) -> None:
    (run,) = specs(1, labels={"k": "v\0w"}, command=("a\0b",))
    long = secrets.token_hex(20_000)
    with closing(StoreWriter(there)) as writer, closing(StoreReader(there)) as reader:
        writer.write([submitted([run]), starting(run), started(run)]).result()
        writer.write([ProgressReported(run_id=run.run_id, message="a\0b", at=AT)]).result()
        shown = reader.run(run.run_id)
        assert shown is not None and shown["message"] == "a\N{REPLACEMENT CHARACTER}b"
        assert reader.specs([run.run_id])[run.run_id].command == ("a\0b",), "it is JSON there"
        writer.write([ProgressReported(run_id=run.run_id, message=long, at=AT)]).result()
        shown = reader.run(run.run_id)
        assert shown is not None and shown["message"] == long
        assert reader.statuses(["\ud800", "a\0b", run.run_id, "\\u0000"]).keys() == {run.run_id}
        assert reader.run("\0") is None


def test_a_key_is_accepted_once(there: PostgresUrl) -> None:
    key = Idempotency(key="k", digest="d")
    with closing(StoreWriter(there)) as writer:
        writer.write([RunsSubmitted(specs=specs(1), created_at=AT, idempotency=key)]).result()
        error = writer.write([RunsSubmitted(specs=specs(1), created_at=AT, idempotency=key)]).exception()
    assert "idempotency key" in str(error)


def test_tables_of_another_version_are_told_and_copied_before_they_are_migrated(
    there: PostgresUrl,
) -> None:
    from runyard_actors.store.postgres import schema

    with closing(StoreWriter(there)) as writer:
        (run,) = specs(1)
        writer.write([submitted([run]), *life(run)]).result()
    newer = (*known_scripts(), "ALTER TABLE runs ADD COLUMN colour TEXT;")
    broken = (*known_scripts(), "CREATE TABLE fresh (a INTEGER); INSERT INTO missing VALUES (1);")
    with raw(there) as connection:
        with pytest.raises(Exception, match="missing"):
            schema.migrate(connection, there, broken)
        assert connection.execute("SELECT to_regclass('fresh')").fetchone() == (None,)
        schema.migrate(connection, there, newer)
        copies = (
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'runyard\\_v%' ORDER BY oid DESC LIMIT 1"
        )
        ((copy,),) = connection.execute(copies).fetchall()
        assert connection.execute(f"SELECT run_id FROM {copy}.runs").fetchall() == [(run.run_id,)]
        connection.execute(f"DROP SCHEMA {copy} CASCADE")
    for use in (StoreWriter, load_state):
        with pytest.raises(StoreError, match="newer runyard"):
            use(there)
    with raw(there) as connection:
        connection.execute("UPDATE meta SET value = 1 WHERE key = 'version'")
    with pytest.raises(StoreUnavailable, match="older runyard"):
        load_state(there)


def test_tables_of_another_program_are_left_alone(there: PostgresUrl) -> None:
    with raw(there) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value BIGINT)")
    with pytest.raises(StoreError, match="not runyard's"):
        StoreWriter(there)


def test_no_error_shows_the_password(postgres: PostgresServer) -> None:
    for port in (postgres.port, 1):
        wrong = PostgresUrl(f"postgresql+psycopg://nobody:s3cret@127.0.0.1:{port}/nothing")
        with pytest.raises(StoreUnavailable, match=r"nobody@127\.0\.0\.1") as refusal:
            StoreWriter(wrong)
        assert "s3cret" not in f"{refusal.value} {refusal.value.__cause__!r}"
