SELECT
  started_at * 1000 AS "Started",
  TRIGGER AS "Why",
  state AS "State",
  ended_at - started_at AS "Took",
  requests AS "Requests",
  documents AS "Documents",
  changed AS "Changed",
  message AS "Message"
FROM sync_runs
WHERE $__timeFilter(started_at)
ORDER BY run DESC
LIMIT
  200
