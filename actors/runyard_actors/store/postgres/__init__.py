"""The store in a PostgreSQL database: SQLite's interface over psycopg, and what fences one writer from others."""
