WITH
  buckets AS (
    SELECT *
    FROM heartrate_1h
    WHERE
      $__interval_ms >= 3600000
      AND $__timeFilter(time)
    UNION ALL
    SELECT *
    FROM heartrate_5m
    WHERE
      $__interval_ms < 3600000
      AND $__timeFilter(time)
  )
SELECT
  $__timeGroup(time, $__interval) AS time,
  CASE source
    WHEN 'workout' THEN 'Workout'
    WHEN 'sleep' THEN 'Sleep'
    WHEN 'rest' THEN 'Rest'
    ELSE 'Awake'
  END AS source,
  sum(sum) / sum(count) AS "Value"
FROM buckets
GROUP BY 1, 2
ORDER BY 1
