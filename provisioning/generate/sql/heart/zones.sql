WITH limits AS (
  -- The maximum heart rate by age, or the highest values in workouts when those are higher.
  SELECT max(
    coalesce(208 - 0.7 * (SELECT max(age) FROM personal_info), 185),
    coalesce((SELECT percentile(maximum, 99) FROM heartrate_1h WHERE source = 'workout'), 0)
  ) AS maximum
), fives AS (
  SELECT time, 10 * sum(sum) / sum(count) / limits.maximum AS tenths
  FROM heartrate_5m CROSS JOIN limits
  WHERE $__timeFilter(time)
  GROUP BY time
  HAVING tenths >= 5
), days AS (
  SELECT wall_day(time) AS day, min(CAST(tenths AS INTEGER), 9) AS tenth, count(*) / 12.0 AS hours
  FROM fives
  GROUP BY 1, 2
)
SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  sum(iif(tenth = 5, hours, 0)) AS "Zone 1",
  sum(iif(tenth = 6, hours, 0)) AS "Zone 2",
  sum(iif(tenth = 7, hours, 0)) AS "Zone 3",
  sum(iif(tenth = 8, hours, 0)) AS "Zone 4",
  sum(iif(tenth = 9, hours, 0)) AS "Zone 5"
FROM days
GROUP BY 1
ORDER BY 1
