WITH
  night AS (
    SELECT document, bedtime_start, bedtime_end
    FROM nights
    WHERE 2 * (min(bedtime_end, $__timeTo()) - max(bedtime_start, $__timeFrom())) >= bedtime_end - bedtime_start
    ORDER BY bedtime_end DESC
    LIMIT 1
  )
SELECT time, value AS "Movement"
FROM
  night
  CROSS JOIN samples ON samples.series = 'sleep.movement_30_sec'
  AND samples.document = night.document
  AND samples.time BETWEEN night.bedtime_start AND night.bedtime_end
ORDER BY time
