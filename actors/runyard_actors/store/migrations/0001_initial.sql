-- Times are microseconds since the epoch, UTC; sizes bytes; *_milli thousandths. Lists and maps are JSON texts.

CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- What changes while a run lives, narrow: every change of status rewrites the row. `seq` is the submit order.
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    module_id TEXT NOT NULL,
    module_name TEXT NOT NULL,
    batch_id TEXT,
    batch_index INTEGER,
    status TEXT NOT NULL,
    reason TEXT,
    reason_detail TEXT,
    cpu_milli INTEGER NOT NULL,
    gpu_milli INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    gpu_memory_bytes INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    max_retries INTEGER NOT NULL,
    retry_on_out_of_memory REAL,
    memory_retries INTEGER NOT NULL DEFAULT 0,
    max_concurrent INTEGER,
    after_runs TEXT,
    restarted_from TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    node TEXT,
    pid INTEGER,
    gpu_ids TEXT,
    enforcement TEXT,
    created_at INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    duration INTEGER,
    exit_code INTEGER,
    signal INTEGER,
    ended_by TEXT,
    peak_memory INTEGER,
    peak_gpu_memory INTEGER,
    cpu_seconds REAL,
    log_bytes INTEGER,
    progress REAL,
    message TEXT,
    result TEXT,
    cancel_requested_at INTEGER,
    cancel_reason TEXT,
    cancel_detail TEXT
);
CREATE INDEX runs_by_status ON runs (status, seq);
CREATE INDEX runs_by_module ON runs (module_id, status, seq);
CREATE INDEX runs_by_batch ON runs (batch_id, status, seq, module_id) WHERE batch_id IS NOT NULL;
CREATE INDEX runs_by_created_at ON runs (created_at);
CREATE INDEX runs_by_started_at ON runs (started_at);
CREATE INDEX runs_by_ended_at ON runs (ended_at);
CREATE INDEX runs_by_duration ON runs (duration);
CREATE INDEX runs_by_origin ON runs (restarted_from) WHERE restarted_from IS NOT NULL;
CREATE INDEX runs_with_message ON runs (seq, message) WHERE message IS NOT NULL;

-- What never changes and is read only when a run is shown or started.
CREATE TABLE run_specs (
    seq INTEGER PRIMARY KEY,
    command TEXT NOT NULL,
    cwd TEXT NOT NULL,
    env TEXT NOT NULL,
    labels TEXT NOT NULL,
    timeout_seconds REAL NOT NULL,
    args_from INTEGER NOT NULL
);

CREATE TABLE run_labels (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (key, value, seq)
) WITHOUT ROWID;
CREATE INDEX run_labels_by_key ON run_labels (key, seq);
CREATE INDEX run_labels_by_run ON run_labels (seq);

-- How many runs of each status lie in each block of 1024 seqs; '' stands for any batch, any module.
-- Sums of it are the totals of history, and say at which block a page deep down begins.
CREATE TABLE run_counts (
    batch_id TEXT NOT NULL,
    module_id TEXT NOT NULL,
    block INTEGER NOT NULL,
    status TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (batch_id, module_id, block, status)
) WITHOUT ROWID;

-- Every pair of id and name that runs had, for searching.
CREATE TABLE module_names (
    id INTEGER PRIMARY KEY,
    module_id TEXT NOT NULL,
    module_name TEXT NOT NULL,
    UNIQUE (module_id, module_name)
);

-- An attempt without `ended_at` is active: whoever starts up has to adopt it.
CREATE TABLE attempts (
    run_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    node TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    gpu_indexes TEXT NOT NULL,
    claimed_at INTEGER NOT NULL,
    started_at INTEGER,
    pid INTEGER,
    ended_at INTEGER,
    exit_code INTEGER,
    signal INTEGER,
    reason TEXT,
    reason_detail TEXT,
    ended_by TEXT,
    peak_memory INTEGER,
    cpu_seconds REAL,
    log_bytes INTEGER,
    PRIMARY KEY (run_id, attempt)
) WITHOUT ROWID;
CREATE INDEX attempts_active ON attempts (run_id) WHERE ended_at IS NULL;

CREATE TABLE batches (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id TEXT NOT NULL UNIQUE,
    name TEXT,
    max_concurrent INTEGER,
    max_failures INTEGER,
    created_at INTEGER NOT NULL,
    cancelled_at INTEGER,
    first_started_at INTEGER,
    last_ended_at INTEGER
);
CREATE INDEX batches_by_created_at ON batches (created_at);

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    batch_id TEXT,
    run_ids TEXT NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idempotency_by_created_at ON idempotency (created_at);

CREATE TABLE modules (
    module_id TEXT PRIMARY KEY,
    definition TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    run_id TEXT,
    batch_id TEXT,
    data TEXT
);
CREATE INDEX events_by_at ON events (at);

INSERT INTO meta (key, value) VALUES ('epoch', 0), ('probed_at', 0), ('checked_at', 0);
