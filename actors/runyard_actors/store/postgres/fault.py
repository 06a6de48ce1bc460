"""Faults of PostgreSQL as those of SQLite, which is all that the store knows of."""

from __future__ import annotations

import sqlite3

import psycopg
from psycopg import errors


def fault(error: psycopg.Error) -> sqlite3.Error:
    """Return what SQLite would raise for the same."""
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, errors.UniqueViolation):
        return sqlite3.IntegrityError(f"UNIQUE constraint failed: {error.diag.table_name}")
    if isinstance(error, psycopg.IntegrityError | psycopg.DataError):
        return sqlite3.IntegrityError(words)
    if isinstance(error, errors.DiskFull):
        return sqlite3.OperationalError(f"the disk is full: {words}")
    return sqlite3.OperationalError(words)
