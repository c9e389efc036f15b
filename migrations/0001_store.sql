-- Raw documents are the source: the typed tables, the samples and the calendar derive from them and
-- from the catalogue.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE oura_raw_documents (
    document      INTEGER PRIMARY KEY,
    resource      TEXT NOT NULL,
    document_id   TEXT NOT NULL,
    day           DATE,
    start_at      TIMESTAMP,
    end_at        TIMESTAMP,
    utc_offset    INTEGER,
    payload       JSON NOT NULL,               -- as received, byte for byte
    hash          BLOB NOT NULL,               -- SHA-256 with sorted keys
    revision      INTEGER NOT NULL,            -- 1 when first seen
    first_seen_at TIMESTAMP NOT NULL,
    changed_at    TIMESTAMP NOT NULL,
    last_seen_at  TIMESTAMP NOT NULL,
    deleted_at    TIMESTAMP,                   -- missing from a complete response
    UNIQUE (resource, document_id)
);
CREATE INDEX oura_raw_documents_by_day ON oura_raw_documents (resource, day, deleted_at);

CREATE TABLE series (
    series      INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    unit        TEXT,
    description TEXT NOT NULL DEFAULT ''
);

CREATE TABLE samples_data (
    series   INTEGER NOT NULL,
    time     TIMESTAMP NOT NULL,
    document INTEGER NOT NULL,
    value    REAL NOT NULL,
    PRIMARY KEY (series, time, document)
) WITHOUT ROWID;

-- Local midnight of every day from the first document to the last window.
CREATE TABLE calendar (
    day  DATE PRIMARY KEY,
    time TIMESTAMP NOT NULL
) WITHOUT ROWID;

CREATE TABLE coverage_data (
    resource   TEXT NOT NULL,
    day        DATE NOT NULL,
    documents  INTEGER NOT NULL,
    partial    BOOLEAN NOT NULL,               -- fetched while the day could still change
    fetched_at TIMESTAMP NOT NULL,
    PRIMARY KEY (resource, day)
) WITHOUT ROWID;

CREATE TABLE collections (
    name      TEXT PRIMARY KEY,
    state     TEXT NOT NULL DEFAULT 'waiting',
    reason    TEXT,
    last_sync TIMESTAMP,
    documents INTEGER NOT NULL DEFAULT 0,
    first_day DATE,
    last_day  DATE
) WITHOUT ROWID;

CREATE TABLE sync_runs (
    run          INTEGER PRIMARY KEY,
    started_at   TIMESTAMP NOT NULL,
    ended_at     TIMESTAMP,
    trigger      TEXT NOT NULL,                -- schedule, manual, login, backfill, health
    state        TEXT NOT NULL,                -- running, done, failed, interrupted
    windows      INTEGER NOT NULL DEFAULT 0,
    windows_done INTEGER NOT NULL DEFAULT 0,
    requests     INTEGER NOT NULL DEFAULT 0,
    documents    INTEGER NOT NULL DEFAULT 0,
    changed      INTEGER NOT NULL DEFAULT 0,
    message      TEXT
);

CREATE TABLE sync_windows (
    window    INTEGER PRIMARY KEY,
    resource  TEXT NOT NULL,
    from_day  DATE NOT NULL,                   -- both included
    to_day    DATE NOT NULL,
    reason    TEXT NOT NULL,                   -- trailing, backfill, history
    attempts  INTEGER NOT NULL DEFAULT 0,
    error     TEXT,
    queued_at TIMESTAMP NOT NULL,
    done_at   TIMESTAMP
);
CREATE UNIQUE INDEX sync_windows_waiting ON sync_windows (resource, from_day, to_day)
    WHERE done_at IS NULL;
CREATE INDEX sync_windows_done ON sync_windows (done_at) WHERE done_at IS NOT NULL;
