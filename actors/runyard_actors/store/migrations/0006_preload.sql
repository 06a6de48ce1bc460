-- What a run's interpreter has imported before the run starts, as a JSON array; null: it starts cold.
ALTER TABLE run_specs ADD COLUMN preload TEXT;
