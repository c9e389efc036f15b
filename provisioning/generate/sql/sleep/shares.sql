SELECT
  time,
  100.0 * deep_sleep_duration / total_sleep_duration AS "Deep",
  100.0 * rem_sleep_duration / total_sleep_duration AS "REM",
  100.0 * light_sleep_duration / total_sleep_duration AS "Light"
FROM nights
WHERE
  $__timeFilter(time)
  AND total_sleep_duration > 0
ORDER BY time
