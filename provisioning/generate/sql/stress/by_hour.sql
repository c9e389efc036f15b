SELECT
  local_midnight(wall_day(time)) AS time,
  format('%02d', wall_hour(time)) AS hour,
  sum(sum) / sum(count) AS "Value"
FROM heartrate_1h
WHERE
  source IN ('awake', 'rest')
  AND $__timeFilter(time)
GROUP BY 1, 2
ORDER BY 1, 2
