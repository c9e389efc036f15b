SELECT
  local_midnight(sleep_time.day) AS time,
  optimal_bedtime_start_offset / 3600.0 AS "From",
  optimal_bedtime_end_offset / 3600.0 AS "Until",
  sleep_times.bedtime / 3600.0 AS "To bed"
FROM
  sleep_time
  LEFT JOIN sleep_times ON sleep_times.day = date(sleep_time.day, '+1 day')
WHERE
  $__dayFilter(sleep_time.day)
  AND optimal_bedtime_start_offset IS NOT NULL
ORDER BY 1
