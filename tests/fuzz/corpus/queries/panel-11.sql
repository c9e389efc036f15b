SELECT time, readiness_score AS "Readiness"
FROM days
WHERE $__timeFilter(time)
ORDER BY time