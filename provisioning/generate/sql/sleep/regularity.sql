SELECT time, seven AS "7 nights", month AS "28 nights"
FROM sleep_regularity
WHERE $__timeFilter(time)
ORDER BY time
