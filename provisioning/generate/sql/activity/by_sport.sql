SELECT
  local_midnight($__dayGroup(day, '$every')) AS time,
  replace(activity, '_', ' ') AS activity,
  sum(end_datetime - start_datetime) / 3600.0 AS "Value"
FROM workout
WHERE $__timeFilter(time)
GROUP BY 1, 2
ORDER BY 1
