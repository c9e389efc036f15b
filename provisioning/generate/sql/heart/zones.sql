WITH
  fives AS (
    SELECT local_day(time) AS day, sum(sum) / sum(count) AS bpm
    FROM heartrate_5m
    WHERE $__timeFilter(time)
    GROUP BY time
  )
SELECT
  local_midnight($__dayGroup(day, '$every')) AS time,
  300 * sum(bpm >= 0.9 * maximum) AS "Zone 5",
  300 * sum(
    bpm >= 0.8 * maximum
    AND bpm < 0.9 * maximum
  ) AS "Zone 4",
  300 * sum(
    bpm >= 0.7 * maximum
    AND bpm < 0.8 * maximum
  ) AS "Zone 3",
  300 * sum(
    bpm >= 0.6 * maximum
    AND bpm < 0.7 * maximum
  ) AS "Zone 2",
  300 * sum(
    bpm >= 0.5 * maximum
    AND bpm < 0.6 * maximum
  ) AS "Zone 1"
FROM
  fives
  CROSS JOIN person
GROUP BY 1
ORDER BY 1
