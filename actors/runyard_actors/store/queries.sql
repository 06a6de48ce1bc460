-- Every statement of the store. `-- name --` begins a statement; `{name}` puts in the text of another one.
-- Where PostgreSQL needs other words than a mechanical translation gives, postgres/queries.sql has them.

-- epoch --
SELECT value FROM meta WHERE key = 'epoch'

-- take_epoch --
UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value

-- checked_at --
SELECT value FROM meta WHERE key = 'checked_at'

-- note_check --
UPDATE meta SET value = :at WHERE key = 'checked_at'

-- probe --
UPDATE meta SET value = :at WHERE key = 'probed_at'

-- last_event --
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)

-- last_run --
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0)

-- ## Submit

-- insert_run --
INSERT INTO runs (
    seq, run_id, module_id, module_name, batch_id, batch_index, status, cpu_milli, gpu_milli, memory_bytes,
    gpu_memory_bytes, priority, max_retries, retry_on_out_of_memory, memory_retries, max_concurrent, after_runs,
    restarted_from, wanted_node, created_at, queued_at, terms
) VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- insert_spec --
INSERT INTO run_specs (
    seq, command, cwd, env, labels, timeout_seconds, args_from, request_note, stall_seconds, on_stall,
    preload, code, code_root
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- insert_label --
INSERT INTO run_labels (key, value, seq) VALUES (?, ?, ?)

-- insert_module_name --
INSERT INTO module_names (module_id, module_name) VALUES (?, ?) ON CONFLICT DO NOTHING

-- put_batch --
INSERT INTO batches (batch_id, name, max_concurrent, max_failures, is_open, telling, created_at)
VALUES (:batch_id, :name, :max_concurrent, :max_failures, :is_open, :telling, :created_at)
ON CONFLICT (batch_id) DO UPDATE SET cancelled_at = NULL

-- insert_idempotency --
INSERT INTO idempotency (key, digest, batch_id, run_ids, created_at)
VALUES (:key, :digest, :batch_id, :run_ids, :created_at)

-- insert_submit_events --
INSERT INTO events (at, kind, run_id, batch_id)
SELECT created_at, 'run_submitted', run_id, batch_id FROM runs WHERE seq BETWEEN :first AND :last ORDER BY seq

-- insert_event --
INSERT INTO events (at, kind, run_id, batch_id, data) VALUES (?, ?, ?, ?, ?)

-- delete_progress_event --
DELETE FROM events WHERE seq = ? AND run_id = ? AND kind = 'run_progressed'

-- add_count --
INSERT INTO run_counts (batch_id, module_id, block, status, count) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (batch_id, module_id, block, status) DO UPDATE SET count = run_counts.count + excluded.count

-- drop_empty_count --
DELETE FROM run_counts WHERE batch_id = ? AND module_id = ? AND block = ? AND status = ? AND count = 0

-- ## The life of a run

-- run_to_change --
SELECT seq, status, module_id, batch_id, attempt, queued_at FROM runs WHERE run_id = ?

-- put_attempt --
INSERT INTO attempts (run_id, attempt, nonce, node, boot_id, gpu_indexes, claimed_at, origin_id)
VALUES (:run_id, :attempt, :nonce, :node, :boot_id, :gpu_indexes, :at, :origin_id)
ON CONFLICT (run_id, attempt) DO UPDATE SET
    nonce = excluded.nonce, node = excluded.node, boot_id = excluded.boot_id,
    gpu_indexes = excluded.gpu_indexes, claimed_at = excluded.claimed_at, origin_id = excluded.origin_id
WHERE attempts.started_at IS NULL AND attempts.ended_at IS NULL AND attempts.nonce <> excluded.nonce

-- put_origin --
INSERT INTO origins (origin_id, value) VALUES (:origin_id, :value) ON CONFLICT (origin_id) DO NOTHING

-- note_origin --
UPDATE attempts SET origin_id = :origin_id
WHERE run_id = :run_id AND attempt = :attempt AND origin_id IS NOT :origin_id

-- claim_run --
UPDATE runs SET attempt = :attempt, node = :node, gpu_ids = :gpu_indexes WHERE seq = :seq

-- start_attempt --
UPDATE attempts SET started_at = :at, pid = :pid
WHERE run_id = :run_id AND attempt = :attempt AND started_at IS NULL AND ended_at IS NULL

-- start_run --
UPDATE runs SET status = 'running', started_at = :at, pid = :pid, enforcement = :enforcement WHERE seq = :seq

-- start_batch --
UPDATE batches SET first_started_at = :at WHERE batch_id = :batch_id AND first_started_at IS NULL

-- end_attempt --
UPDATE attempts SET
    pid = coalesce(pid, :pid), started_at = coalesce(started_at, :started_at), ended_at = :ended_at, exit_code = :exit_code,
    signal = :signal, reason = :reason, reason_detail = :reason_detail, ended_by = :ended_by,
    peak_memory = :peak_memory, peak_gpu_memory = :peak_gpu_memory, cpu_seconds = :cpu_seconds,
    log_bytes = :log_bytes
WHERE run_id = :run_id AND attempt = :attempt AND ended_at IS NULL

-- end_run --
UPDATE runs SET
    pid = coalesce(:pid, pid), enforcement = coalesce(:enforcement, enforcement),
    status = :status, started_at = coalesce(started_at, :started_at), ended_at = :ended_at,
    duration = max(0, :ended_at - coalesce(started_at, :started_at)), exit_code = :exit_code, signal = :signal,
    reason = :reason, reason_detail = :reason_detail, ended_by = :ended_by, peak_memory = :peak_memory,
    peak_gpu_memory = :peak_gpu_memory, cpu_seconds = :cpu_seconds, log_bytes = :log_bytes, progress = coalesce(:progress, progress),
    message = coalesce(:message, message), result = :result, stalled_since = NULL, suspended_at = NULL
WHERE seq = :seq

-- end_batch --
UPDATE batches SET
    first_started_at = coalesce(first_started_at, :started_at), last_ended_at = max(coalesce(last_ended_at, 0), :at)
WHERE batch_id = :batch_id

-- requeue_run --
UPDATE runs SET
    status = 'queued', attempt = :attempt, queued_at = :at, started_at = NULL, node = NULL, pid = NULL,
    gpu_ids = NULL, enforcement = NULL, progress = NULL, message = NULL, warning = NULL, stalled_since = NULL,
    suspended_at = NULL
WHERE seq = :seq

-- suspend_run --
UPDATE runs SET suspended_at = :at
WHERE seq = :seq AND attempt = :attempt AND status = 'running' AND suspended_at IS NULL

-- resume_run --
UPDATE runs SET suspended_at = NULL WHERE seq = :seq AND attempt = :attempt AND suspended_at IS NOT NULL

-- enlarge_run --
UPDATE runs SET memory_bytes = :memory_bytes, gpu_memory_bytes = :gpu_memory_bytes,
    memory_retries = memory_retries + 1
WHERE seq = :seq

-- delay_run --
UPDATE runs SET terms = json_set(coalesce(terms, '{}'), '$.not_before', :not_before) WHERE seq = :seq

-- hold_run --
UPDATE runs SET terms = json_set(coalesce(terms, '{}'), '$.is_held', json('true'))
WHERE seq = :seq AND status = 'queued' AND coalesce(json_extract(terms, '$.is_held'), 0) = 0

-- release_run --
UPDATE runs SET terms = nullif(json_remove(terms, '$.is_held'), '{}')
WHERE seq = :seq AND status = 'queued' AND json_extract(terms, '$.is_held')

-- edit_run --
UPDATE runs SET priority = :priority WHERE seq = :seq AND priority <> :priority

-- edit_batch --
UPDATE batches SET max_concurrent = :max_concurrent
WHERE batch_id = :batch_id AND max_concurrent IS NOT :max_concurrent

-- withdraw_attempt --
DELETE FROM attempts WHERE run_id = :run_id AND attempt = :attempt AND started_at IS NULL AND ended_at IS NULL

-- withdraw_attempts --
DELETE FROM attempts WHERE run_id = :run_id AND started_at IS NULL AND ended_at IS NULL

-- request_cancel --
UPDATE runs SET cancel_requested_at = :at, cancel_reason = :reason, cancel_detail = :detail
WHERE seq = :seq AND cancel_requested_at IS NULL

-- report_progress --
UPDATE runs SET progress = coalesce(:progress, progress), message = coalesce(:message, message)
WHERE seq = :seq

-- warn_run --
UPDATE runs SET warning = :words WHERE seq = :seq AND warning IS NOT :words

-- stall_run --
UPDATE runs SET stalled_since = :since WHERE seq = :seq AND (stalled_since IS NULL) <> (CAST(:since AS BIGINT) IS NULL)

-- correct_enforcement --
UPDATE runs SET enforcement = json_patch(coalesce(enforcement, '{}'), :enforcement) WHERE seq = :seq

-- close_batch --
UPDATE batches SET is_open = 0, closed_at = :at WHERE batch_id = :batch_id AND is_open = 1

-- note_run_notice --
UPDATE runs SET notice = :words WHERE run_id = :run_id

-- note_batch_notice --
UPDATE batches SET notice = :words WHERE batch_id = :batch_id

-- cancel_batch --
UPDATE batches SET cancelled_at = :at WHERE batch_id = :batch_id AND cancelled_at IS NULL

-- put_module --
INSERT INTO modules (module_id, definition, updated_at) VALUES (:module_id, :definition, :at)
ON CONFLICT (module_id) DO UPDATE SET definition = excluded.definition, updated_at = excluded.updated_at

-- delete_module --
DELETE FROM modules WHERE module_id = :module_id

-- ## Prune

-- prune_labels --
DELETE FROM run_labels WHERE seq = :seq

-- prune_spec --
DELETE FROM run_specs WHERE seq = :seq

-- prune_attempts --
DELETE FROM attempts WHERE run_id = :run_id

-- prune_run --
DELETE FROM runs WHERE seq = :seq

-- count_forgetting --
UPDATE meta SET value = value + 1 WHERE key = 'forgotten'

-- note_forgotten --
INSERT INTO forgotten (number, seq) SELECT value, :seq FROM meta WHERE key = 'forgotten'

-- prune_forgotten --
DELETE FROM forgotten WHERE number <= (SELECT value FROM meta WHERE key = 'forgotten') - :kept

-- prune_events --
DELETE FROM events WHERE at < :before

-- prune_idempotency --
DELETE FROM idempotency WHERE created_at < :before

-- prune_batches --
DELETE FROM batches WHERE created_at < :before AND is_open = 0
AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.batch_id = batches.batch_id)

