SELECT
  time, (lowest - bedtime_start) * 100.0 / (bedtime_end - bedtime_start) AS "Lowest after"
FROM
  (
    SELECT
      time,
      bedtime_start,
      bedtime_end,
      (
        SELECT samples.time
        FROM samples
        WHERE
          samples.series = 'sleep.heart_rate'
          AND samples.document = nights.document
          AND samples.time BETWEEN nights.bedtime_start AND nights.bedtime_end
        ORDER BY samples.value, samples.time
        LIMIT 1
      ) AS lowest
    FROM nights
    WHERE $__timeFilter(time)
  )
WHERE lowest IS NOT NULL
ORDER BY 1
