WITH
  hours AS (
    SELECT
      wall_day(time) AS day,
      sum(sum) / sum(count) AS mean,
      min(minimum) AS "low",
      max(maximum) AS "high"
    FROM heartrate_1h
    WHERE $__timeFilter(time)
    GROUP BY time
  )
SELECT
  local_midnight($__dayGroup(day, '$every')) AS time,
  percentile(mean, 25) AS "open",
  max(high) AS "high",
  min(low) AS "low",
  percentile(mean, 75) AS "close"
FROM hours
GROUP BY 1
ORDER BY 1