-- prune_module_names --
DELETE FROM module_names WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.module_id = module_names.module_id)

-- ## The state a manager starts from

-- scheduling_columns --
runs.run_id, runs.module_id, runs.batch_id, runs.cpu_milli, runs.gpu_milli, runs.memory_bytes,
runs.gpu_memory_bytes, runs.wanted_node, runs.priority, runs.after_runs, runs.terms,
runs.created_at, runs.attempt, runs.max_concurrent

-- queued_runs --
SELECT {scheduling_columns} FROM runs
WHERE status = 'queued'
AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.run_id = runs.run_id AND attempts.ended_at IS NULL)
ORDER BY seq

-- active_attempts --
SELECT {scheduling_columns}, attempts.attempt, attempts.nonce, attempts.node, attempts.gpu_indexes,
    attempts.boot_id, attempts.claimed_at, attempts.started_at, attempts.pid, runs.cancel_reason,
    runs.cancel_detail
FROM attempts INDEXED BY attempts_active JOIN runs ON runs.run_id = attempts.run_id
WHERE attempts.ended_at IS NULL ORDER BY runs.seq

-- open_batches --
SELECT batch_id, name, max_concurrent, max_failures, is_open,
    (SELECT coalesce(sum(count), 0) FROM run_counts
     WHERE run_counts.batch_id = batches.batch_id AND module_id = '' AND status = 'failed'),
    (SELECT coalesce(max(batch_index) + 1, 0) FROM runs WHERE runs.batch_id = batches.batch_id AND is_open = 1)
