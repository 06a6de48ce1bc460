-- Where attempts came from, as JSON objects: few different ones, which many share, so they are never removed.
CREATE TABLE origins (
    origin_id TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
ALTER TABLE attempts ADD COLUMN origin_id TEXT;
