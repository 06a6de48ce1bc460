-- Since when a running run is held still; NULL while it is not.
ALTER TABLE runs ADD COLUMN suspended_at INTEGER;
