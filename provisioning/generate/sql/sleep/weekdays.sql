SELECT
  CASE strftime('%w', day)
    WHEN '1' THEN 'Mon'
    WHEN '2' THEN 'Tue'
    WHEN '3' THEN 'Wed'
    WHEN '4' THEN 'Thu'
    WHEN '5' THEN 'Fri'
    WHEN '6' THEN 'Sat'
    ELSE 'Sun'
  END AS "Morning of",
  median(bedtime) / 3600.0 AS "To bed",
  median(wake) / 3600.0 AS "Up",
  median(slept) AS "Asleep",
  count(*) AS "Nights"
FROM sleep_times
WHERE $__timeFilter(time)
GROUP BY 1
ORDER BY (strftime('%w', day) + 6) % 7
