SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  sum(high_activity_time) / 3600.0 AS "High",
  sum(medium_activity_time) / 3600.0 AS "Medium",
  sum(low_activity_time) / 3600.0 AS "Low"
FROM days
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
