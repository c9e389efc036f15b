WITH RECURSIVE
  hours(hour) AS (
    SELECT 0 UNION ALL SELECT hour + 1 FROM hours WHERE hour < 23
  ),
  known AS (
    SELECT local_midnight(wall_day(time)), format('%02d', wall_hour(time)), sum(sum) / sum(count)
    FROM heartrate_1h
    WHERE source IN ('awake', 'rest')
      AND $__timeFilter(time)
    GROUP BY 1, 2
  )
-- A row without data keeps the hour in the chart.
SELECT local_midnight(local_day($__timeTo())) AS time, format('%02d', hour) AS hour, NULL AS "Value"
FROM hours
WHERE EXISTS (SELECT 1 FROM known)
UNION ALL
SELECT * FROM known
ORDER BY 1, 2
