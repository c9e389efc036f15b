SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  avg(efficiency) AS "Efficiency",
  avg(latency) / 60.0 AS "Time to fall asleep",
  avg(restless_periods) AS "Restless periods"
FROM nights
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