FROM batches WHERE is_open = 1 OR batch_id IN (SELECT value FROM json_each(?))

-- batch_ends --
SELECT batch_id,
    is_open = 0 AND NOT EXISTS (
        SELECT 1 FROM runs WHERE runs.batch_id = batches.batch_id AND status IN ('queued', 'running')),
    NOT EXISTS (
        SELECT 1 FROM runs WHERE runs.batch_id = batches.batch_id AND status IN ('failed', 'cancelled')
        AND NOT EXISTS (
            SELECT 1 FROM runs AS later
            WHERE later.restarted_from = runs.run_id AND later.batch_id = batches.batch_id))
FROM batches WHERE batch_id IN (SELECT value FROM json_each(?))

-- seqs_of_ids --
SELECT seq FROM runs WHERE run_id IN (SELECT value FROM json_each(?))

-- statuses --
SELECT run_id, status FROM runs WHERE run_id IN (SELECT value FROM json_each(?))

-- lost_on --
SELECT run_id, attempt, nonce FROM attempts WHERE node = ? AND reason = 'node_lost'

-- codes --
SELECT DISTINCT code FROM run_specs WHERE code IS NOT NULL

-- ## Reading one thing

-- run_columns --
runs.*, run_specs.command, run_specs.cwd, run_specs.env, run_specs.labels, run_specs.timeout_seconds, run_specs.args_from,
run_specs.request_note, run_specs.stall_seconds AS stall_after_seconds, run_specs.on_stall, run_specs.preload,
run_specs.code AS code_digest, run_specs.code_root

