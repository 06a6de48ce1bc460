-- The snapshot that a run starts from, by its digest, and the folder it was taken of; null: what is there at its start.
ALTER TABLE run_specs ADD COLUMN code TEXT;
ALTER TABLE run_specs ADD COLUMN code_root TEXT;
CREATE INDEX run_specs_code ON run_specs (code) WHERE code IS NOT NULL;
