SELECT time, deep_sleep_duration / 3600.0 AS "Deep", rem_sleep_duration / 3600.0 AS "REM",
       light_sleep_duration / 3600.0 AS "Light", awake_time / 3600.0 AS "Awake"
FROM nights
WHERE $__timeFilter(time)
ORDER BY time