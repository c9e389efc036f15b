SELECT
  time,
  'UTC' || format('%+g', BEFORE / 3600.0) || ' → UTC' || format('%+g', utc_offset / 3600.0) AS title,
  'time zone' AS tags
FROM
  (
    SELECT
      nights.bedtime_end AS time,
      sleep.utc_offset,
      lag(sleep.utc_offset) OVER (ORDER BY nights.day) AS BEFORE
    FROM
      nights
      JOIN sleep ON sleep.document = nights.document
  )
WHERE
  abs(BEFORE - utc_offset) > 3600
  AND $__timeFilter(time)
ORDER BY 1
