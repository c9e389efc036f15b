SELECT time, bedtime / 3600.0 AS "To bed", midpoint / 3600.0 AS "Middle", wake / 3600.0 AS "Up"
FROM sleep_times
WHERE $__timeFilter(time)
ORDER BY time
