SELECT local_midnight($__dayGroup(day, '$every')) AS time,
  avg(deep_sleep_duration) / 3600.0 AS "Deep",
  avg(rem_sleep_duration) / 3600.0 AS "REM",
  avg(light_sleep_duration) / 3600.0 AS "Light",
  avg(awake_time) / 3600.0 AS "Awake"
FROM nights
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
