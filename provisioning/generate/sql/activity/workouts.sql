SELECT
  time AS "Start",
  replace(activity, '_', ' ') AS "Sport",
  intensity AS "Intensity",
  minutes * 60 AS "Duration",
  distance AS "Distance",
  calories AS "Energy",
  average AS "Mean heart rate",
  highest AS "Highest",
  trimp AS "Load"
FROM workout_load
WHERE $__timeFilter(time)
ORDER BY time DESC
LIMIT
  300
