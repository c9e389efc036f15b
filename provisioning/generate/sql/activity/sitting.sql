SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  avg(sedentary_time) / 3600.0 AS "Sitting",
  avg(non_wear_time) / 3600.0 AS "Ring not worn",
  avg(inactivity_alerts) AS "Reminders"
FROM daily_activity
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
