WITH
  shown AS MATERIALIZED (
    SELECT day, document, bedtime_start, bedtime_end
    FROM nights
    WHERE
      $__timeFilter(time)
      AND time >= $__timeTo() - 90 * 86400
  ),
  points AS (
    SELECT
      shown.day = (SELECT max(day) FROM shown) AS LAST,
      (samples.time - shown.bedtime_start) / 900 AS quarter,
      avg(samples.value) AS value,
      max(samples.time) AS time
    FROM
      shown
      CROSS JOIN samples_data AS samples ON samples.series = (
        SELECT series
        FROM series
        WHERE name = 'sleep.heart_rate'
      )
      AND samples.document = shown.document
      AND samples.time BETWEEN shown.bedtime_start AND shown.bedtime_end
    GROUP BY shown.day, 2
  )
-- Without rows, only a result with times keeps its columns. The panel needs "Hours in bed".
SELECT
  quarter / 4.0 AS "Hours in bed",
  json_object(
    'Last night', max(iif(LAST, value, NULL)),
    -- Fewer than seven nights are not usual.
    'Lower', iif(count(*) > 7, percentile(iif(LAST, NULL, value), 25), NULL),
    'Usual', iif(count(*) > 7, median(iif(LAST, NULL, value)), NULL),
    'Upper', iif(count(*) > 7, percentile(iif(LAST, NULL, value), 75), NULL)
  ) AS lines,
  max(time) AS time
FROM points
GROUP BY quarter
ORDER BY quarter
