SELECT local_midnight(CASE '$every' WHEN 'week' THEN $__dayGroup(day, 'week')
                                  WHEN 'month' THEN $__dayGroup(day, 'month') ELSE day END) AS time,
  avg(deep_sleep_duration) / 3600.0 AS "Deep",
  avg(rem_sleep_duration) / 3600.0 AS "REM",
  avg(light_sleep_duration) / 3600.0 AS "Light",
  avg(awake_time) / 3600.0 AS "Awake"
FROM nights
WHERE $__dayFilter(day)
GROUP BY 1
ORDER BY 1
