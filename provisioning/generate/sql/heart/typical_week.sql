WITH
  -- Grouped before the days become columns, so that the clock is read once for each hour.
  hours AS (
    SELECT
      wall_hour(time) AS hour,
      strftime('%w', wall_day(time)) AS weekday,
      sum(sum) / sum(count) AS mean
    FROM heartrate_1h
    WHERE
      $__timeFilter(time)
      AND source <> 'workout'
    GROUP BY 1, 2
  )
SELECT
  hour AS "Hour",
  max(iif(weekday = '0', mean, NULL)) AS "Sun",
  max(iif(weekday = '6', mean, NULL)) AS "Sat",
  max(iif(weekday = '5', mean, NULL)) AS "Fri",
  max(iif(weekday = '4', mean, NULL)) AS "Thu",
  max(iif(weekday = '3', mean, NULL)) AS "Wed",
  max(iif(weekday = '2', mean, NULL)) AS "Tue",
  max(iif(weekday = '1', mean, NULL)) AS "Mon"
FROM hours
GROUP BY hour
ORDER BY hour
