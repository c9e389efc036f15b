WITH
  waking AS (
    SELECT wall_day(time) AS day, sum(sum) / sum(count) AS mean, sum(count) AS beats
    FROM heartrate_1h
    WHERE
      source IN ('awake', 'rest')
      AND time BETWEEN $__timeFrom() - 86400 AND $__timeTo()
    GROUP BY 1
  )
SELECT nights.time, 100 * (1 - nights.average_heart_rate / waking.mean) AS "Dip"
FROM
  nights
  JOIN waking ON waking.day = date(nights.day, '-1 day')
  AND waking.beats >= 48
WHERE $__timeFilter(nights.time)
ORDER BY 1