-- runs_by_id --
SELECT {run_columns} FROM runs JOIN run_specs ON run_specs.seq = runs.seq
WHERE runs.run_id IN (SELECT value FROM json_each(?))

-- runs_by_seq --
SELECT {run_columns} FROM runs JOIN run_specs ON run_specs.seq = runs.seq
WHERE runs.seq IN (SELECT value FROM json_each(?))

-- failed_runs --
SELECT {run_columns} FROM runs JOIN run_specs ON run_specs.seq = runs.seq
WHERE runs.batch_id = ? AND runs.status = 'failed'
AND NOT EXISTS (SELECT 1 FROM runs AS later WHERE later.restarted_from = runs.run_id)
ORDER BY runs.seq

-- ids_from --
SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT 2

-- newest_id --
SELECT run_id FROM runs ORDER BY seq DESC LIMIT 1

-- batch_run_ids --
SELECT run_id FROM runs WHERE batch_id = ? ORDER BY seq

-- batch_squares --
SELECT run_id, module_name, status FROM runs WHERE batch_id = ? ORDER BY seq

-- batch_failures --
SELECT run_id, attempt, reason, reason_detail FROM runs WHERE batch_id = ? AND status = 'failed' ORDER BY seq

-- attempts_of_run --
SELECT attempts.*, origins.value AS origin FROM attempts
LEFT JOIN origins ON origins.origin_id = attempts.origin_id WHERE run_id = ? ORDER BY attempt

-- newest_origins --
SELECT attempts.run_id, origins.value FROM attempts JOIN origins ON origins.origin_id = attempts.origin_id
WHERE attempts.run_id IN (SELECT value FROM json_each(?)) ORDER BY attempts.attempt

-- batch --
SELECT * FROM batches WHERE batch_id = ?

-- batch_telling --
SELECT telling FROM batches WHERE batch_id = ?

-- find_batch --
SELECT batch_id, is_open FROM batches WHERE batch_id = :name OR name = :name ORDER BY batch_id = :name DESC, seq DESC LIMIT 1

