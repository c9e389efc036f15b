SELECT
  CASE strftime('%w', day)
    WHEN '1' THEN 'Monday' WHEN '2' THEN 'Tuesday' WHEN '3' THEN 'Wednesday' WHEN '4' THEN 'Thursday'
    WHEN '5' THEN 'Friday' WHEN '6' THEN 'Saturday' ELSE 'Sunday'
  END AS "Morning of",
  strftime('%H:%M', (median(bedtime) + 86400) % 86400, 'unixepoch') AS "To bed",
  strftime('%H:%M', (median(wake) + 86400) % 86400, 'unixepoch') AS "Up",
  median(slept) AS "Asleep",
  count(*) AS "Nights"
FROM sleep_times
WHERE $__timeFilter(time)
GROUP BY 1
ORDER BY (strftime('%w', day) + 6) % 7
