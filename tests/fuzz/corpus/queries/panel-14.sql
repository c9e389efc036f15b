SELECT time, steps AS "Steps"
FROM days
WHERE $__timeFilter(time)
ORDER BY time