-- batch_indexes --
SELECT run_id, batch_index FROM runs WHERE batch_id = ? AND batch_index IS NOT NULL ORDER BY seq

-- batches_page --
SELECT * FROM batches ORDER BY seq DESC LIMIT ? OFFSET ?

-- batches_total --
SELECT count(*) FROM batches

-- batch_counts --
SELECT batch_id, status, sum(count) FROM run_counts
WHERE batch_id IN (SELECT value FROM json_each(?)) AND module_id = '' GROUP BY batch_id, status

-- modules --
SELECT module_id, definition, updated_at FROM modules ORDER BY module_id

-- idempotent_answer --
SELECT digest, run_ids, batch_id FROM idempotency WHERE key = ?

-- events_after --
SELECT seq, at, kind, run_id, batch_id, data FROM events WHERE seq > ? ORDER BY seq LIMIT ?

-- ended_before --
SELECT run_id FROM runs WHERE ended_at < ? ORDER BY ended_at LIMIT ?

-- ## Numbers

-- module_counts --
SELECT module_id, status, sum(count) FROM run_counts WHERE batch_id = '' GROUP BY module_id, status

-- past_runs --
SELECT seq, cpu_milli, gpu_milli, memory_bytes, gpu_memory_bytes, reason, peak_memory, peak_gpu_memory, cpu_seconds,
    duration, memory_retries
FROM runs INDEXED BY runs_by_module WHERE module_id = ? AND status = ? ORDER BY seq DESC LIMIT ?

-- modules_of_batch --
SELECT DISTINCT module_id FROM run_counts WHERE batch_id = ? AND module_id <> '' LIMIT ?

-- ended_since --
SELECT count(*) FROM (SELECT 1 FROM runs WHERE ended_at >= ? LIMIT 100000) AS lately

-- ended_between --
SELECT json_extract(data, '$.status'), count(*) FROM events
WHERE seq > ? AND seq <= ? AND kind = 'run_ended' GROUP BY 1

-- recent_waits --
SELECT max(0, started_at - queued_at) FROM runs WHERE started_at IS NOT NULL ORDER BY started_at DESC LIMIT 1000

-- ## A page of history

-- block_counts --
SELECT block, sum(count) FROM run_counts
WHERE batch_id = :batch_id AND module_id = :module_id
AND status IN (SELECT value FROM json_each(:statuses)) AND block BETWEEN :first AND :last
GROUP BY block ORDER BY block

-- first_since --
SELECT seq FROM runs WHERE created_at >= ? ORDER BY created_at, seq LIMIT 1

-- last_until --
SELECT seq FROM runs WHERE created_at < ? ORDER BY created_at DESC, seq DESC LIMIT 1

-- seqs_of_status --
SELECT seq FROM runs INDEXED BY runs_by_status
WHERE status = :status AND seq BETWEEN :first AND :last ORDER BY seq

-- seqs_of_status_desc --
{seqs_of_status} DESC

-- seqs_of_module --
SELECT seq FROM runs INDEXED BY runs_by_module
WHERE module_id = :module_id AND status = :status AND seq BETWEEN :first AND :last ORDER BY seq

-- seqs_of_module_desc --
{seqs_of_module} DESC

-- seqs_of_batch --
SELECT seq FROM runs INDEXED BY runs_by_batch
WHERE batch_id = :batch_id AND status = :status AND seq BETWEEN :first AND :last
AND (CAST(:module_id AS TEXT) IS NULL OR module_id = :module_id) ORDER BY seq

-- seqs_of_batch_desc --
{seqs_of_batch} DESC

-- ## The index in memory

-- last_numbers --
SELECT ({last_run}), ({last_event}), coalesce((SELECT value FROM meta WHERE key = 'forgotten'), 0)

-- first_run --
SELECT coalesce((SELECT min(seq) FROM runs), ({last_run}) + 1)

-- changed_runs --
SELECT seq - :base, status, exit_code, started_at, ended_at, duration FROM runs WHERE run_id IN (
    SELECT run_id FROM events WHERE seq > :after AND kind IN ('run_started', 'run_ended', 'run_requeued'))

