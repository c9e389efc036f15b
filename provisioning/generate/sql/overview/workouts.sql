SELECT time AS "Start", replace(activity, '_', ' ') AS "Activity", end_datetime - time AS "Duration",
  intensity AS "Intensity", calories AS "Energy", distance AS "Distance"
FROM workout
WHERE $__timeFilter(time)
ORDER BY time DESC
LIMIT 20
