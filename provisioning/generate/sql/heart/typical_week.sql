WITH
  hours AS (
    SELECT wall_hour(time) AS hour, strftime('%w', wall_day(time)) AS weekday, sum, count
    FROM heartrate_1h
    WHERE
      $__timeFilter(time)
      AND source <> 'workout'
  )
SELECT
  hour AS "Hour",
  sum(iif(weekday = '0', sum, NULL)) / sum(iif(weekday = '0', count, NULL)) AS "Sun",
  sum(iif(weekday = '6', sum, NULL)) / sum(iif(weekday = '6', count, NULL)) AS "Sat",
  sum(iif(weekday = '5', sum, NULL)) / sum(iif(weekday = '5', count, NULL)) AS "Fri",
  sum(iif(weekday = '4', sum, NULL)) / sum(iif(weekday = '4', count, NULL)) AS "Thu",
  sum(iif(weekday = '3', sum, NULL)) / sum(iif(weekday = '3', count, NULL)) AS "Wed",
  sum(iif(weekday = '2', sum, NULL)) / sum(iif(weekday = '2', count, NULL)) AS "Tue",
  sum(iif(weekday = '1', sum, NULL)) / sum(iif(weekday = '1', count, NULL)) AS "Mon"
FROM hours
GROUP BY hour
ORDER BY hour
