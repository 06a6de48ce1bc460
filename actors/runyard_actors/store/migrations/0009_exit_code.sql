-- Ended runs by their exit code. Those that completed are left out: they exited with 0, and are known by their status.
CREATE INDEX runs_by_exit_code ON runs (seq, exit_code) WHERE exit_code IS NOT NULL AND status <> 'completed';
