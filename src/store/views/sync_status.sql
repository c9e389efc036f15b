CREATE VIEW sync_status AS
SELECT (SELECT max(last_sync) FROM collections) AS last_sync,
       CAST(strftime('%s', 'now') AS INTEGER) - (SELECT max(last_sync) FROM collections) AS age_seconds,
       EXISTS (SELECT 1 FROM sync_runs WHERE state = 'running') AS running,
       (SELECT count(*) FROM collections WHERE state = 'ok') AS collections_ok,
       (SELECT count(*) FROM collections WHERE state NOT IN ('ok', 'waiting')) AS collections_failing
