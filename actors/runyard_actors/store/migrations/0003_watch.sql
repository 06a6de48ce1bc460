-- What is watched while a run runs: words of what is wrong, since when it shows no sign of life, GPU memory; and after
-- how many seconds without a sign of life what is done.
ALTER TABLE runs ADD COLUMN warning TEXT;
ALTER TABLE runs ADD COLUMN stalled_since INTEGER;
ALTER TABLE attempts ADD COLUMN peak_gpu_memory INTEGER;
ALTER TABLE run_specs ADD COLUMN stall_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE run_specs ADD COLUMN on_stall TEXT NOT NULL DEFAULT 'tell';
