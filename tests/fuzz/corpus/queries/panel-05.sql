SELECT time AS "Start", activity AS "Activity", intensity AS "Intensity", end_datetime - start_datetime AS "Duration",
       distance AS "Distance", calories AS "Calories", source AS "Source"
FROM workout
WHERE $__timeFilter(time)
ORDER BY time DESC