SELECT
  resource AS "Collection",
  count(*) AS "Windows",
  min(from_day) AS "From",
  max(to_day) AS "Until",
  max(attempts) AS "Attempts",
  max(error) AS "Last error"
FROM sync_windows
WHERE done_at IS NULL
GROUP BY 1
