SELECT time, sleep_score AS "Sleep"
FROM days
WHERE $__timeFilter(time)
ORDER BY time