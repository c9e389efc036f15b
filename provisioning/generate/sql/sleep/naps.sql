SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  avg(naps) AS "Naps",
  avg(nap_duration) / 60.0 AS "Time asleep"
FROM nights
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
