WITH
  newest AS (
    SELECT max(day) AS day
    FROM nights
    WHERE $__timeFilter(time)
  ),
  points AS (
    SELECT
      nights.day = newest.day AS LAST,
      (samples.time - nights.bedtime_start) / 900 AS quarter,
      avg(samples.value) AS value,
      max(samples.time) AS time
    FROM
      newest
      JOIN nights ON nights.time BETWEEN max($__timeFrom(), $__timeTo() - 90 * 86400) AND $__timeTo()
      CROSS JOIN samples_data AS samples ON samples.series = (
        SELECT series
        FROM series
        WHERE name = 'sleep.heart_rate'
      )
      AND samples.document = nights.document
      AND samples.time BETWEEN nights.bedtime_start AND nights.bedtime_end
    GROUP BY nights.day, 2
  )
-- Without rows, only a result with times keeps its columns. The panel needs "Hours in bed".
SELECT
  quarter / 4.0 AS "Hours in bed",
  max(iif(LAST, value, NULL)) AS "Last night",
  percentile(iif(LAST, NULL, value), 25) AS "Lower",
  median(iif(LAST, NULL, value)) AS "Usual",
  percentile(iif(LAST, NULL, value), 75) AS "Upper",
  max(time) AS time
FROM points
GROUP BY quarter
ORDER BY quarter
