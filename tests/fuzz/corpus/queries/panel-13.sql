SELECT time, sleep_score AS "Sleep", readiness_score AS "Readiness", activity_score AS "Activity"
FROM days
WHERE $__timeFilter(time)
ORDER BY time