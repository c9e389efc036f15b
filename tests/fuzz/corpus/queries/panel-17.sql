SELECT time, total_sleep_duration / 3600.0 AS "Time asleep"
FROM nights
WHERE $__timeFilter(time)
ORDER BY time