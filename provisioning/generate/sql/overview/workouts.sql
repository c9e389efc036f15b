WITH
  shown AS (
    SELECT *
    FROM workout
    WHERE $__timeFilter(time)
    ORDER BY time DESC
    LIMIT 20
  )
SELECT time AS "Start", replace(activity, '_', ' ') AS "Activity", end_datetime - time AS "Duration",
  intensity AS "Intensity", calories AS "Energy", distance AS "Distance"
FROM shown
UNION ALL
SELECT NULL, 'No workout', NULL, NULL, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1 DESC
