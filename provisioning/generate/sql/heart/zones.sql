WITH limits AS (
  -- The maximum heart rate by age, or the highest values in workouts when those are higher.
  SELECT max(
    coalesce(208 - 0.7 * (SELECT max(age) FROM personal_info), 185),
    coalesce((SELECT percentile(maximum, 99) FROM heartrate_5m WHERE source = 'workout'), 0)
  ) AS maximum
), fives AS (
  SELECT wall_day(time) AS day, sum(sum) / sum(count) / limits.maximum AS share
  FROM heartrate_5m CROSS JOIN limits
  WHERE $__timeFilter(time)
  GROUP BY time
)
SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  sum(share >= 0.5 AND share < 0.6) / 12.0 AS "Zone 1",
  sum(share >= 0.6 AND share < 0.7) / 12.0 AS "Zone 2",
  sum(share >= 0.7 AND share < 0.8) / 12.0 AS "Zone 3",
  sum(share >= 0.8 AND share < 0.9) / 12.0 AS "Zone 4",
  sum(share >= 0.9) / 12.0 AS "Zone 5"
FROM fives
GROUP BY 1
ORDER BY 1
