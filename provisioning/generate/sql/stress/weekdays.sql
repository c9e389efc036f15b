SELECT
  CASE strftime('%w', day)
    WHEN '1' THEN 'Mon'
    WHEN '2' THEN 'Tue'
    WHEN '3' THEN 'Wed'
    WHEN '4' THEN 'Thu'
    WHEN '5' THEN 'Fri'
    WHEN '6' THEN 'Sat'
    ELSE 'Sun'
  END AS "Day",
  avg(stress_high) AS "High stress",
  avg(recovery_high) AS "High recovery",
  count(*) AS "Days"
FROM days
WHERE
  $__dayFilter(day)
  AND stress_high IS NOT NULL
GROUP BY 1
ORDER BY (strftime('%w', day) + 6) % 7
