SELECT time, value AS "Movement"
FROM samples
WHERE
  series = 'sleep.movement_30_sec'
  AND document = (
    SELECT document
    FROM nights
    WHERE $__timeFilter(bedtime_end)
    ORDER BY bedtime_end DESC
    LIMIT 1
  )
ORDER BY time
