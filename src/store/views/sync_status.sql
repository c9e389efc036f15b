CREATE VIEW sync_status AS
SELECT (SELECT max(last_sync) FROM collections) AS last_sync,
       CAST(strftime('%s', 'now') AS INTEGER) - (SELECT max(last_sync) FROM collections)
           AS age_seconds,
       run.run IS NOT NULL AS running,
       run.documents AS documents,
       100.0 * run.windows_done / max(run.windows, run.windows_done, 1) AS percent,
       CASE WHEN run.windows_done > 0
            THEN (CAST(strftime('%s', 'now') AS INTEGER) - run.started_at)
                 * max(run.windows - run.windows_done, 0) / run.windows_done
            END AS seconds_left,
       (SELECT count(*) FROM collections WHERE state = 'ok') AS collections_ok,
       (SELECT count(*) FROM collections WHERE state NOT IN ('ok', 'waiting', 'removed'))
           AS collections_failing,
       coalesce((SELECT state FROM connection_data), 'not_connected') AS connection,
       (SELECT database_bytes FROM connection_data) AS database_bytes
FROM (SELECT 1)
LEFT JOIN (SELECT * FROM sync_runs WHERE state = 'running' ORDER BY run DESC LIMIT 1) AS run
