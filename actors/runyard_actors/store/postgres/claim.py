"""One writer at a time: a lock of the server's, held for as long as the writer is connected."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import psycopg

from runyard_actors.store.errors import StoreError, StoreUnavailable
from runyard_actors.store.postgres.session import Raw
from runyard_cluster.database_url import PostgresUrl

#: "RYRD": tells our locks from those of other programs. The second number of the lock is the schema's.
CLASS = 0x52595244

_KEY = f"{CLASS}, hashtext(current_schema())"
_HOLDERS = f"""
SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = {CLASS} AND objsubid = 2 AND granted AND pid <> pg_backend_pid()
AND objid::bigint = hashtext(current_schema())::bigint & 4294967295
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""  # noqa: S608 - a number of ours

#: What PostgreSQL keeps of a name.
_NAME_BYTES = 63


def name_of(owner: str) -> str:
    """Return what the server's list of connections shows of us: a digest of the owner, and its end in clear."""
    digest = hashlib.sha256(owner.encode()).hexdigest()[:8]
    clear = "".join(c if 32 < ord(c) < 127 else "?" for c in owner)
    room = _NAME_BYTES - len(f"runyard {digest} ")
    return f"runyard {digest} {clear[-room:]}".rstrip()


def claim(raw: Raw, where: PostgresUrl, name: str) -> None:
    """Take the lock; one that an earlier writer of the same name holds is taken away from it.

    Raises StoreError when another one holds it, or a pooler does not let it be held, StoreUnavailable when the earlier
    one does not go, and psycopg.Error.
    """
    _refuse_shared_sessions(raw, where)
    if _try(raw):
        return
    held = raw.execute(_HOLDERS).fetchall()
    strangers = [f"{holder}, process {pid} of the server" for pid, holder in held if holder != name]
    for pid, holder in held:
        if holder == name:
            raw.execute("SELECT pg_terminate_backend(%s)", (pid,))
    try:
        # The server gives back the lock of who left a moment later: it is waited for as long as for any lock.
        raw.execute(f"SELECT pg_advisory_lock({_KEY})")
    except psycopg.errors.LockNotAvailable as error:
        if strangers:
            raise StoreError(
                f"the database {where} is in use by another program ({'; '.join(strangers)}): end that, or choose "
                "another database or schema"
            ) from error
        words = f"an earlier writer of {where} still holds its lock; try again"
        raise StoreUnavailable(words) from error


def let_go(raw: Raw) -> None:
    """Give the lock back and leave. Without that the server does so some time after the connection is closed."""
    # What is broken, or in the middle of something, holds it no longer than the server takes to notice.
    if raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        with suppress(psycopg.Error):
            raw.execute("SELECT pg_advisory_unlock_all()")
    raw.close()


def _refuse_shared_sessions(raw: Raw, where: PostgresUrl) -> None:
    """A pooler that hands out the server's sessions by transaction gives our lock to whoever comes next."""
    own = _session_of(raw)
    if own == raw.info.backend_pid:
        return
    # A pooler is between. While another transaction goes on, does ours still get the session it had?
    with psycopg.connect(where.conninfo) as other:
        other.execute("SELECT 1")
        if _session_of(raw) == own:
            return
    raise StoreError(
        f"the pooler at {where} hands out connections by transaction, so no lock can be held there: have it pool by "
        "session (pool_mode = session), or connect to PostgreSQL itself"
    )


def _session_of(raw: Raw) -> int:
    row = raw.execute("SELECT pg_backend_pid()").fetchone()
    return 0 if row is None else int(row[0])


def _try(raw: Raw) -> bool:
    row = raw.execute(f"SELECT pg_try_advisory_lock({_KEY})").fetchone()
    return row is not None and bool(row[0])
