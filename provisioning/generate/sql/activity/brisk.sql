SELECT
  local_midnight($__dayGroup(day, 'week')) AS time,
  sum(medium_activity_time + 2 * high_activity_time) / 60.0 AS "Minutes"
FROM days
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
