SELECT activity, sum(end_datetime - start_datetime) / 3600.0 AS "Hours"
FROM workout
WHERE $__timeFilter(time)
GROUP BY activity
ORDER BY 2 DESC
LIMIT 8