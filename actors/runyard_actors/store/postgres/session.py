"""Connecting to a PostgreSQL server, and what holds for a connection of ours."""

from __future__ import annotations

from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import IntLoader

from runyard_actors.store.connection import BUSY_SECONDS
from runyard_cluster.database_url import PostgresUrl

#: A connection of psycopg.
Raw: TypeAlias = psycopg.Connection[Any]

#: For what the URL does not say itself. A server that is gone without a word is noticed after some ten seconds.
_DEFAULTS: dict[str, Any] = {
    "client_encoding": "utf8",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

#: A row or table that others hold is waited for no longer than SQLite's file is. A writer that is held still in the
#: middle of a transaction loses it, so that the next one can begin; one whose machine is gone, likewise.
_WRITES = f"""
SET lock_timeout = '{BUSY_SECONDS:g}s';
SET idle_in_transaction_session_timeout = '15s';
SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5;
SET tcp_keepalives_count = 3;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""

#: Runs of one module and of the next may differ by a million: each question gets a plan of its own.
_READS = (
    "SET plan_cache_mode = force_custom_plan; SET jit = off; SET idle_in_transaction_session_timeout = '60s'"
)

#: Statements that stay prepared; the store has about a hundred.
_PREPARED = 300


class _Flag(Dumper):
    """Truth as a number, as SQLite has it."""

    oid = psycopg.adapters.types["int8"].oid

    def dump(self, obj: bool) -> bytes:
        """Return it as a text of PostgreSQL's."""
        return b"1" if obj else b"0"


def connect(where: PostgresUrl, name: str, *, writes: bool, seconds: float = BUSY_SECONDS) -> Raw:
    """Connect, and wait for that no longer than `seconds`. Raises psycopg.Error."""
    given = _DEFAULTS | {"connect_timeout": max(2, round(seconds)), "application_name": name}
    raw = psycopg.connect(
        **(given | conninfo_to_dict(where.conninfo) | {"application_name": name}), autocommit=True
    )
    try:
        raw.prepared_max = _PREPARED
        raw.adapters.register_dumper(bool, _Flag)
        # Sums of whole numbers are numerics to PostgreSQL.
        raw.adapters.register_loader("numeric", IntLoader)
        raw.execute(_WRITES if writes else _READS)
    except BaseException:
        raw.close()
        raise
    return raw
