SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  avg(stress_high) / 3600.0 AS "High stress",
  avg(recovery_high) / 3600.0 AS "High recovery"
FROM days
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
