SELECT time, high_activity_time / 3600.0 AS "High", medium_activity_time / 3600.0 AS "Medium", low_activity_time / 3600.0 AS "Low"
FROM days
WHERE $__timeFilter(time)
ORDER BY time