-- forgotten_runs --
SELECT number, seq FROM forgotten WHERE number > :after

-- order_by_started_at --
SELECT seq - :base, started_at FROM runs INDEXED BY runs_by_started_at
WHERE started_at IS NOT NULL ORDER BY started_at, seq

-- order_by_ended_at --
SELECT seq - :base, ended_at FROM runs INDEXED BY runs_by_ended_at
WHERE ended_at IS NOT NULL ORDER BY ended_at, seq

-- order_by_duration --
SELECT seq - :base, duration FROM runs INDEXED BY runs_by_duration
WHERE duration IS NOT NULL ORDER BY duration, seq

-- places_of_exit_codes --
SELECT seq - :base, exit_code FROM runs INDEXED BY runs_by_exit_code
WHERE exit_code IS NOT NULL AND status <> 'completed' ORDER BY seq

-- places_of_status --
SELECT seq - :base FROM runs INDEXED BY runs_by_status WHERE status = :status AND seq > :after

-- any_status --
('queued', 'running', 'completed', 'failed', 'cancelled')

-- places_of_module --
SELECT seq - :base FROM runs INDEXED BY runs_by_module
WHERE module_id = :first AND status IN {any_status} AND seq > :after

-- places_of_name --
SELECT seq - :base FROM runs INDEXED BY runs_by_module
WHERE module_id = :first AND status IN {any_status} AND seq > :after AND module_name = :second

-- places_of_batch --
SELECT seq - :base FROM runs INDEXED BY runs_by_batch
WHERE batch_id = :first AND status IN {any_status} AND seq > :after

-- places_of_label --
SELECT seq - :base FROM run_labels WHERE key = :first AND value = :second AND seq > :after

-- places_of_label_key --
SELECT seq - :base FROM run_labels INDEXED BY run_labels_by_key WHERE key = :first AND seq > :after

-- places_of_id --
SELECT seq - :base FROM runs WHERE run_id >= :first AND run_id < :second AND seq > :after

-- heavy_attributes --
SELECT name, first, second FROM (
    SELECT 'places_of_module' AS name, module_id AS first, NULL AS second, count(*) AS runs
    FROM runs INDEXED BY runs_by_module GROUP BY module_id
    UNION ALL
    SELECT 'places_of_batch', batch_id, NULL, count(*)
    FROM runs INDEXED BY runs_by_batch WHERE batch_id IS NOT NULL GROUP BY batch_id
    UNION ALL
    SELECT 'places_of_label_key', key, NULL, count(*) FROM run_labels INDEXED BY run_labels_by_key GROUP BY key
    UNION ALL
    SELECT 'places_of_label', key, value, count(*) FROM run_labels GROUP BY key, value
) AS found WHERE runs >= :heavy ORDER BY runs DESC LIMIT :limit

-- names_like --
SELECT DISTINCT module_id, CASE WHEN module_id NOT LIKE :text ESCAPE '\' AND EXISTS (
    SELECT 1 FROM module_names AS other
    WHERE other.module_id = found.module_id AND other.module_name NOT LIKE :text ESCAPE '\'
) THEN module_name END
FROM (SELECT * FROM module_names ORDER BY id DESC LIMIT :limit) AS found
WHERE module_id LIKE :text ESCAPE '\' OR module_name LIKE :text ESCAPE '\'

-- seqs_of_modules --
SELECT seq FROM runs INDEXED BY runs_by_module WHERE module_id IN (SELECT value FROM json_each(?))

-- seqs_with_message_like --
SELECT seq FROM (
    SELECT seq, message FROM runs INDEXED BY runs_with_message
    WHERE message IS NOT NULL ORDER BY seq DESC LIMIT :limit) AS newest
WHERE message LIKE :text ESCAPE '\'

-- outer_ids --
SELECT (SELECT min(run_id) FROM runs), (SELECT max(run_id) FROM runs)
