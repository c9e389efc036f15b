SELECT time, share AS "Lowest after"
FROM
  (
    SELECT
      nights.time,
      (samples.time - nights.bedtime_start) * 100.0 / (nights.bedtime_end - nights.bedtime_start) AS share,
      row_number() OVER (
        PARTITION BY nights.day
        ORDER BY samples.value, samples.time
      ) AS place
    FROM
      nights
      JOIN samples ON samples.series = 'sleep.heart_rate'
      AND samples.document = nights.document
      AND samples.time BETWEEN nights.bedtime_start AND nights.bedtime_end
    WHERE $__timeFilter(nights.time)
  )
WHERE place = 1
ORDER BY 1
