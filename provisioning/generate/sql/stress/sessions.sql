WITH
  shown AS (
    SELECT document, time, type, mood, end_datetime - time AS length
    FROM session
    WHERE $__timeFilter(time)
    ORDER BY time DESC
    LIMIT 200
  ),
  beats AS (
    SELECT
      shown.document,
      series,
      value,
      row_number() OVER (
        PARTITION BY shown.document, series
        ORDER BY samples.time
      ) AS FIRST,
      row_number() OVER (
        PARTITION BY shown.document, series
        ORDER BY samples.time DESC
      ) AS LAST
    FROM
      shown
      JOIN samples ON samples.document = shown.document
      AND samples.series IN ('session.heart_rate', 'session.heart_rate_variability')
      AND samples.time BETWEEN shown.time AND shown.time + shown.length
  )
SELECT
  shown.time AS "Start",
  replace(type, '_', ' ') AS "Kind",
  mood AS "Felt afterwards",
  length AS "Duration",
  avg(
    iif(
      series = 'session.heart_rate'
      AND LAST <= 12,
      value,
      NULL
    )
  ) - avg(
    iif(
      series = 'session.heart_rate'
      AND FIRST <= 12,
      value,
      NULL
    )
  ) AS "Heart rate change",
  avg(
    iif(
      series = 'session.heart_rate_variability'
      AND LAST <= 12,
      value,
      NULL
    )
  ) - avg(
    iif(
      series = 'session.heart_rate_variability'
      AND FIRST <= 12,
      value,
      NULL
    )
  ) AS "HRV change"
FROM
  shown
  LEFT JOIN beats ON beats.document = shown.document
GROUP BY shown.document
UNION ALL
SELECT NULL, '$empty', NULL, NULL, NULL, NULL WHERE NOT EXISTS (SELECT 1 FROM shown)
ORDER BY 1 DESC
