SELECT time, activity_score AS "Activity"
FROM days
WHERE $__timeFilter(time)
ORDER BY time