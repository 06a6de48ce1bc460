-- The only node that a run may start on; NULL: any.
ALTER TABLE runs ADD COLUMN wanted_node TEXT;
