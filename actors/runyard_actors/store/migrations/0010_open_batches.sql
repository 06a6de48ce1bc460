-- Whether runs may still be added to a batch, and when it was closed; a batch that never was open has no such moment.
ALTER TABLE batches ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN closed_at INTEGER;
