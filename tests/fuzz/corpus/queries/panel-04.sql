SELECT start_datetime AS time, end_datetime AS timeEnd, activity AS text
FROM workout
WHERE $__timeFilter(start_datetime)
ORDER BY 1