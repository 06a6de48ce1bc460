-- What PostgreSQL says in other words than SQLite, by the names of ../queries.sql. Values are written as there.
-- The writer counts runs and events itself and keeps the last numbers in `meta`: a sequence of PostgreSQL's own loses
-- numbers in whatever is undone, and tells of numbers that are not committed yet.

-- epoch --
SELECT value, pg_current_xact_id()::text, ({last_run}), ({last_event}) FROM meta WHERE key = 'epoch' FOR UPDATE

-- last_event --
SELECT value FROM meta WHERE key = 'last_event'

-- last_run --
SELECT value FROM meta WHERE key = 'last_run'

-- keep_numbers --
UPDATE meta SET value = CASE key WHEN 'last_run' THEN :run ELSE :event END WHERE key IN ('last_run', 'last_event')

-- insert_event --
INSERT INTO events (seq, at, kind, run_id, batch_id, data) VALUES (?, ?, ?, ?, ?, ?)

-- insert_submit_events --
INSERT INTO events (seq, at, kind, run_id, batch_id)
SELECT :after + row_number() OVER (ORDER BY seq), created_at, 'run_submitted', run_id, batch_id
FROM runs WHERE seq BETWEEN :first AND :last

-- end_run --
UPDATE runs SET
    pid = coalesce(:pid, pid), enforcement = coalesce(:enforcement, enforcement),
    status = :status, started_at = coalesce(started_at, :started_at), ended_at = :ended_at,
    duration = CASE WHEN coalesce(started_at, :started_at) IS NOT NULL
        THEN greatest(0, :ended_at - coalesce(started_at, :started_at)) END,
    exit_code = :exit_code, signal = :signal,
    reason = :reason, reason_detail = :reason_detail, ended_by = :ended_by, peak_memory = :peak_memory,
    peak_gpu_memory = :peak_gpu_memory, cpu_seconds = :cpu_seconds, log_bytes = :log_bytes,
    progress = coalesce(:progress, progress), message = coalesce(:message, message), result = :result,
    stalled_since = NULL, suspended_at = NULL
WHERE seq = :seq

-- end_batch --
UPDATE batches SET
    first_started_at = coalesce(first_started_at, :started_at), last_ended_at = greatest(last_ended_at, :at)
WHERE batch_id = :batch_id

-- delay_run --
UPDATE runs SET terms = (coalesce(terms, '{}')::jsonb || jsonb_build_object('not_before', :not_before::bigint))::text
WHERE seq = :seq

-- hold_run --
UPDATE runs SET terms = (coalesce(terms, '{}')::jsonb || '{"is_held": true}')::text
WHERE seq = :seq AND status = 'queued' AND NOT coalesce((terms::jsonb ->> 'is_held')::boolean, false)

-- release_run --
UPDATE runs SET terms = nullif((terms::jsonb - 'is_held')::text, '{}')
WHERE seq = :seq AND status = 'queued' AND (terms::jsonb ->> 'is_held')::boolean

-- correct_enforcement --
UPDATE runs SET enforcement = jsonb_strip_nulls(coalesce(enforcement, '{}')::jsonb || :enforcement::jsonb)::text
WHERE seq = :seq

-- ended_between --
SELECT data::json ->> 'status', count(*) FROM events
WHERE seq > ? AND seq <= ? AND kind = 'run_ended' GROUP BY 1

-- recent_waits --
SELECT greatest(0, started_at - queued_at) FROM runs WHERE started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1000
