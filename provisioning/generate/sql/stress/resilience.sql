SELECT time, resilience_level AS "Resilience"
FROM days
WHERE
  $__timeFilter(time)
  AND resilience_level IS NOT NULL
ORDER BY time
